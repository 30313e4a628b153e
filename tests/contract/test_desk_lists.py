"""Lists on the desks: tabs with counts, filters, headings that sort, pages by key, and a file of all rows."""

import csv
import io
import re
from typing import Any

import pytest
from house import House, Visitor
from house import house as house
from house import opened as opened
from journeys.people import HOME, new_key, until
from one_scene import one_scene

from mercat import ids
from mercat.search import Rule
from mercat.web.operator import money, parked, search_rules

OLGA = {"email": "olga@example.com", "password": "a desk of one's own", "name": "Olga"}
BOB = {"email": "bob@example.com", "password": "battery staple", "name": "Bob"}
CASE = """
insert into payments.matter (case_id, provider, kind, subject, order_id, ours, theirs, currency, detail,
    opened_at, seen_at, resolved_at, resolved_by, note)
select i, 'sandbox', (array['amount_differs', 'refund_failed'])[1 + i % 2], 'subject ' || i, null,
    i * 7 % 100, 0, 'USD', '', now(), now(), case when i > 120 then now() end, 'Olga', 'Done.'
from generate_series(1, 130) i
"""
PARKED = """
insert into checkout.undoing (reference, order_id, record, lease_until, tries, parked, begun_at)
select (array['cancel', 'ship', 'ask-return', 'receive-return'])[1 + i % 4] || '/' || i, 5, '{}',
    now(), i % 7, 'broken ' || i, now() - i * interval '1 minute'
from generate_series(1, 120) i
"""


async def operator(house: House) -> Visitor:
    olga = await house.member(OLGA)
    await house.shop.accounts.set_operator(OLGA["email"], given=True)
    return olga


async def file(visitor: Visitor, path: str) -> list[dict[str, str]]:
    answer = await visitor.http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(answer.text)))


async def walked(visitor: Visitor, path: str, row: str) -> list[str]:
    """What stands in the rows of all pages of a table, as the link to the next one leads."""
    found: list[str] = []
    while path:
        page = await visitor.page(path)
        found += re.findall(row, page)
        more = re.search(r'<a class="button" href="([^"]+)">More</a>', page)
        path = more[1].replace("&amp;", "&") if more else ""
    return found


# -- money cases


async def test_cases_have_tabs_with_counts_and_go_on_page_by_page(house, db):
    olga = await operator(house)
    await db.execute(CASE)
    page = await olga.page("/operator/money")
    assert re.search(r">Open&nbsp;<span[^>]*>120<", page)
    assert re.search(r">Resolved&nbsp;<span[^>]*>10<", page)
    subjects = await walked(olga, "/operator/money", r"subject (\d+)<")
    assert [int(each) for each in subjects] == list(range(120, 0, -1))
    resolved = await walked(olga, "/operator/money?show=resolved", r"subject (\d+)<")
    assert [int(each) for each in resolved] == list(range(130, 120, -1))


@pytest.fixture
async def with_cases(house, db):
    """An operator with differences to look at."""
    await db.execute(CASE)
    return await operator(house)


@one_scene("sort", ["opened", "-difference", "difference", "kind", "-kind"])
async def test_each_heading_sorts_the_whole_list_and_the_file_alike(with_cases, sort):
    olga = with_cases
    rows = await file(olga, f"/operator/money.csv?sort={sort}")
    listed = await walked(olga, f"/operator/money?sort={sort}", r"subject (\d+)<")
    assert [each["subject"].removeprefix("subject ") for each in rows] == listed
    assert sorted(map(int, listed)) == list(range(1, 121))
    key: Any = {
        "opened": lambda each: int(each["subject"].split()[1]),
        "difference": lambda each: abs(float(each["ours"])),
        "kind": lambda each: list(money.KINDS).index(each["kind"]),
    }[sort.removeprefix("-")]
    keys = [key(each) for each in rows]
    assert keys == sorted(keys, reverse=sort.startswith("-"))


async def test_a_heading_leads_to_its_order_and_then_to_the_other(house, db):
    olga = await operator(house)
    await db.execute(CASE)
    page = await olga.page("/operator/money?kind=refund_failed&sort=-difference")
    other = "/operator/money?kind=refund_failed&amp;sort=difference"
    assert f'<th scope="col" class="end" aria-sort="descending"><a href="{other}">' in page
    assert '<th scope="col"><a href="/operator/money?kind=refund_failed">Opened' in page
    assert "amount_differs" not in str(await file(olga, "/operator/money.csv?kind=refund_failed"))
    assert len(await file(olga, "/operator/money.csv?kind=refund_failed")) == 60


# -- what is parked


