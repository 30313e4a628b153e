"""Reports that equal the books: by HTTP, by the names of the contract."""

import asyncio
import csv
import io
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any, cast
from urllib.parse import parse_qs

import asyncpg
import pytest
from fact_engines import Facts
from fact_engines import facts as facts
from house import House, Opened, Visitor
from house import opened as opened
from journeys.people import HOME, new_key, until
from msgspec.structs import replace
from one_scene import one_scene

from mercat import ids
from mercat.analytics import ROWS_MAX, ReportAsk
from mercat.analytics.engines.duckdb import FILE
from mercat.analytics.keeper import EngineAway, Keeper
from mercat.audit import audit
from mercat.audit.audit import laws
from mercat.web import report_pages
from mercat.web.routes import PREFIX

OLGA = {"email": "olga@example.com", "password": "a desk of one's own", "name": "Olga"}
BOB = {"email": "bob@example.com", "password": "battery staple", "name": "Bob"}
CARL = {"email": "carl@example.com", "password": "battery stable", "name": "Carl"}
SUMS = ("orders", "units", "gross", "discount", "refunds", "tax", "shipping", "commission", "net")
OURS = [law for law in laws() if law.name.startswith("reports ")]


def today() -> date:
    """Return the day in UTC, asked anew each time: a run of all tests may pass midnight."""
    return datetime.now(UTC).date()


class Sales:
    """A shop in which Ann buys of two sellers, and who may see the numbers."""

    def __init__(self, house: House, ann: Visitor, bob: Visitor, carl: Visitor, olga: Visitor) -> None:
        self.house, self.ann, self.bob, self.carl, self.olga = house, ann, bob, carl, olga
        self.way: dict[str, str] = {}
        self.offers: dict[str, str] = {}
        self.sellers: dict[str, str] = {}

    async def open(self) -> "Sales":
        await self.house.shop.accounts.set_operator(OLGA["email"], given=True)
        for who, name, price in ((self.bob, "Bob's", 10), (self.carl, "Carl's", 7.49)):
            made = await who.api("POST", "/sellers", 201, {"name": name})
            self.sellers[name] = made["seller_id"]
            cup = {"title": f"A cup of {name}", "description": "", "category": "cups", "price": price}
            listed = await who.api("POST", "/seller/products", 201, cup | {"currency": "USD", "quantity": 90})
            self.offers[name] = listed["offer_id"]
        self.way = {
            "shipping_address_id": (await self.ann.api("POST", "/addresses", 201, HOME))["address_id"],
            "payment_method_id": (await self.ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"}))[
                "payment_method_id"
            ],
            "shipping_method": "standard",
        }
        return self

    async def buys(self, **quantities: int) -> Any:
        for name, quantity in quantities.items():
            body = {"offer_id": self.offers[f"{name}'s"], "quantity": quantity}
            await self.ann.api("POST", "/cart/items", 200, body)
        bought = await self.keyed(self.ann, "/orders/checkout", self.way)
        return await self.ann.api("GET", f"/orders/{bought['order_id']}", 200)

    async def keyed(self, who: Visitor, path: str, body: Any) -> Any:
        who.http.headers["idempotency-key"] = new_key()
        try:
            return await who.api("POST", path, 201, body)
        finally:
            del who.http.headers["idempotency-key"]

    async def report(self, name: str = "sales", query: str = "", who: Visitor | None = None) -> Any:
        desk = "operator" if who is None else "seller"
        return await (who or self.olga).api("GET", f"/{desk}/reports/{name}{query}", 200)

    async def counted(self, **sums: float) -> Any:
        """The sales of all, once they are so."""
        await until(lambda: self._is(sums), 20)
        return await self.report()

    async def _is(self, sums: dict[str, float]) -> bool:
        totals = (await self.report())["totals"]
        return all(totals[name] == value for name, value in sums.items())


