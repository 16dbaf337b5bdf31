"""The site: `make book`. Sources are the committed notebooks and the pages beside this file; nothing is executed.

The source folder is the repository, so that a link between pages is the same on disk and on the site.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pages
import steps

project, author, copyright = (
    "tinyllm",
    "the tinyllm developers",
    "the tinyllm developers, Apache-2.0",
)
root_doc = "book/index"
include_patterns = [
    "book/*.md",
    "book/generated/*.md",
    "book/device/isa.md",
    "book/device/triton_isa.md",
    "notebooks/*.ipynb",
    "notebooks/solutions/*.ipynb",
    "README.md",
]
exclude_patterns = [
    ".[a-z]*",  # an environment and tools, and code: folders that are not looked through
    "build",
    "kernels",
    "tests",
    "tinyllm",
    "**/.ipynb_checkpoints",
    "book/generated/map.md",
    "book/generated/kernels_by_gpu.md",
    "book/generated/bytes_in_flight.md",
    "book/generated/gpu_code.md",
    "book/generated/sycl_beside_triton.md",
    "book/generated/choice_on_xpu.md",
]  # included
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]

nb_execution_mode = "off"
nb_number_source_lines = False
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": False}

html_theme = "sphinx_book_theme"
html_title = "tinyllm"
html_favicon = "static/icon.svg"
html_context = {"default_mode": "auto"}
html_static_path = ["static", "generated/static"]
html_css_files = ["book.css"]
html_js_files = [("steps.js", {"defer": "defer"})]
html_theme_options = {
    "show_toc_level": 2,
    "use_download_button": True,
    "use_fullscreen_button": False,
}
html_show_sourcelink = False


def embed_widgets(app, docname: str, source: list[str]) -> None:
    """Put the sliders into the pages of the notebooks that show a widget."""
    if docname.startswith("notebooks/") and "/solutions/" not in docname:
        folder = pages.GENERATED / "static" / "steps"
        source[0] = steps.embed(source[0], folder, "../_static/steps")


def setup(app) -> None:
    """Generate pages from recorded runs before the configuration is checked and the sources are read."""
    pages.write(pages.GENERATED)
    app.connect("source-read", embed_widgets)
    app.connect("build-finished", lambda app, error: error or pages.root_redirect(Path(app.outdir)))
