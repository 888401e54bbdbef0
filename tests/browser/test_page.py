# SPDX-License-Identifier: GPL-3.0-only
"""A run's page in a real browser: it fits, it is quiet, and what a guest says in it is only text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.report.markup import shown
from tests.browser.chromium import Tab
from tests.unit.report.hostile import HOSTILE

# What is made once for the module would else be made on every worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PAGES = ("story", "looks", "failed", "crowded", "hostile", "endless")
SIZE = "[document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]"
OPEN = "document.querySelectorAll('details').forEach(one => one.open = true)"

# The contrast of WCAG 2 between each text and the nearest filled background behind it.
FAINTEST = """(() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ratio = (a, b) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour.length == 3 || colour[3] == 1) return colour;
    }
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let least = [99, ''];
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || node.closest('title, desc')) continue;
    const style = getComputedStyle(node), svg = node.closest('svg');
    const ink = rgb(svg ? style.fill : style.color);
    const found = ratio(light(ink), light(behind(node)));
    if (found < least[0]) least = [found, walk.currentNode.data];
  }
  return least;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_it_fits_and_the_browser_has_no_complaint(
    browser: Tab, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    browser.show(pages[name], width=width, scheme=scheme)
    for _ in ("folded", "unfolded"):
        scrolled, visible = browser.value(SIZE)
        assert scrolled <= visible == width
        browser.value(OPEN)
    assert browser.complaints() == []


def test_both_colour_schemes_can_be_read(browser: Tab, pages: dict[str, Path]) -> None:
    grounds, pictures = set(), set()
    for scheme in ("light", "dark"):
        browser.show(pages["story"], width=1280, scheme=scheme)
        pictures.add(browser.picture())
        browser.value(OPEN)
        ratio, text = browser.value(FAINTEST)
        assert ratio >= 4.5, text
        grounds.add(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == len(pictures) == 2


@pytest.mark.parametrize("width", [1280, 390])
def test_what_a_guest_says_is_shown_and_not_obeyed(browser: Tab, pages: dict[str, Path], width: int) -> None:
    browser.show(pages["hostile"], width=width, scheme="light")
    browser.value(OPEN)
    text = browser.value("document.body.innerText")
    assert "</script><img src=x onerror=alert(1)>" in text
    assert "\\x1b[31mred\\x1b]0;owned\\x07\\u202egnp.exe" in text
    assert shown("".join(HOSTILE)) in text.replace("\n", "")
    assert browser.value("document.querySelectorAll('script, img, iframe, link, base, form').length") == 0
    assert browser.complaints() == []


def test_no_script_would_run(browser: Tab, pages: dict[str, Path]) -> None:
    browser.show(pages["story"], width=1280, scheme="light")
    browser.value("document.body.append(Object.assign(document.createElement('script'), {text: 'hit = 1'}))")
    assert browser.value("typeof hit") == "undefined"
    browser.pipe.await_event("Log.entryAdded")
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())


def test_the_keyboard_reaches_links_and_folds_and_nothing_else(browser: Tab, pages: dict[str, Path]) -> None:
    browser.show(pages["story"], width=390, scheme="light")
    assert browser.value("document.querySelectorAll('button, input, [tabindex], [onclick]').length") == 0
    assert browser.value("document.querySelectorAll('svg a').length") == 0
    assert browser.value("document.querySelectorAll('a[href], summary').length") > 20


def test_the_picture_is_as_wide_as_the_page_and_its_text_keeps_its_size(
    browser: Tab, pages: dict[str, Path]
) -> None:
    sizes = []
    for width in (1280, 390):
        browser.show(pages["story"], width=width, scheme="light")
        box = "(q => [q.width, q.height])(document.querySelector('{}').getBoundingClientRect())"
        picture, label = (browser.value(box.format(q)) for q in ("#b3 svg.strip", "#b3 svg.strip .name"))
        assert picture[0] > 0.85 * min(width, 1180)
        sizes.append(label)
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_it_prints_whole_with_what_is_folded(browser: Tab, pages: dict[str, Path]) -> None:
    browser.show(pages["story"], width=1280, scheme="dark")
    printed = browser.print()
    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 3
    browser.value("document.querySelectorAll('details').forEach(one => one.remove())")
    assert len(re.findall(rb"/Type\s*/Page\b", browser.print())) < len(
        re.findall(rb"/Type\s*/Page\b", printed)
    )
