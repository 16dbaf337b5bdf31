// Controls over positions that were drawn when the site was built; without scripts the first position is shown.
// A number has a slider, a name has a button for each value.
for (const box of document.querySelectorAll(".steps")) {
  const { controls, frames } = JSON.parse(box.querySelector("script").textContent);
  const image = box.querySelector("img"), words = box.querySelector("pre");
  const chosen = controls.map(() => 0);
  const place = box.querySelector(".controls");
  function slider(name, values, number) {
    const label = document.createElement("label"), shown = document.createElement("output");
    const input = Object.assign(document.createElement("input"), { type: "range", min: 0, max: values.length - 1 });
    input.value = 0;
    shown.value = values[0];
    input.setAttribute("aria-label", name);
    input.addEventListener("input", () => {
      shown.value = values[input.value];
      choose(number, Number(input.value));
    });
    label.append(`${name} `, input, " ", shown);
    return label;
  }
  function buttons(name, values, number) {
    const group = document.createElement("span");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", name);
    const all = values.map((value, i) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: value });
      button.addEventListener("click", () => {
        all.forEach((one, j) => one.setAttribute("aria-pressed", i === j));
        choose(number, i);
      });
      button.setAttribute("aria-pressed", i === 0);
      return button;
    });
    group.append(`${name} `, ...all);
    return group;
  }
  function choose(number, value) {
    chosen[number] = value;
    const frame = controls.reduce((at, [, values], i) => at * values.length + chosen[i], 0);
    image.src = `${box.dataset.pictures}/${frames[frame].image}`;
    image.alt = frames[frame].alt;
    words.textContent = frames[frame].words;
  }
  controls.forEach(([name, values], number) =>
    place.append((typeof values[0] === "string" ? buttons : slider)(name, values, number)));
}
