"""The built site: every page, every link within it, and its display in a browser."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

PAGES = (
    *(
        "book/index",
        "book/glossary",
        "book/negative_results",
        "book/device_code",
        "book/api",
        "README",
    ),
    *(
        "book/results",
        "book/library",
        "book/generated/families",
        "book/generated/steps",
        "book/adding_a_family",
    ),
    *(
        f"notebooks/{path.stem}"
        for path in sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb"))
    ),
)


class Links(HTMLParser):
    """The links, resources and anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.names = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.names |= {found[key] for key in ("id", "name") if found.get(key)}
        self.targets |= {found[key] for key in ("href", "src") if found.get(key)}


def broken(site):
    """Links within the site without a target, as (page, link)."""
    pages = {
        path: Links(path.read_text())
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    }
    for path, page in pages.items():
        for link in page.targets:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].names
            ):
                yield str(path.relative_to(site)), link


def test_every_link_within_the_site_has_a_target(site):
    assert sorted(broken(site)) == []


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there"></a><a href="b.html"></a><img src="c.png"><p id="x">'
    )
    (tmp_path / "b.html").write_text(
        '<a href="#gone"></a><a href="a.html#x"></a><a href="https://example.org/z"></a>'
    )
    assert sorted(broken(tmp_path)) == [
        ("a.html", "b.html#there"),
        ("a.html", "c.png"),
        ("b.html", "#gone"),
    ]


def test_the_site_works_without_a_network(site):
    """Scripts, styles and pictures are files of the site."""
    pages = {path: path.read_text() for path in site.rglob("*.html")}
    assert not [
        path
        for path, text in pages.items()
        if '<script src="http' in text or '<img src="http' in text
    ]
    assert not [
        path for path, text in pages.items() if "cdn.jsdelivr" in text or "unpkg.com" in text
    ]


PHONE = {"width": 420, "height": 900, "deviceScaleFactor": 1, "mobile": False}
# The parts of a page that end beyond the screen and are in no box that scrolls, by tag and text.
BEYOND_THE_SCREEN = """
const scrolls = part => part && (/auto|scroll/.test(getComputedStyle(part).overflowX) || scrolls(part.parentElement));
const width = document.documentElement.clientWidth;
const ends = part => part.getBoundingClientRect().right;
return [...document.body.querySelectorAll(".bd-article *")]
    .filter(part => part.offsetWidth && ends(part) > width + 2 && !scrolls(part.parentElement))
    .map(part => `${part.tagName} ${part.textContent.slice(0, 40)}`)
"""


def beyond_the_screen(browser):
    """What a reader on a phone does not see of the page that is open, at a width of 420."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        return browser.execute_script(BEYOND_THE_SCREEN)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_part_beyond_the_screen_is_found(browser, tmp_path):
    wide = '<p style="width: 500px">wide</p>'
    page = tmp_path / "page.html"
    scrolling = f'<div style="overflow: auto">{wide}</div>'
    page.write_text(
        f'<article class="bd-article">{scrolling}<div>{wide}</div><p>narrow</p></article>'
    )
    browser.get(page.as_uri())
    assert beyond_the_screen(browser) == ["P wide"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_complete_in_a_browser(browser, address, page):
    browser.get(f"{address}/{page}.html")
    assert browser.find_element("css selector", ".bd-article h1").text
    pictures = "return [...document.images].filter(x => x.loading !== 'lazy' || x.complete).map(x => x.naturalWidth)"
    assert all(width > 0 for width in browser.execute_script(pictures))
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert "reference to nonexisting" not in browser.page_source
    assert beyond_the_screen(browser) == []


@pytest.mark.parametrize("number", range(20))
def test_notebooks_have_their_pictures(browser, address, number):
    page = next(page for page in PAGES if page.startswith(f"notebooks/{number:02}"))
    browser.get(f"{address}/{page}.html")
    assert browser.find_elements("css selector", ".cell_output img"), page


IN_NOTEBOOKS = {"gpus": 0, "beams": 9, "softmax": 10, "ladder": 14}


@pytest.mark.parametrize("embedded", [False, True])
@pytest.mark.parametrize("name", IN_NOTEBOOKS)
def test_controls_change_picture_and_text(browser, address, name, embedded):
    """On the page of all widgets, and in the notebook that shows one: from its first position through all."""
    notebook = next(page for page in PAGES if page.startswith(f"notebooks/{IN_NOTEBOOKS[name]:02}"))
    browser.get(f"{address}/{notebook if embedded else 'book/generated/steps'}.html")
    box = browser.find_element("id", name)
    image, words = box.find_element("css selector", "img"), box.find_element("css selector", "pre")
    assert image.get_attribute("src").endswith(f"/{name}-0.png")
    move = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
    loaded = "const x = arguments[0]; return x.decode().then(() => x.naturalWidth)"
    sliders = box.find_elements("css selector", "input")
    actions = [
        [(move, slider, value) for value in range(int(slider.get_attribute("max")) + 1)]
        for slider in sliders
    ]
    groups = box.find_elements("css selector", "[role=group]")
    actions += [
        [("arguments[0].click()", button) for button in group.find_elements("tag name", "button")]
        for group in groups
    ]
    for positions in actions:
        seen = set()
        for script, *arguments in positions:
            browser.execute_script(script, *arguments)
            assert browser.execute_script(loaded, image) > 0
            seen.add((image.get_attribute("src"), words.text, image.get_attribute("alt")))
        assert len(seen) == len({text for _, text, _ in seen}) == len(positions) > 2
    assert bool(groups) == (name in ("gpus", "ladder"))
