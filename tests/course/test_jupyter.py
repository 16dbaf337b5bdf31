"""JupyterLab in a browser: a notebook opens unmodified, its cells run up to the widget, and its control is moved."""

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
# By notebook: texts of the cells to run; the last makes the widget. Empty: every cell up to it.
WIDGETS = {"10": ("", "step_through_softmax(")}
PATIENCE = 240  # seconds for the cells of a notebook on a busy machine
SERVER = (
    *(
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=1",
    ),
    *(
        "--LabApp.expose_app_in_browser=True",
        "--ServerApp.log_level=ERROR",
    ),
)
READY = "return window.jupyterapp && jupyterapp.shell.currentWidget?.content?.widgets?.length > 0"
IDLE = """
const done = arguments[arguments.length - 1], panel = jupyterapp.shell.currentWidget;
(async () => {
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  await new Promise(resolve => setTimeout(resolve, 3000));
  const asked = [...document.querySelectorAll(".jp-toast-message, .Toastify__toast")].map(x => x.textContent);
  return [panel.context.model.dirty, asked];
})().then(done, error => done(String(error)));
"""
RUN = """
const done = arguments[arguments.length - 1], cells = arguments[0], panel = jupyterapp.shell.currentWidget;
(async () => {
  await panel.sessionContext.ready;
  for (const i of cells) {
    panel.content.activeCellIndex = i;
    await jupyterapp.commands.execute("notebook:run-cell");
  }
  return cells.map(i => panel.content.widgets[i].model.outputs?.toJSON().filter(x => x.output_type === "error")).flat();
})().then(done, error => done(String(error)));
"""
SHOWN = """
const image = document.querySelector(".widget-image"), words = document.querySelector(".widget-html pre");
const seen = () => image.naturalWidth > 0 && words.textContent ? [image.src, words.textContent] : null;
return image && words ? image.decode().then(seen, () => null) : null;
"""


# The settings of `make lab`.
SETTINGS = re.search(r"JUPYTER_CONFIG_PATH=(\S+) \S+/jupyter lab", (ROOT / "Makefile").read_text())[
    1
]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a server over a copy of the notebooks."""
    folder, port = tmp_path_factory.mktemp("lab"), free_port()
    shutil.copytree(NOTEBOOKS.parent / "book" / "results", folder / "book" / "results")
    shutil.copytree(NOTEBOOKS, folder / "notebooks")
    for path in (folder / "notebooks").glob(
        "*.ipynb"
    ):  # as if made with the Python of this machine
        notebook = json.loads(path.read_text())
        notebook["metadata"]["language_info"]["version"] = platform.python_version()
        path.write_text(json.dumps(notebook))
    command = [sys.executable, *SERVER, f"--port={port}", f"--ServerApp.root_dir={folder}"]
    server = subprocess.Popen(
        command,
        env=os.environ | {"JUPYTER_CONFIG_PATH": str(ROOT / SETTINGS)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urlopen(f"{address}/api").close()
            break
        except URLError:
            time.sleep(0.5)
    yield address
    server.terminate()
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:  # it waits for kernels of a closed browser
        server.kill()


def cells_for(path, wanted):
    """Indices of the code cells to run, up to that of the widget."""
    cells = json.loads(path.read_text())["cells"]
    source = ["".join(cell["source"]) if cell["cell_type"] == "code" else None for cell in cells]
    last = next(i for i, text in enumerate(source) if text and wanted[-1] in text)
    return [
        i
        for i, text in enumerate(source[: last + 1])
        if text and any(part in text for part in wanted)
    ]


def shown(browser):
    """The widget's picture and text, read in one script, since both may change."""
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(SHOWN))


def moved(before, after):
    """Whether picture and text have both changed."""
    return all(old != new for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("number", WIDGETS)
def test_a_notebook_opens_unmodified_and_its_widget_runs(browser, lab, number, tmp_path):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.wait import WebDriverWait

    path = next(NOTEBOOKS.glob(f"{number}_*.ipynb"))
    browser.get(f"{lab}/lab/tree/notebooks/{path.name}?reset")
    browser.set_script_timeout(PATIENCE)
    WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(READY))
    assert browser.execute_async_script(IDLE) == [False, []], "modified, or with a prompt"
    assert browser.execute_async_script(RUN, cells_for(path, WIDGETS[number])) == []
    before = shown(browser)
    browser.find_element("css selector", ".widget-slider .noUi-handle").send_keys(Keys.ARROW_RIGHT)
    WebDriverWait(browser, 60).until(lambda driver: moved(before, shown(driver)))
    browser.execute_script("document.querySelector('.widget-image').scrollIntoView()")
    browser.save_screenshot(str(tmp_path / f"{path.stem}.png"))
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