async def engine_opened(house: House) -> None:
    """Wait until reports are answered: a ClickHouse that is new makes its tables first."""

    async def is_open() -> bool:
        return house.shop.analytics.keeper.is_open

    await until(is_open, 30)


@asynccontextmanager
async def people_of(opened: Opened, **settings: Any) -> AsyncIterator[Sales]:
    async with opened(**settings) as house:
        await engine_opened(house)
        olga, bob, carl, ann = (
            await house.member(OLGA),
            await house.member(BOB),
            await house.member(CARL),
            await house.member(),
        )
        yield await Sales(house, ann, bob, carl, olga).open()


@pytest.fixture
async def sales(opened: Opened, facts: Facts) -> AsyncIterator[Sales]:
    """With the facts in each engine in turn."""
    async with people_of(opened, **facts.settings) as sales:
        yield sales


@pytest.fixture
async def desk(opened: Opened) -> AsyncIterator[Sales]:
    """With the facts in the shop's folder: for what is the same whatever the engine."""
    async with people_of(opened) as sales:
        yield sales


async def test_what_was_sold_is_reported_to_the_cent_and_to_each_seller_their_own(sales):
    first = await sales.buys(Bob=2, Carl=1)
    second = await sales.buys(Carl=3)
    report = await sales.counted(orders=2)
    totals = report["totals"]
    both = [first, second]
    assert totals["units"] == 6
    assert totals["gross"] == pytest.approx(20 + 4 * 7.49)
    for name in ("discount", "tax", "shipping"):
        assert totals[name] == pytest.approx(sum(order[name] for order in both))
    assert totals["commission"] == pytest.approx(4.99 + 0.01, abs=0.02)
    assert totals["refunds"] == 0
    assert totals["net"] == totals["gross"] - totals["discount"]
    assert [row["day"] for row in report["rows"]] == [str(today())]
    assert {name: report["rows"][0][name] for name in SUMS} == {name: totals[name] for name in SUMS}
    assert report["behind_s"] == 0
    assert report["currency"] == "USD"

    of_bob = (await sales.report(who=sales.bob))["totals"]
    of_carl = (await sales.report(who=sales.carl))["totals"]
    assert (of_bob["orders"], of_bob["units"], of_bob["gross"]) == (1, 2, 20)
    assert (of_carl["orders"], of_carl["units"]) == (2, 4)
    for name in SUMS:
        if name != "orders":
            assert of_bob[name] + of_carl[name] == pytest.approx(totals[name])
    by_seller = {row["seller"]: row for row in (await sales.report(query="?by=seller"))["rows"]}
    assert by_seller[sales.sellers["Bob's"]]["name"] == "Bob's"
    assert by_seller[sales.sellers["Bob's"]]["orders"] == 1
    assert by_seller[sales.sellers["Carl's"]]["gross"] == pytest.approx(4 * 7.49)
    assert [row["seller"] for row in (await sales.report(query="?by=seller", who=sales.bob))["rows"]] == [
        sales.sellers["Bob's"]
    ]


@pytest.fixture
async def sold_by_two(sales):
    """One order: a cup of Bob's, and one of Carl's."""
    await sales.buys(Bob=1, Carl=1)
    await sales.counted(orders=1)
    return sales


@one_scene(("by", "key"), [("category", "cups"), ("country", "US"), ("channel", "api"), ("product", None)])
async def test_sales_are_told_by_what_they_were_of(sold_by_two, by, key):
    rows = (await sold_by_two.report(query=f"?by={by}"))["rows"]
    assert [row["orders"] for row in rows] == ([1, 1] if by == "product" else [1])
    assert key is None or rows[0][by] == key
    if by == "product":
        assert {row["name"] for row in rows} == {"A cup of Bob's", "A cup of Carl's"}
        assert all(row["product"].startswith("prod_") for row in rows)


