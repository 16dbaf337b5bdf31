// Sliders over positions that were drawn when the site was built; without scripts the first position is shown.
for (const box of document.querySelectorAll(".steps")) {
  const { controls, frames } = JSON.parse(box.querySelector("script").textContent);
  const image = box.querySelector("img"), words = box.querySelector("pre");
  const sliders = controls.map(([name, values]) => {
    const label = document.createElement("label"), said = document.createElement("output");
    const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: values.length - 1 });
    slider.value = 0;
    slider.setAttribute("aria-label", name);
    label.append(`${name} `, slider, " ", said);
    box.querySelector(".controls").append(label);
    slider.addEventListener("input", show);
    return { slider, said, values };
  });
  function show() {
    let frame = 0;
    for (const { slider, said, values } of sliders) {
      frame = frame * values.length + Number(slider.value);
      said.value = values[slider.value];
    }
    image.src = `${box.dataset.pictures}/${frames[frame].image}`;
    image.alt = frames[frame].alt;
    words.textContent = frames[frame].words;
  }
  show();
}
