"""Documents of many products by one plan, and what an import notes of a change: as one by one."""

import random
from datetime import timedelta

from mercat.kit import clock

PRODUCTS = 120
STATUSES = ["active", "active", "paused", "draft", "archived"]
AS_ONE_BY_ONE = """
select p.product_id, o.offer_id, catalog.price_at(o, $1) as price, catalog.was_price_at(o, $1) as was_price,
    catalog.coming_prices(p.product_id, $1)::text as coming_prices, catalog.codes(p.product_id) as codes
from catalog.product p cross join lateral catalog.featured(p.product_id, $1) o where o.offer_id is not null
order by p.product_id
"""
TOGETHER = """
select d.product_id, (d.document ->> 'offer_id')::bigint as offer_id,
    (d.document ->> 'price')::bigint as price, (d.document ->> 'was_price')::bigint as was_price,
    (d.document -> 'coming_prices')::text as coming_prices,
    array(select jsonb_array_elements_text(d.document -> 'codes')) as codes
from catalog.documents($2, $1) d order by d.product_id
"""
PRODUCT_PAIRS = """
select catalog.differing(a, b) as noted, catalog.differing(to_jsonb(a) - '{product_id,seller_id,external_id,
    rating_version,content,version,created_at,changed_at,hidden_at,hidden_because}'::text[], to_jsonb(b))
    as differing
from catalog.product a join catalog.product b on b.product_id in (a.product_id + 1, a.product_id + 7)
"""
OFFER_PAIRS = """
select catalog.differing(a, b) as noted,
    catalog.differing(catalog.undoable(a), catalog.undoable(b)) as differing
from catalog.offer a join catalog.offer b on abs(b.offer_id - a.offer_id) < 30
"""
ADD_PRODUCT = """
insert into catalog.product (product_id, seller_id, title, description, category_id, brand, attributes, tags,
    created_at, hidden_at) values ($1, 1, $2, $3, 0, $4, $5, $6, now(), $7)
"""
ADD_SKU = "insert into catalog.sku (sku_id, product_id, key, place, gtin) values ($1, $2, $3, $4, $5)"
ADD_OFFER = """
insert into catalog.offer (offer_id, sku_id, product_id, seller_id, seller_name, price, compare_at_price,
    sale_price, sale_from, sale_until, currency, sku, status, in_stock)
values ($1, $2, $3, $4, 'Elm', $5, $6, $7, $8, $9, 'USD', $10, $11, $12)
"""


async def goods(db, seed: int) -> None:
    """Fill the catalogue with products whose offers are in every state."""
    some, now = random.Random(seed), clock.now()
    await db.execute("insert into catalog.seller values (1, 1, true), (2, 1, false)")
    for product in range(1, PRODUCTS + 1):
        alike = some.choice(["", "x"])
        brand, attributes = some.choice([None, "Elm"]), some.choice(["{}", '{"a": 1}'])
        hidden = some.choice([None, None, None, now])
        title = f"Cup{alike}"
        await db.execute(ADD_PRODUCT, product, title, alike, brand, attributes, [alike], hidden)
        for n in range(some.randrange(4)):
            sku = product * 10 + n
            key, gtin = some.choice([f"k{n}", f"~{n}", f"Size={n}"]), some.choice([None, "123", f"g{n}"])
            await db.execute(ADD_SKU, sku, product, key, n, gtin)
            for seller in some.sample([1, 2, 3], some.randrange(1, 4)):
                begins = some.choice([None, now - timedelta(hours=1), now + timedelta(hours=1)])
                prices = (
                    some.choice([100, 200]),
                    some.choice([None, 150, 300]),
                    some.choice([None, None, 80]),
                )
                times = (begins, some.choice([None, now + timedelta(hours=2)]))
                states = (some.choice([None, f"s{sku}"]), some.choice(STATUSES), some.random() < 0.6)
                await db.execute(ADD_OFFER, sku * 10 + seller, sku, product, seller, *prices, *times, *states)


async def test_documents_of_many_products_are_those_of_each(db):
    await goods(db, 7)
    now = clock.now()
    for at in (now, now + timedelta(minutes=90), now + timedelta(hours=3)):
        one_by_one = await db.fetch(AS_ONE_BY_ONE, at)
        together = await db.fetch(TOGETHER, at, list(range(PRODUCTS + 10)))
        assert [tuple(row) for row in together] == [tuple(row) for row in one_by_one]
        assert 20 < len(together) < PRODUCTS, "some are for sale, and some are not"


async def test_what_an_import_notes_of_a_change_is_all_that_differs(db):
    await goods(db, 8)
    for pairs in (PRODUCT_PAIRS, OFFER_PAIRS):
        found = await db.fetch(pairs)
        assert [row["noted"] for row in found] == [row["differing"] for row in found]
        assert len({row["noted"] for row in found}) > 5
