"""`MERCAT_SEARCH_SOLD_OUT`: where products go that are sold out."""

import pytest
from search_products import product, put

from mercat.search import Search, SearchQuery

SHELF = [
    product(
        n, "Green tea", in_stock=n % 3 != 0, category="tea", categories=["drinks"], brand="Acme", rating=n / 5
    )
    for n in range(1, 25)
]
SOLD_OUT = {n for n in range(1, 25) if n % 3 == 0}


@pytest.fixture
def shop(where, tmp_path):
    put(where, SHELF)
    return lambda setting: Search(tmp_path, sold_out=setting, store=where)


async def numbers(search, **more):
    found = await search.find(SearchQuery(**{"q": "tea", "limit": 100, **more}))
    assert found.total == len(found.results)
    return [int(card.product_id) for card in found.cards()]


async def test_among_others_they_stay_where_they_are(shop):
    search = shop("among_others")
    assert set(await numbers(search)) == set(range(1, 25))
    assert await numbers(search, sort="rating") == list(range(24, 0, -1))
    assert await search.category_counts() == {"tea": 24, "drinks": 24}


async def test_last_they_come_after_all_others_by_relevance(shop):
    order = await numbers(shop("last"))
    assert set(order[-8:]) == SOLD_OUT
    assert len(order) == 24
    assert order[:16] == [n for n in await numbers(shop("among_others")) if n not in SOLD_OUT]
    paged = []
    for page in range(1, 6):
        found = await shop("last").find(SearchQuery(q="tea", page=page, limit=5))
        paged += [int(card.product_id) for card in found.cards()]
    assert paged == order
    assert await numbers(shop("last"), sort="rating") == list(range(24, 0, -1)), (
        "other sorts keep their order"
    )


@pytest.mark.parametrize("q", ["tea", ""])
async def test_hidden_they_are_found_by_asking_for_them_only(shop, q):
    search = shop("hidden")
    assert not set(await numbers(search, q=q)) & SOLD_OUT
    assert set(await numbers(search, q=q, in_stock=False)) == SOLD_OUT
    assert await search.category_counts() == {"tea": 16, "drinks": 16}
    facets = (await search.find(SearchQuery(q=q))).facets
    assert [(each.value, each.count) for each in facets.brands] == [("Acme", 16)]
    assert {each.count for each in facets.categories} == {16}
    assert sum(each.count for each in facets.price_ranges) == 16
