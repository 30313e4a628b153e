"""What is noted of visitors: what they did, and nobody who did it."""

import time

import pytest

from mercat import ids
from mercat.web.looks import Looks, device_of, shown_header, words_of

PHONE = b"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148"
DESK = b"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
PRODUCT = str(ids.ProductId(7))


class Told:
    def __init__(self) -> None:
        self.looks = []
        self.store = self
        self.kept = {}

    async def do(self, verb, key, *rest):
        if verb == "SET":
            self.kept.setdefault(key, rest[0].encode())
        return self.kept.get(key)

    async def tell(self, looks) -> None:
        self.looks += looks

    async def products_of(self, orders):
        return {str(order): [ids.ProductId(7), ids.ProductId(8)] for order in orders}


def scope(path, method="GET", query=b"", agent=DESK, address="203.0.113.9", **headers):
    named = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return {
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(b"user-agent", agent), *named],
        "mercat.address": address,
    }


def made() -> tuple[Looks, Told]:
    told = Told()
    return Looks(told, told.tell, told.products_of), told  # type: ignore[arg-type]


async def test_what_a_visitor_does_is_told_without_who_they_are():
    looks, told = made()
    await looks._take_salt()
    order = str(ids.OrderId(3)).encode()
    looks.note(scope("/search", query=b"q=Green++Tea"), 200, shown_header(2, [7, 8]).encode(), b"")
    looks.note(scope(f"/p/{PRODUCT}/green-tea"), 200, b"", b"")
    looks.note(scope(f"/api/v1/products/{PRODUCT}"), 304, b"", b"")
    looks.note(scope("/cart/items", "POST"), 303, b"", b"/cart")
    looks.note(scope("/checkout"), 200, b"", b"")
    looks.note(scope("/checkout", "POST"), 303, b"", b"/orders/" + order)
    looks.note(scope("/api/v1/orders/checkout", "POST"), 201, b"", b"/api/v1/orders/" + order)
    await looks.tell()
    assert [each.what for each in told.looks] == [
        "search",
        "view",
        "view",
        "cart",
        "checkout",
        *["order"] * 4,
    ]
    assert (told.looks[0].words, told.looks[0].found, told.looks[0].shown) == ("green tea", 2, [7, 8])
    assert told.looks[1].product_id == 7
    assert len({each.visitor for each in told.looks}) == 1
    assert "203.0.113.9" not in repr(told.looks)


@pytest.mark.parametrize(
    ("path", "status", "headers"),
    [
        (f"/p/{PRODUCT}", 404, {}),
        (f"/api/v1/products/{PRODUCT}/reviews", 200, {}),
        ("/", 200, {}),
        (f"/p/{PRODUCT}", 200, {"dnt": b"1"}),
        (f"/p/{PRODUCT}", 200, {"sec_gpc": b"1"}),
    ],
)
async def test_what_is_no_look_and_who_says_no_is_not_counted(path, status, headers):
    looks, told = made()
    looks.note(scope(path, **headers), status, b"", b"")
    await looks.tell()
    assert told.looks == []


async def test_a_visitor_is_another_tomorrow_and_the_same_to_every_worker_today():
    (one, told), (two, _) = made(), made()
    two._store = told  # type: ignore[assignment]
    for worker in (one, two):
        await worker._take_salt()
    today = {worker._visitor("203.0.113.9", DESK)[0] for worker in (one, two)}
    assert len(today) == 1
    told.kept.clear()
    one._day = ""
    await one._take_salt()
    assert one._visitor("203.0.113.9", DESK)[0] not in today


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (PHONE, "phone"),
        (DESK, "desktop"),
        (b"Mozilla/5.0 (iPad; CPU OS 18_0)", "tablet"),
        (b"Googlebot/2.1 (+http://www.google.com/bot.html)", None),
        (b"bingbot/2.0", None),
        (b"Mozilla/5.0 Chrome-Lighthouse", None),
        (b"", None),
        (b"python-httpx/0.28", "desktop"),
    ],
)
def test_robots_that_say_so_are_left_out(agent, device):
    assert device_of(agent) == device


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (b"q=Tea%20pot", "tea pot"),
        (b"q=T%C3%A9", "té"),
        (b"q=", None),
        (b"q=tea&page=2", None),
        (b"q=tea&cursor=x", None),
        (b"q=ann@example.com", "…"),
        (b"q=4711471147", "…"),
    ],
)
def test_words_that_may_be_somebodys_are_not_kept(query, words):
    assert words_of(query) == words


async def test_what_is_too_much_is_dropped_and_nothing_waits():
    looks, told = made()
    for _ in range(6_000):
        looks.note(scope(f"/p/{PRODUCT}"), 200, b"", b"")
    await looks.tell()
    assert len(told.looks) == 5_000


def test_noting_costs_a_page_less_than_twenty_microseconds():
    looks, _ = made()
    given = scope(f"/p/{PRODUCT}/green-tea", accept=b"text/html", cookie=b"x=y", accept_encoding=b"br")
    best = float("inf")
    for _ in range(20):
        looks._waiting.clear()
        began = time.process_time()
        for _ in range(1_000):
            looks.note(given, 200, b"", b"")
        best = min(best, (time.process_time() - began) / 1_000)
    assert best < 20e-6, f"{best * 1e6:.1f} us"
