"""The rules of pages: whose form it is, where one may be sent on to, and how things are said."""

from datetime import UTC, date, datetime
from typing import cast

import pytest
from starlette.requests import Request

from mercat.kit.clock import clock
from mercat.kit.refusals import Overloaded, TooManyRequests
from mercat.payments import declaration
from mercat.settings import load
from mercat.web import rendering
from mercat.web.category_tree import CategoryTree
from mercat.web.context import RequestContext
from mercat.web.desk.listing_form import attributes_as_kept, lines_of
from mercat.web.desk.orders import _following
from mercat.web.forms import local_path, number_in
from mercat.web.origin import COOKIE, Csrf, PageTooOld
from mercat.web.pages import Pages
from mercat.web.products import _histogram
from mercat.web.results import ListingQuery


def request(
    headers: dict[str, str] | None = None, query: str = "", method: str = "POST", path: str = "/"
) -> Request:
    given = [
        (name.encode(), value.encode())
        for name, value in ({"host": "shop.example"} | (headers or {})).items()
    ]
    return Request(
        {
            "type": "http",
            "method": method,
            "path": path,
            "headers": given,
            "query_string": query.encode(),
            "server": ("shop.example", 80),
            "scheme": "http",
            "mercat.context": RequestContext(b"1", "", _nobody, _uncounted, bearer=False, secure=False),
        }
    )


async def _uncounted(request: Request, name: str) -> None:
    pass


async def _nobody(request: Request) -> None:
    return None


PAGES = Pages(cast(CategoryTree, None), b"secret", declaration(load({})))
OURS = {"sec-fetch-site": "same-origin"}


class TestForms:
    csrf = Csrf(b"secret", secure=False)

    def form(self) -> tuple[dict[str, str], str]:
        shown = request()
        token = self.csrf.token(shown)
        return {"cookie": f"{COOKIE}={shown.scope['mercat.form']}"}, token

    def test_a_form_of_ours_comes_back(self):
        cookie, token = self.form()
        self.csrf.check(request(cookie), token)
        self.csrf.check(request(cookie | OURS), token)
        self.csrf.check(request(cookie | {"origin": "http://shop.example"}), token)

    def test_one_token_serves_all_forms_of_a_browser(self):
        cookie, token = self.form()
        assert self.csrf.token(request(cookie)) == token

    @pytest.mark.parametrize(
        "headers",
        [
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "https://evil.example"},
        ],
    )
    def test_another_sites_form_is_refused_with_a_token_and_without(self, headers):
        cookie, token = self.form()
        for given in (token, ""):
            with pytest.raises(PageTooOld):
                self.csrf.check(request(cookie | headers), given, public=True)

    def test_no_token_will_do_only_on_everybodys_pages_and_only_if_the_browser_says_so(self):
        self.csrf.check(request(OURS), "", public=True)
        with pytest.raises(PageTooOld):
            self.csrf.check(request(OURS), "")
        with pytest.raises(PageTooOld):
            self.csrf.check(request(), "", public=True)

    def test_a_token_of_another_browser_or_another_shop_is_refused(self):
        cookie, _ = self.form()
        _, foreign = self.form()
        elsewhere = Csrf(b"other", secure=False).token(request(cookie))
        for token in (foreign, elsewhere, "x", "ü"):
            with pytest.raises(PageTooOld):
                self.csrf.check(request(cookie | OURS), token)


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/orders?page=2", "/orders?page=2"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("", "/"),
    ],
)
def test_one_is_led_on_inside_the_shop_only(asked, led):
    assert local_path(asked) == led


@pytest.mark.parametrize(
    ("given", "page"), [("3", 3), ("0", 1), ("-1", 1), ("x", 1), (None, 1), ("999999", 10), ("٣", 1)]
)
def test_nonsense_in_an_address_is_as_good_as_nothing(given, page):
    assert number_in(given, 1, 1, 10) == page


