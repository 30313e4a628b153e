"""What a phone fetches before it shows a page: little, once, the first pictures first, and nothing moves."""

from collections.abc import Callable
from typing import Any

import pytest
from browser.conftest import PHONE
from playwright.sync_api import Page, Response

PAGES = ("/", "/search", "/search?q=lamp", "/cart", "/help")
TEXT_BYTES_MAX = 130_000
"""Of the page, its styles and its scripts together, as they travel."""
SHIFT_MAX = 0.1
"""Of the cumulative layout shift: what https://web.dev/articles/cls calls good."""
_SHIFT = """() => new Promise(done => {
    let sum = 0;
    const add = list => { for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value; };
    new PerformanceObserver(add).observe({type: "layout-shift", buffered: true});
    setTimeout(() => done(sum), 200);
})"""


def fetched(page: Page, path: str) -> list[Response]:
    responses: list[Response] = []
    page.on("response", lambda response: responses.append(response))
    page.goto(path)
    page.wait_for_load_state("networkidle")
    return responses


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_light_and_its_files_are_kept(visit: Callable[..., Page], path: str) -> None:
    page = visit(PHONE)
    responses = fetched(page, path)
    texts = [each for each in responses if each.request.resource_type in ("document", "stylesheet", "script")]
    assert texts
    carried = 0
    for each in texts:
        headers = each.all_headers()
        assert headers.get("content-encoding") in ("zstd", "br", "gzip"), each.url
        carried += int(headers["content-length"])
        if "/static/" in each.url:
            assert headers["cache-control"] == "public, max-age=31536000, immutable", each.url
    assert carried < TEXT_BYTES_MAX
    assert page.evaluate(_SHIFT) < SHIFT_MAX


@pytest.mark.parametrize("path", ["/", "/search", "/search?q=lamp"])
def test_the_first_pictures_come_first_and_the_others_when_they_are_near(
    visit: Callable[..., Page], path: str
) -> None:
    page = visit(PHONE)
    page.goto(path)
    pictures: list[dict[str, Any]] = page.eval_on_selector_all(
        "main .pic > img",
        "all => all.map(i => ({eager: i.loading == 'eager', first: i.fetchPriority == 'high',"
        " top: i.getBoundingClientRect().top, sized: i.width > 0 && i.hasAttribute('height')}))",
    )
    assert len(pictures) > 4
    assert all(each["sized"] for each in pictures)
    seen = [each for each in pictures if each["top"] < 844]
    assert seen
    assert seen[0]["eager"]
    assert seen[0]["first"]
    assert all(not each["eager"] for each in pictures[6:]), "what is far down waits"
