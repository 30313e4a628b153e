"""What a seller is about to run out of: by a mark that they set for each offer."""

import csv
import io

import pytest
from house import ANN, House, Visitor
from house import house as house
from house import opened as opened
from journeys.people import until
from one_scene import one_scene

from mercat import ids
from mercat.ids import OfferId, SellerId

CUP = {"description": "", "category": "cups", "price": 5, "currency": "USD"}
LOW = "/seller/low-stock"


@pytest.fixture
async def bob(house: House) -> Visitor:
    bob = await house.member()
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    return bob


async def listed(bob: Visitor, title: str, quantity: int) -> str:
    made = await bob.api("POST", "/seller/products", 201, {"title": title, "quantity": quantity, **CUP})
    offer_id = made["offer_id"]

    async def there() -> bool:
        answer = await bob.http.get(f"/api/v1/seller/stock/{offer_id}")
        return answer.status_code == 200 and answer.json()["quantity"] == quantity

    await until(there)
    return offer_id


async def low(visitor: Visitor, query: str = "") -> list[tuple[str, int, int, bool]]:
    said = await visitor.api("GET", f"{LOW}{query}", 200)
    return [(each["title"], each["available"], each["low_mark"], each["low"]) for each in said["offers"]]


async def test_what_is_at_its_mark_or_below_is_low_five_at_first(bob):
    await listed(bob, "Six", 6)
    five, none = await listed(bob, "Five", 5), await listed(bob, "None", 0)
    assert await low(bob) == [("None", 0, 5, True), ("Five", 5, 5, True)]
    assert (await bob.api("GET", f"/seller/stock/{five}", 200))["low_mark"] == 5
    shown = await bob.api("PUT", f"/seller/stock/{five}/low-mark", 200, {"low_mark": 4})
    assert (shown["low_mark"], shown["available"]) == (4, 5)
    await bob.api("PUT", f"/seller/stock/{none}/low-mark", 200, {"low_mark": 0})
    assert await low(bob) == [("None", 0, 0, True)]
    assert len(await low(bob, "?which=every")) == 3


async def test_counting_the_shelf_takes_it_off_the_list(bob):
    offer_id = await listed(bob, "Few", 2)
    version = (await bob.http.get(f"/api/v1/seller/stock/{offer_id}")).headers["etag"]
    bob.http.headers["if-match"] = version
    assert (await bob.api("PUT", f"/seller/stock/{offer_id}", 200, {"quantity": 9}))["low_mark"] == 5
    assert await low(bob) == []


@one_scene("mark", [-1, 10_000_001, 1.5, "many"])
async def test_a_mark_is_a_number_that_a_shelf_can_have(bob, mark):
    offer_id = await listed(bob, "Cup", 1)
    said = await bob.api("PUT", f"/seller/stock/{offer_id}/low-mark", 422, {"low_mark": mark})
    assert said["pointer"] == "/low_mark"


async def test_nobody_sets_or_sees_anothers_mark(house, bob):
    offer_id = await listed(bob, "Cup", 1)
    eve = await house.member({**ANN, "email": "eve@example.com"})
    await eve.api("PUT", f"/seller/stock/{offer_id}/low-mark", 403, {"low_mark": 1})
    await eve.api("POST", "/sellers", 201, {"name": "Eve's"})
    await eve.api("PUT", f"/seller/stock/{offer_id}/low-mark", 404, {"low_mark": 1})
    assert await low(eve) == []


async def test_every_shelf_comes_once_however_it_is_sorted_and_paged(house, bob):
    for n in range(6):
        await listed(bob, f"Cup {n}", n % 3)
    me = await house.shop.accounts.who(bob.http.cookies["mercat_session"])
    assert me
    seller_id: SellerId = me.seller_id
    for sort in ("available", "-available", "-listed", "listed"):
        seen: list[OfferId] = []
        levels: list[int] = []
        after = None
        while page := await house.shop.inventory.shelves(seller_id, True, sort, after, 2):
            seen += [each.offer_id for each in page]
            levels += [each.available for each in page]
            after = page[-1].offer_id
        assert len(set(seen)) == len(seen) == 6, sort
        if sort.endswith("available"):
            assert levels == sorted(levels, reverse=sort.startswith("-"))
    first = await bob.api("GET", f"{LOW}?limit=4", 200)
    rest = await bob.api("GET", f"{LOW}?limit=4&cursor={first['next_cursor']}", 200)
    assert len({each["offer_id"] for each in [*first["offers"], *rest["offers"]]}) == 6


async def test_what_is_archived_is_not_low(bob):
    made = await bob.api("POST", "/seller/products", 201, {"title": "Gone", "quantity": 1, **CUP})
    await bob.api("DELETE", f"/seller/products/{made['product_id']}", 200)
    assert await low(bob) == []


async def test_the_page_lists_them_sets_marks_and_sends_a_file(bob):
    assert "Nothing is low" in await bob.page("/desk/low-stock")
    offer_id = await listed(bob, "L" * 300, 1)
    at = f"/desk/low-stock/{offer_id}"
    assert "The mark is set" in await bob.send("/desk/low-stock", at, low_mark="0")
    assert "Nothing is low" in await bob.page("/desk/low-stock")
    page = await bob.send("/desk/low-stock?which=every", at, 422, low_mark="-1")
    assert 'role="alert"' in page
    rows = await bob.http.get("/desk/low-stock.csv?which=every")
    [row] = list(csv.DictReader(io.StringIO(rows.text)))
    assert (row["available"], row["low_mark"], row["offer_id"]) == ("1", "0", offer_id)
    assert ids.parse(OfferId, offer_id)


async def test_a_wrong_mark_is_refused_where_its_seller_was(bob):
    offer_id = await listed(bob, "Plenty", 50)
    every = "/desk/low-stock?which=every"
    page = await bob.send(every, f"/desk/low-stock/{offer_id}", 422, low_mark="-1")
    assert "Plenty" in page
    assert 'value="-1"' in page
    page = await bob.send(every, f"/desk/low-stock/{offer_id}", 200, low_mark="60")
    assert "Plenty" in page