async def test_parked_work_is_listed_whole_by_kind_and_order(house, db):
    olga = await operator(house)
    await db.execute(PARKED)
    page = await olga.page("/operator/parked")
    for words, number in (("All", 120), ("Returns", 60), ("Parcels", 30), ("Cancellations", 30)):
        assert re.search(rf">{words}&nbsp;<span[^>]*>{number}<", page), words
    oldest = await walked(olga, "/operator/parked", r"broken (\d+)<")
    assert [int(each) for each in oldest] == list(range(120, 0, -1))
    by_tries = await file(olga, "/operator/parked.csv?sort=-tries")
    tries = [int(each["tries"]) for each in by_tries]
    assert (len(tries), tries) == (120, sorted(tries, reverse=True))
    back = await walked(olga, "/operator/parked?kind=return&sort=tries", r"broken (\d+)<")
    assert len(set(back)) == 60
    assert "Nothing matches" in await olga.page("/operator/parked?kind=refund")
    assert "broken" in await olga.page("/operator/parked?after=nonsense")


async def test_a_page_goes_on_though_its_last_row_was_taken_up_meanwhile(house, db):
    olga = await operator(house)
    await db.execute(PARKED)
    first = await house.shop.checkout.parked(limit=50)
    await db.execute("delete from checkout.undoing where reference = $1", first[-1].reference)
    second = await house.shop.checkout.parked(after=first[-1].cursor, limit=200)
    assert len({each.reference for each in [*first, *second]}) == 120
    assert "Retry" in await olga.page("/operator/parked")


# -- a seller's orders


async def test_a_seller_stays_on_the_list_that_a_parcel_was_packed_on(house):
    bob, ann = await house.member(BOB), await house.member()
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    cup = {"title": "A cup", "description": "", "category": "cups", "price": 10, "currency": "USD"}
    cup = await bob.api("POST", "/seller/products", 201, cup | {"quantity": 9})
    await ann.api("POST", "/cart/items", 200, {"offer_id": cup["offer_id"], "quantity": 2})
    card = await ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"})
    way = {
        "shipping_address_id": (await ann.api("POST", "/addresses", 201, HOME))["address_id"],
        "payment_method_id": card["payment_method_id"],
        "shipping_method": "standard",
    }
    ann.http.headers["idempotency-key"] = new_key()
    order_id = (await ann.api("POST", "/orders/checkout", 201, way))["order_id"]

    async def there() -> bool:
        return bool((await bob.api("GET", "/seller/orders", 200))["orders"])

    await until(there)
    here, ship = "/desk/orders?q=cup&sort=promised", f"/desk/orders/{order_id}/ship"
    [line] = re.findall(r'name="(q-[^"]+)"', await bob.page(here))
    page = await bob.send(here, ship, 422, carrier="UPS", **{line: "1"})
    assert 'value="cup"' in page
    assert 'value="UPS"' in page
    page = await bob.send(here, ship, carrier="UPS", tracking_number="1Z", **{line: "1"})
    assert "Shipped. The buyer sees" in page
    assert 'value="cup"' in page


# -- changes of search rules


async def test_changes_of_rules_are_listed_whole_filtered_and_sent_as_a_file(house):
    olga = await operator(house)
    search, caller = house.shop.search, await house.shop.accounts.who(olga.http.cookies["mercat_session"])
    assert caller
    for n in range(60):
        rule = await search.add_rule(caller, Rule(kind="synonym", words=f"tea {n}", other="chai"))
        if n % 2:
            await search.remove_rule(caller, rule.rule_id)
    at = "/operator/search/changes"
    assert "All changes" in await olga.page("/operator/search")
    page = await olga.page(at)
    for words, number in (("All", 90), ("Added", 60), ("Removed", 30)):
        assert re.search(rf">{words}&nbsp;<span[^>]*>{number}<", page), words
    assert len(await walked(olga, at, r"“tea \d+”")) == 90
    assert len(await walked(olga, f"{at}?what=removed", r"“tea \d+”")) == 30
    assert len(await file(olga, "/operator/search/changes.csv")) == 90
    oldest = await file(olga, "/operator/search/changes.csv?sort=when&what=added")
    assert [each["words"] for each in oldest] == [f"tea {n}" for n in range(60)]
    assert {each["words"] for each in await file(olga, "/operator/search/changes.csv?q=TEA 7")} == {"tea 7"}
    assert len(await file(olga, "/operator/search/changes.csv?q=olga&kind=synonym")) == 90
    assert "Nothing matches" in await olga.page(f"{at}?kind=pin")


# -- a seller's orders


