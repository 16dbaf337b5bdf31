"""README.md and the page of results: short, from recorded runs, with valid links."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINKS = re.compile(r"\]\(([^)\s]+)\)")


def headings(page):
    """The anchors of a page's headings."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


def broken(page):
    """Links of a page to files that do not exist, and to headings that their file does not have."""
    for link in LINKS.findall(page.read_text()):
        if link.startswith(("https://", "http://")):
            continue
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (heading and heading not in headings(target)):
            yield link


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 8192


def test_readme_and_results_show_the_recorded_runs():
    run = subprocess.run(
        [sys.executable, ROOT / "book" / "readme.py", "--check"], capture_output=True, text=True
    )
    assert run.returncode == 0, (
        f"README.md or book/results.md is stale: run `make readme` {run.stderr}"
    )


@pytest.mark.parametrize("name", ["README.md", "book/results.md", "book/library.md"])
def test_links_have_targets(name):
    assert LINKS.findall((ROOT / name).read_text())
    assert list(broken(ROOT / name)) == []


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A title\n[1](#a-title) [2](#gone) [3](gone.md) [4](page.md#a-title) [5](https://example.org/)\n"
    )
    assert list(broken(page)) == ["#gone", "gone.md"]
