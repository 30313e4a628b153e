"""A real browser in front of a real shop. Without Chromium these tests are skipped, and say so."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from mercat.embedded import Connection

CHROMIUM = Path("/usr/bin/chromium")
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
]
PHONE, DESK = 390, 1_280
expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def browser(open_shop: Connection) -> Iterator[Browser]:
    """One a module: while it is open no other event loop can run in this thread. So the shop opens first."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, open_shop: Connection) -> Iterator[Callable[..., Page]]:
    """Somebody new in the shop: `visit(width=390, scripts=False)` is their page."""
    contexts: list[BrowserContext] = []

    def come(width: int = DESK, *, scripts: bool = True, **more: Any) -> Page:
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{open_shop.port}",
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
            **more,
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.set_default_navigation_timeout(30_000)
        return page

    yield come
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def faults() -> Callable[[Page], list[str]]:
    """What an inspection of the page finds wrong."""
    script = (Path(__file__).parent / "checks.js").read_text()
    script = script[script.index("() =>") :]
    return lambda page: page.evaluate(script)