@pytest.fixture
async def sold(house: House) -> tuple[Visitor, list[dict[str, Any]]]:
    """Bob has sold three cups to Ann: one packed and delivered, one under way, one to pack."""
    bob, ann = await house.member(BOB), await house.member()
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    orders: list[dict[str, Any]] = []
    home = await ann.api("POST", "/addresses", 201, HOME)
    card = await ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"})
    for title in ("A red cup", "A blue cup", "A white cup"):
        cup = {
            "title": title,
            "description": "",
            "category": "cups",
            "price": 5,
            "currency": "USD",
            "quantity": 2,
        }
        made = await bob.api("POST", "/seller/products", 201, cup)
        await ann.api("POST", "/cart/items", 200, {"offer_id": made["offer_id"], "quantity": 1})
        ann.http.headers["idempotency-key"] = new_key()
        way = {
            "shipping_address_id": home["address_id"],
            "payment_method_id": card["payment_method_id"],
            "shipping_method": "standard",
        }
        bought = await ann.api("POST", "/orders/checkout", 201, way)
        orders.append(await ann.api("GET", f"/orders/{bought['order_id']}", 200))

    async def there() -> bool:
        return len((await bob.api("GET", "/seller/orders", 200))["orders"]) == 3

    await until(there)
    listed = (await bob.api("GET", "/seller/orders", 200))["orders"]
    assert sorted(each["number"] for each in listed) == sorted(each["number"] for each in orders)
    for n, order in enumerate(orders[:2]):
        line = order["lines"][0]["order_line_id"]
        parcel = {
            "order_id": order["order_id"],
            "lines": [{"order_line_id": line, "quantity": 1}],
            "carrier": "Post",
            "tracking_number": f"TRACK-{n}",
        }
        shipment = await bob.api("POST", "/seller/shipments", 201, parcel)
        if not n:
            at = f"/seller/shipments/{shipment['shipment_id']}/events"
            await bob.api("POST", at, 201, {"status": "delivered"})
    return bob, orders


async def test_a_sellers_orders_have_tabs_with_counts(sold):
    bob, _ = sold
    titles = r"A \w+ cup(?=</span>)"
    page = await bob.page("/desk/orders")
    for words, number in (("To pack", 1), ("Shipped", 1), ("Returns", 0), ("Done", 1), ("All", 3)):
        assert re.search(rf">{words}&nbsp;<span[^>]*>{number}<", page), words
    assert set(re.findall(titles, page)) == {"A white cup"}
    for tab, title in (("shipped", "A blue cup"), ("done", "A red cup"), ("to_ship", "A white cup")):
        assert set(re.findall(titles, await bob.page(f"/desk/orders?status={tab}"))) == {title}
    assert 'href="/desk/returns"' in page


async def test_a_sellers_orders_are_found_sorted_and_sent_as_a_file(sold):
    bob, orders = sold

    async def found(q: str) -> list[str]:
        rows = await bob.http.get("/desk/orders.csv", params={"status": "all", "q": q})
        return [each["title"] for each in csv.DictReader(io.StringIO(rows.text))]

    assert await found("BLUE") == ["A blue cup"]
    assert await found("track-0") == ["A red cup"]
    assert await found(orders[2]["number"]) == ["A white cup"]
    assert await found(orders[1]["order_id"]) == ["A blue cup"]
    assert len(await found("ann port")) == 3
    assert await found("%") == []
    assert [each["title"] for each in await file(bob, "/desk/orders.csv?status=all&sort=placed")] == [
        "A red cup",
        "A blue cup",
        "A white cup",
    ]
    for sort in ("promised", "-promised"):
        assert len(await file(bob, f"/desk/orders.csv?status=all&sort={sort}")) == 3
    assert "Nothing matches" in await bob.page("/desk/orders?q=nothing")


async def test_every_order_comes_once_however_it_is_sorted_and_paged(house, sold):
    bob, orders = sold
    seller_id = ids.parse(ids.SellerId, orders[0]["parts"][0]["seller"]["seller_id"])
    for sort in ("-placed", "placed", "promised", "-promised"):
        seen: list[str] = []
        after = None
        while page := await house.shop.fulfilment.orders_of_seller(seller_id, None, after, 1, "", sort):
            seen += [str(each.order_id) for each in page]
            after = page[-1].order_id
        assert sorted(seen) == sorted(each["order_id"] for each in orders), sort
    assert bob


async def test_a_file_has_more_rows_than_a_page_and_no_formula(house, db):
    bob = await house.member(BOB)
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    cup = {
        "title": "=1+1",
        "description": "",
        "category": "cups",
        "price": 5,
        "currency": "USD",
        "quantity": 2,
    }
    made = await bob.api("POST", "/seller/products", 201, cup)
    offer = ids.parse(ids.OfferId, made["offer_id"])
    await db.execute(
        "insert into catalog.sku (sku_id, product_id, key) "
        "select sku_id + i, product_id, 'k' || i from catalog.sku, generate_series(1, 1200) i"
    )
    await db.execute(
        "insert into catalog.offer (offer_id, sku_id, product_id, seller_id, seller_name, price, currency, "
        "status) select o.offer_id - i, o.sku_id + i, product_id, seller_id, seller_name, 10 + i % 9, "
        "currency, 'active' from catalog.offer o, generate_series(1, 1200) i where offer_id = $1",
        offer,
    )
    for sort in ("newest", "cheapest", "dearest"):
        rows = await file(bob, f"/desk/products.csv?sort={sort}")
        assert len({each["offer_id"] for each in rows}) == len(rows) == 1_201
    assert rows[0]["title"] == "'=1+1"


def test_every_kind_has_words():
    assert set(parked.KINDS) == {"buy", "cancel", "refund", "return", "ship"}
    assert set(search_rules.KINDS) == {"pin", "boost", "synonym"}