def test_an_address_of_a_list_is_read_and_written_alike():
    asked = ListingQuery(
        request(query="q=tea+pot&brand=A%26B&brand=C&price=25-50&rating=4&stock=1&sort=newest&page=3"),
        "/search",
        "USD",
    )
    assert (asked.q, asked.brands, asked.price, asked.rating, asked.stock) == (
        "tea pot",
        ["A&B", "C"],
        "25-50",
        "4",
        True,
    )
    assert (
        asked.url(page=3)
        == "/search?q=tea+pot&brand=A%26B&brand=C&price=25-50&rating=4&stock=1&sort=newest&page=3"
    )
    assert (
        asked.url(but=("brand", "C"))
        == "/search?q=tea+pot&brand=A%26B&price=25-50&rating=4&stock=1&sort=newest"
    )
    assert asked.url(filters=False) == "/search?q=tea+pot&sort=newest"
    query = asked.query("mugs")
    assert (query.price_min, query.price_max, query.category) == (2_500, 4_999, ["mugs"])
    within = ListingQuery(request(query="price=25-50&price_from=30&price_to=99.5"), "/search", "USD")
    query = within.query(None)
    assert (query.price_min, query.price_max) == (3_000, 4_999)
    assert within.url() == "/search?price=25-50&price_from=30&price_to=99.5"
    strange = ListingQuery(
        request(query="price=7-9&price_from=x&price_to=-1&rating=9&sort=odd&page=x"), "/search", "USD"
    )
    assert strange.url() == "/search"


def test_days_are_said_as_people_say_them():
    clock.drive(lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))
    try:
        assert rendering.day(date(2026, 11, 23)) == "Today, Mon 23 Nov"
        assert rendering.day("2026-11-24") == "Tomorrow, Tue 24 Nov"
        assert rendering.day(date(2026, 12, 1)) == "Tue 1 Dec"
        assert rendering.day(date(2028, 1, 3)) == "Mon 3 Jan 2028"
    finally:
        clock.drive(None)


def test_values_are_said_plainly():
    assert [rendering.fact(value) for value in (True, 1.0, 0.25, 12_000.0, "x")] == [
        "Yes",
        "1",
        "0.25",
        "12,000",
        "x",
    ]
    assert rendering.decimal(7_999, "USD") == "79.99"
    assert rendering.decimal(500, "JPY") == "500"
    assert rendering.slug("Café & Crème: 2-pack!") == "cafe-creme-2-pack"
    assert list(rendering.window(5, 20)) == [1, None, 4, 5, 6, None, 20]
    assert list(rendering.window(1, 3)) == [1, 2, 3]
    assert _histogram([1, 0, 0, 0, 3]) == [(5, 3, 75), (4, 0, 0), (3, 0, 0), (2, 0, 0), (1, 1, 25)]
    assert "<" not in rendering.badge("<b>").replace('<span class="badge ">', "").replace("</span>", "")


def test_a_parcel_may_only_go_forward():
    assert _following("shipped") == ["in_transit", "out_for_delivery", "delivered", "exception"]
    assert _following("out_for_delivery") == ["delivered", "exception"]
    assert _following("delivered") == []


def test_who_is_turned_away_at_the_door_is_told_in_their_language():
    person = request({"accept": "text/html,*/*"}, method="GET").scope
    page = PAGES.turn_away(person, TooManyRequests(retry_after=7))
    assert page.status_code == 429
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["retry-after"] == "7"
    assert b'http-equiv="refresh" content="7"' in page.body
    form = PAGES.turn_away(request({"accept": "text/html"}).scope, Overloaded())
    assert b"http-equiv" not in form.body, "a form would be lost"
    for machine in (request({"accept": "*/*"}), request({"accept": "text/html"}, path="/api/v1/cart")):
        assert (
            PAGES.turn_away(machine.scope, TooManyRequests()).headers["content-type"]
            == "application/problem+json"
        )


def test_a_detail_left_as_it_was_shown_keeps_its_kind_and_its_name():
    before = {"Watts": 5.0, "Fast": True, "Ports: left": "2\nUSB", "Note": "5.0", "Old": "x"}
    shown = "\n".join(lines_of(before))
    assert shown.splitlines() == ["Watts: 5", "Fast: yes", "Ports: left: 2 USB", "Note: 5.0", "Old: x"]
    assert attributes_as_kept(shown, before) == before
    typed = (
        shown.replace("Watts: 5", "Watts: 7.5").replace("Fast: yes", "Fast: no").replace("Old: x", "New: 1")
    )
    assert attributes_as_kept(typed, before) == {
        "Watts": 7.5,
        "Fast": False,
        "Ports: left": "2\nUSB",
        "Note": "5.0",
        "New": "1",
    }
