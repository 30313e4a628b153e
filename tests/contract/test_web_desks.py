"""Every page without a parameter in its address opens for who may see it."""

from typing import Any

import pytest

from mercat.web import routes
from mercat.web.router import Router

_STREAMS = ("/events", "/live", ".csv", ".jsonl")
"""What goes on for long, or is a file."""
_ASKS_MORE = {"/operator/search/new"}
"""Without a query there is no such page."""


@pytest.fixture
def addresses(monkeypatch):
    """The addresses of all pages, as the application is made."""
    found: list[str] = []
    made = Router.__init__

    def keep(self, endpoints, *more):
        endpoints = list(endpoints)
        found.extend(
            each.path
            for each in endpoints
            if each.verb == "GET" and "{" not in each.path and not each.path.startswith(routes.PREFIX)
        )
        made(self, endpoints, *more)

    monkeypatch.setattr(Router, "__init__", keep)
    return found


async def test_every_page_opens_for_who_may_see_it(addresses, people: Any):
    assert len(addresses) > 30
    for path in addresses:
        if path.endswith(_STREAMS):
            continue
        for person in (people.nobody, people.shopper, people.seller, people.operator):
            answer = await person.get(path)
            assert answer.status_code < 500 or path == "/ready", (path, answer.status_code)
    for person, start in ((people.seller, "/desk"), (people.operator, "/operator")):
        for path in addresses:
            if path.startswith(start) and not path.endswith(_STREAMS):
                answer = await person.get(path)
                assert answer.status_code == 200 or path in _ASKS_MORE, (path, answer.status_code)