async def test_what_programs_bought_is_told_from_what_pages_sold(desk):
    await desk.buys(Bob=1)
    await desk.ann.api("POST", "/cart/items", 200, {"offer_id": desk.offers["Carl's"], "quantity": 2})
    page = await desk.ann.page("/checkout")
    sent = {name: re.findall(rf'name="{name}" value="(\w+)"', page)[0] for name in ("address", "method")}
    assert "Thank you" in await desk.ann.send("/checkout", "/checkout", 200, **sent, card="tok_visa")
    await desk.counted(orders=2)
    rows = (await desk.report(query="?by=channel"))["rows"]
    assert {row["channel"]: row["units"] for row in rows} == {"api": 1, "web": 2}


async def test_what_is_paid_back_counts_on_the_day_it_is_paid(sales):
    order = await sales.buys(Bob=2, Carl=1)
    await sales.counted(orders=1)
    bobs = next(line for line in order["lines"] if line["offer_id"] == sales.offers["Bob's"])
    one = {"lines": [{"order_line_id": bobs["order_line_id"], "quantity": 1}]}
    await sales.ann.api("POST", f"/orders/{order['order_id']}/cancel", 200, one)
    report = await sales.counted(cancelled_units=1)
    await until(lambda: sales._is({"net": 17.49}))
    totals = (await sales.report())["totals"]
    assert totals["refunds"] >= 10  # with its tax
    assert totals["refunded_goods"] == 10
    assert (totals["gross"], totals["orders"], totals["units"]) == (27.49, 1, 3)  # as at ordering
    assert (await sales.report(who=sales.carl))["totals"]["refunds"] == 0

    refund = await sales.keyed(
        sales.olga,
        f"/operator/orders/{order['order_id']}/refunds",
        {"amount": 5, "reason": "For the trouble."},
    )
    assert refund["amount"] == 5
    await until(lambda: sales._is({"refunds": totals["refunds"] + 5}))
    await sales.ann.api("POST", f"/orders/{order['order_id']}/cancel", 200, {})
    await until(lambda: sales._is({"refunds": order["total"], "net": 0}))
    assert report["totals"]["cancelled_units"] == 1


async def test_to_is_left_out_and_days_are_those_of_the_time_zone(sales):
    await sales.buys(Bob=1)
    await sales.counted(orders=1)
    tomorrow = today() + timedelta(days=1)
    for query, orders in [
        (f"?from={today()}&to={tomorrow}", 1),
        (f"?from={today()}", 1),
        (f"?to={today()}", 0),
        (f"?from={today() - timedelta(days=7)}&to={today()}", 0),
        (f"?from={tomorrow}", 0),
    ]:
        assert (await sales.report(query=query))["totals"]["orders"] == orders, query
    week = await sales.report(query=f"?from={today() - timedelta(days=6)}&to={tomorrow}")
    assert [row["orders"] for row in week["rows"]] == [0] * 6 + [1]
    hours = await sales.report(query=f"?from={today()}&to={tomorrow}&by=hour")
    assert sum(row["orders"] for row in hours["rows"]) == 1
    assert len(hours["rows"]) == 24
    moved = [
        (await sales.report(query=f"?by=hour&tz={zone}"))["rows"]
        for zone in ("Asia/Kathmandu", "Pacific/Auckland", "America/St_Johns", "UTC")
    ]
    assert all(rows[0]["orders"] == 1 for rows in moved)
    assert len({rows[0]["hour"] for rows in moved}) >= 3
    month = (await sales.report(query="?by=month"))["rows"]
    assert month[0]["month"] == f"{today():%Y-%m}"


async def test_a_period_is_compared_with_the_one_before_and_with_a_year_ago(sales):
    await sales.buys(Bob=1)
    await sales.counted(orders=1)
    query = f"?from={today() - timedelta(days=6)}&to={today() + timedelta(days=1)}"
    before = (await sales.report(query=f"{query}&compare=previous"))["compared"]
    assert (before["from"], before["to"]) == (
        str(today() - timedelta(days=13)),
        str(today() - timedelta(days=6)),
    )
    assert before["totals"]["orders"] == 0
    assert len(before["rows"]) == 7
    year = (await sales.report(query=f"{query}&compare=year"))["compared"]
    assert year["from"][:4] == str((today() - timedelta(days=6)).year - 1)
    assert (await sales.report(query=query))["compared"] is None


@one_scene(
    ("query", "pointer", "nearest"),
    [
        ("?form=2026-01-01", "/form", "from"),
        ("?by=wek", "/by", "week"),
        ("?compare=previus", "/compare", "previous"),
        ("?from=yesterday", "/from", None),
        ("?tz=Europe/Nowhere", "/tz", None),
        ("?from=2026-02-01&to=2026-01-01", "/to", None),
        ("?compare=previous", "/compare", None),
        ("?limit=0", "/limit", None),
    ],
)
async def test_what_is_misspelt_is_refused_with_the_nearest_word(desk, query, pointer, nearest):
    no = await desk.olga.api("GET", f"/operator/reports/sales{query}", 422)
    assert (no["pointer"], no.get("nearest")) == (pointer, nearest)


async def test_a_report_that_there_is_not_is_not_found_and_others_are_for_who_may(desk):
    no = await desk.olga.api("GET", "/operator/reports/sale", 404)
    assert no["nearest"] == "sales"
    await desk.bob.api("GET", "/operator/reports/sales", 403)
    await desk.ann.api("GET", "/seller/reports/sales", 403)
    nobody = await desk.house.visitor()
    await nobody.api("GET", "/operator/reports/sales", 401)


async def test_who_accepts_csv_gets_a_file(desk):
    await desk.buys(Bob=2)
    await desk.counted(orders=1)
    answer = await desk.olga.http.get(
        f"{PREFIX}/operator/reports/sales?by=seller", headers={"accept": "text/csv"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["name"], row["orders"], row["gross"]) == ("Bob's", "1", "20.00")
    assert set(SUMS) <= set(row)
    rather_json = {"accept": "application/json, text/csv;q=0.1"}
    answer = await desk.olga.http.get(f"{PREFIX}/operator/reports/sales", headers=rather_json)
    assert answer.headers["content-type"] == "application/json"


async def broken(db: asyncpg.Pool) -> dict[str, int]:
    async with db.acquire() as connection:
        return {law.law: law.violations for law in await audit(cast(Any, connection), OURS)}


async def test_the_audit_compares_reports_with_the_books(sales, db):
    order = await sales.buys(Bob=2, Carl=1)
    await sales.ann.api("POST", f"/orders/{order['order_id']}/cancel", 200, {})
    await sales.buys(Bob=1)
    await sales.counted(orders=2, refunds=order["total"])
    await sales.house.shop.analytics.keeper.digest()
    assert set((await broken(db)).values()) == {0}
    await db.execute("update payments.entry set at = at - interval '1 day'")
    await db.execute("update orders.orders set placed_at = placed_at - interval '1 day'")
    await db.execute("update orders.history set at = at - interval '1 day'")
    await db.execute("update analytics.day set day = day - 1")
    assert await broken(db) == dict.fromkeys((law.name for law in OURS), 0)
    async with db.acquire() as connection:
        checked = {law.law: law.checked for law in await audit(cast(Any, connection), OURS)}
    assert all(checked.values()), checked
    for column in ("gross", "discount", "tax", "shipping", "commission", "refunds", "orders", "units"):
        await db.execute(f"update analytics.day set {column} = {column} + 1")
        assert any((await broken(db)).values()), column
        await db.execute(f"update analytics.day set {column} = {column} - 1")


async def _shops(sales: Sales) -> Any:
    """Ann searches, looks, and buys; Dan looks from his phone; a robot reads."""
    house = sales.house
    cup = await house.shop.catalog.offers([ids.parse(ids.OfferId, sales.offers["Bob's"])])
    product = next(iter(cup.values())).product_id

    shy = await house.visitor(address="203.0.113.9")
    shy.http.headers["sec-gpc"] = "1"

    async def found() -> bool:
        return (await shy.api("GET", "/search?q=cup", 200))["total"] == 2

    await until(found)
    phone = await house.visitor(agent="Mozilla/5.0 (iPhone; Mobile)", address="203.0.113.7")
    await phone.page(f"/p/{product}")
    await phone.page("/search?q=flying+carpet")
    robot = await house.visitor(agent="Examplebot/1.0", address="203.0.113.8")
    await robot.page(f"/p/{product}")
    await shy.page(f"/p/{product}")
    page = await sales.ann.page("/search?q=Cup")
    assert "mercat-shown" not in page
    answer = await sales.ann.http.get("/search?q=cup")
    assert "mercat-shown" not in answer.headers
    await sales.ann.page(f"/p/{product}")
    await sales.buys(Bob=1)
    await sales.counted(orders=1)
    return product


async def test_what_is_looked_at_is_counted_from_the_search_to_the_order(sales):
    product = await _shops(sales)

    async def told() -> bool:
        funnel = (await sales.report("funnel"))["totals"]
        searches = (await sales.report("searches"))["totals"]
        return funnel["bought"] == 1 and funnel["visits"] == 2 and searches["bought"] == 1

    await until(told, 20)
    funnel = await sales.report("funnel")
    by_step = {row["step"]: row for row in funnel["rows"]}
    assert [by_step[step]["visitors"] for step in by_step] == [2, 2, 1, 1, 1]
    assert (by_step["viewed"]["phone"], by_step["viewed"]["desktop"]) == (1, 1)
    assert by_step["bought"]["rate"] == 0.5
    assert funnel["totals"]["orders"] == 1
    days = (await sales.report("funnel", "?by=day"))["rows"]
    assert (days[-1]["day"], days[-1]["bought"]) == (str(today()), 1)

    searches = {row["words"]: row for row in (await sales.report("searches"))["rows"]}
    assert searches["flying carpet"]["no_result"] == 1
    assert searches["cup"]["no_result"] == 0
    assert (searches["cup"]["clicks"], searches["cup"]["bought"]) == (1, 1)
    assert searches["cup"]["position"] in (1, 2)
    of_bob = {row["words"] for row in (await sales.report("searches", who=sales.bob))["rows"]}
    assert of_bob == {"cup"}

    [row] = [row for row in (await sales.report("products"))["rows"] if row["product_id"] == str(product)]
    assert (row["views"], row["visitors"], row["conversion"]) == (2, 2, 0.5)
    assert (row["units"], row["gross"]) == (1, 10)
    bobs = await sales.report("products", who=sales.bob)
    assert {row["name"] for row in bobs["rows"]} == {"A cup of Bob's"}
    assert (await sales.report("funnel", who=sales.bob))["totals"]["bought"] == 1
    assert (await sales.report("funnel", who=sales.carl))["totals"]["viewed"] == 0


async def test_stock_lasts_as_long_as_it_sells_and_buyers_come_back_by_month(sales):
    await sales.buys(Bob=9, Carl=1)
    await sales.buys(Bob=1)
    await sales.counted(orders=2)
    rows = (await sales.report("stock"))["rows"]
    assert [(row["on_hand"], row["days_left"]) for row in rows] == [(80, 8.0), (89, 89.0)]
    assert rows[0]["sell_through"] == pytest.approx(10 / 90, abs=1e-4)
    assert rows[0]["seller_id"] == sales.sellers["Bob's"]
    [own] = (await sales.report("stock", who=sales.carl))["rows"]
    assert own["name"] == "A cup of Carl's"
    [cohort] = (await sales.report("cohorts"))["rows"]
    assert cohort["cohort"] == f"{today():%Y-%m}"
    assert (cohort["cohort_size"], cohort["buyers"], cohort["retention"]) == (1, 1, 1.0)
    assert cohort["orders"] == 2
    assert cohort["gross"] == pytest.approx(107.49)


async def test_what_lies_on_a_shelf_and_does_not_sell_is_in_the_report_of_stock_too(sales):
    await sales.buys(Bob=1)
    await sales.counted(orders=1)
    sold, unsold = (await sales.report("stock"))["rows"]
    assert (sold["name"], sold["units"]) == ("A cup of Bob's", 1)
    assert unsold["name"] == "A cup of Carl's"
    shown = {"on_hand": 90, "available": 90, "units": 0, "gross": 0, "age_days": 0, "sold_a_day": 0.0}
    assert shown.items() <= unsold.items()
    assert (unsold["days_left"], unsold["sell_through"]) == (None, 0.0)
    assert sold.keys() == unsold.keys()
    totals = (await sales.report("stock"))["totals"]
    assert (totals["on_hand"], totals["units"]) == (179, 1)
    [own] = (await sales.report("stock", who=sales.carl))["rows"]
    assert own["offer_id"] == sales.offers["Carl's"]
    assert len((await sales.report("stock", "?limit=1"))["rows"]) == 1


async def test_a_long_report_stands_on_several_pages(sales, monkeypatch):
    monkeypatch.setattr(report_pages, "_A_PAGE", 1)
    first = await sales.olga.page("/operator/reports/stock?compare=previous")
    assert "1\u20131 of 2" in first
    [following] = re.findall(r'<a rel="next" href="([^"]+)"', first)
    second = await sales.olga.page(following.replace("&amp;", "&"))
    assert "2\u20132 of 2" in second
    names = re.findall(r'<td class="wide"><a[^>]*>([^<]+)', first + second)
    assert sorted(names) == ["A cup of Bob&#39;s", "A cup of Carl&#39;s"]
    assert '<option value="previous" selected>' in second
    assert "2\u20132 of 2" in await sales.olga.page("/operator/reports/stock?page=99")
    cut_off = await sales.olga.page("/operator/reports/stock?limit=2")
    assert "1\u20131 of the first 2; the file may have more" in cut_off
    [file] = re.findall(r"file.csv\?([^\"]+)", cut_off)
    assert parse_qs(unescape(file))["limit"] == [str(ROWS_MAX)]


async def test_figures_of_today_say_so_where_the_newest_that_is_counted_is_of_another_day(desk, monkeypatch):
    keeper: Any = desk.house.shop.analytics.keeper
    assert "Since midnight UTC, up to" in await desk.olga.page("/operator/home")
    standing = await keeper._standing()

    async def stuck() -> Any:
        return standing._replace(oldest=standing.now - timedelta(days=1))

    monkeypatch.setattr(keeper, "_standing", stuck)
    page = await desk.olga.page("/operator/home")
    [day] = re.findall(r'Nothing of today \(UTC\) is counted yet: .* <time datetime="([^T]+)', page)
    assert day == str(today() - timedelta(days=1))
    assert "Since midnight" not in page


async def test_a_report_is_offered_by_what_it_is_made_by_and_keeps_its_days_beside_others(desk):
    page = await desk.olga.page("/operator/reports/stock?from=2026-11-01&tz=Europe/Berlin")
    assert re.findall(
        r'<option value="(\w+)"[^>]*>', page[page.index('id="r-by"') : page.index('id="r-compare"')]
    ) == ["product"]
    assert 'href="/operator/reports/orders?from=2026-11-01&amp;tz=Europe%2FBerlin"' in page


async def test_cohorts_hold_what_was_paid_back_and_count_buyers_beyond_the_rows(sales):
    order = await sales.buys(Bob=1)
    await sales.ann.api("POST", f"/orders/{order['order_id']}/cancel", 200, {})
    await sales.counted(orders=1, refunds=order["total"])
    answer = await sales.report("cohorts")
    [cohort] = answer["rows"]
    assert (cohort["refunds"], cohort["net"]) == (answer["totals"]["refunds"], answer["totals"]["net"])
    assert (cohort["buyers"], answer["totals"]["buyers"]) == (1, 1)


async def test_stock_is_compared_by_what_was_sold_a_day(sales):
    await sales.buys(Bob=2)
    await sales.counted(orders=1)
    day = f"?from={today() + timedelta(days=1)}&to={today() + timedelta(days=2)}&compare=previous"
    [row] = (await sales.report("stock", day))["compared"]["rows"]
    assert row["sold_a_day"] == 2
    assert "days" not in row


@one_scene(
    ("asked", "pointer"),
    [
        ("from=0001-01-01&tz=Asia/Tokyo", "/from"),
        ("from=0001-01-01&compare=year", "/from"),
        ("from=9999-12-01&to=9999-12-31&by=month", "/from"),
        ("to=9999-12-31", "/to"),
        ("tz=localtime", "/tz"),
        ("tz=posix/Europe/Berlin", "/tz"),
    ],
)
async def test_days_and_zones_that_no_shop_has_are_refused_by_name(desk, asked, pointer):
    refused = await desk.olga.http.get(f"/api/v1/operator/reports/sales?{asked}")
    assert (refused.status_code, refused.json()["pointer"]) == (422, pointer)


@pytest.fixture
async def sold(sales):
    """One cup of Bob's."""
    await sales.buys(Bob=1)
    await sales.counted(orders=1)
    return sales


@one_scene("name", ["sales", "orders", "products", "searches", "funnel", "cohorts", "stock"])
async def test_every_report_holds_the_same_sums_and_is_a_file_too(sold, name):
    for who in (None, sold.bob):
        report = await sold.report(name, who=who)
        assert {each: report["totals"][each] for each in ("orders", "units", "gross")} == {
            "orders": 1,
            "units": 1,
            "gross": 10,
        }
        assert set(SUMS) <= set(report["totals"])
        desk = "operator" if who is None else "seller"
        answer = await (who or sold.olga).http.get(
            f"{PREFIX}/{desk}/reports/{name}", headers={"accept": "text/csv"}
        )
        assert answer.headers["content-type"].startswith("text/csv")


async def test_facts_are_read_anew_from_who_owns_them(sales):
    order = await sales.buys(Bob=2, Carl=1)
    await sales.ann.api("POST", f"/orders/{order['order_id']}/cancel", 200, {})
    await sales.counted(orders=1, refunds=order["total"])
    assert [row["channel"] for row in (await sales.report(query="?by=channel"))["rows"]] == ["api"]
    before = await sales.report(query="?by=seller")
    rebuilt = await sales.house.shop.analytics.rebuild()
    assert rebuilt.orders == 1
    after = await sales.report(query="?by=seller")
    assert (after["rows"], after["totals"]) == (before["rows"], before["totals"])
    await sales.buys(Carl=1)
    assert (await sales.counted(orders=2))["totals"]["units"] == 4


async def test_a_first_reading_that_fails_is_tried_again_and_until_then_nothing_is_answered(desk, tmp_path):
    await desk.buys(Bob=2)
    await desk.counted(orders=1)
    first: Any = desk.house.shop.analytics.keeper
    sources = first._sources

    class Away:
        def __getattr__(self, name):
            raise ConnectionResetError

    settings = replace(desk.house.shop.settings, data=tmp_path / "elsewhere")
    keeper: Any = Keeper(
        first._db, settings, sources._replace(orders=Away()), first._standing, first._open_engine
    )
    ask = ReportAsk(name="sales")
    with pytest.raises(ConnectionResetError):
        await keeper.open()
    assert not keeper.is_open
    with pytest.raises(EngineAway):
        await keeper.report(ask)
    keeper._sources = sources
    await keeper.open()
    assert (await keeper.report(ask)).totals == (await first.report(ask)).totals
    await keeper.close()
    opened = f"import duckdb; duckdb.connect({str(settings.data / 'analytics' / FILE)!r})"
    another = await asyncio.create_subprocess_exec(sys.executable, "-c", opened)
    assert await another.wait() == 0  # it was let go
