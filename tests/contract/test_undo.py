"""An import can be undone: what it changed stands as before, where nobody has changed it since."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest
from contract.test_seller_imports import PATH, counts, sends
from journeys.people import until

from mercat.catalog import ImportBatch, ImportRow, ImportVariant, SalePrice
from mercat.ids import ImportId, ProductId, parse
from mercat.web.exported.products import taken_out
from mercat.web.routes import PREFIX

FIRST = """external_id,sku,option.Size,title,price,quantity,category,description,tags,status,gtin
tee,T-S,S,Tee,10,5,Kitchen,Soft,"a, b",active,4006381333931
tee,T-M,M,,12,6,,,,active,
mug,,,Mug,4,7,Cups,,,active,
jar,,,Jar,3,,Tea,,,draft,
"""
SECOND = """external_id,sku,option.Size,title,price,quantity,category,description,tags,status,gtin
tee,T-S,S,Shirt,11,50,Cups,Hard,c,paused,
tee,T-M,M,,13,60,,,,paused,
tee,T-L,L,,14,9,,,,active,
mug,,,Mug,5,70,Cups,,,active,
jar,,,Jar,3.5,2,Tea,,,active,
pan,,,Pan,30,3,Kitchen,,,active,
"""


async def state(people):
    """All that a seller has, by title of the external id."""
    seller_id = (await people.shop.sellers.sellers())[0].seller_id
    return {
        product.external_id: (product, sorted(units.items()))
        async for product, units in taken_out(people.shop, seller_id)
    }


async def undone(people, import_id):
    answer = await people.seller.post(f"{PATH}/{import_id}/undo")
    assert answer.status_code == 202, answer.text
    found = {}

    async def ended():
        found.update((await people.seller.get(f"{PATH}/{import_id}")).json())
        return found["status"] == "undone"

    await until(ended, within=60)
    return found["undone"]


async def test_what_an_import_changed_stands_as_before(people):
    await sends(people, FIRST)
    before = await state(people)
    report = await sends(people, SECOND)
    assert counts(report) == [6, 1, 3, 0, 0], report
    changed = await state(people)
    assert changed != before
    said = await undone(people, report["import_id"])
    assert said["changed_since"] == 0
    assert await state(people) == before
    assert await undone(people, report["import_id"]) == said
    page = await people.seller.get(f"/desk/upload/{report['import_id']}")
    assert "stand as before" in page.text
    # What was added is archived; the same file again makes all of it again.
    listed = (await people.seller.get(f"{PREFIX}/seller/products?limit=100")).json()["products"]
    assert {each["title"] for each in listed} == {"Tee", "Mug", "Jar"}
    again = await sends(people, SECOND)
    assert again["refused"] == 0
    now = await state(people)
    assert {name: [each.price for each in product.variants] for name, (product, _) in now.items()} == {
        name: [each.price for each in product.variants] for name, (product, _) in changed.items()
    }


async def test_what_was_changed_since_stays(people):
    await sends(people, FIRST)
    before = await state(people)
    report = await sends(people, SECOND)
    product, _ = (await state(people))["tee"]
    mug, _ = (await state(people))["mug"]
    path = f"{PREFIX}/seller/products/{product.product_id}"
    assert (await people.seller.patch(path, json={"title": "Blouse"})).status_code == 200
    offer = mug.variants[0].offer_id
    assert (
        await people.seller.patch(f"{PREFIX}/seller/offers/{offer}", json={"price": 6})
    ).status_code == 200
    stock = await people.seller.get(f"{PREFIX}/seller/stock/{offer}")
    counted = await people.seller.put(
        f"{PREFIX}/seller/stock/{offer}", json={"quantity": 71}, headers={"if-match": stock.headers["etag"]}
    )
    assert counted.status_code == 200
    said = await undone(people, report["import_id"])
    assert said["changed_since"] == 3
    now = await state(people)
    assert (now["tee"][0].title, now["tee"][0].description) == ("Blouse", before["tee"][0].description)
    assert now["tee"][0].variants == before["tee"][0].variants
    assert now["mug"][0].variants[0].price == 600
    assert now["mug"][1] == [(offer, 71)]
    assert now["jar"] == before["jar"]


SALES = """external_id,title,price,sale_price,sale_from,sale_until,quantity
mug,Mug,4,3,2026-01-01T00:00Z,2199-01-01T00:00Z,7
jar,Jar,3,,,,5
"""
OTHER_SALES = """external_id,price,sale_price,sale_until
mug,5,4.5,2198-01-01T00:00Z
jar,3.5,2,
"""


def _prices(state, name):
    [only] = state[name][0].variants
    return only.price, only.sale


WITH_TEXTS = """external_id,price,sale_price,sale_until,description
mug,5,4.5,2198-01-01T00:00Z,Hard
jar,3.5,2,,Soft
"""


@pytest.mark.parametrize("file", [OTHER_SALES, WITH_TEXTS])
async def test_a_sale_is_put_back_whole(people, file):
    """Whether prices alone are written or products."""
    await sends(people, SALES)
    before = await state(people)
    report = await sends(people, file)
    assert counts(report) == [2, 0, 2, 0, 0], report
    ends = datetime(2198, 1, 1, tzinfo=UTC)
    now = await state(people)
    assert _prices(now, "mug") == (500, SalePrice(price=450, ends_at=ends))
    assert _prices(now, "jar") == (350, SalePrice(price=200))
    assert (await undone(people, report["import_id"]))["changed_since"] == 0
    assert await state(people) == before


async def test_a_sale_that_somebody_changed_since_stays_whole(people):
    await sends(people, SALES)
    report = await sends(people, OTHER_SALES)
    [mug] = (await state(people))["mug"][0].variants
    sale = {"price": 4.5, "until": "2025-01-01T00:00:00Z"}
    path = f"{PREFIX}/seller/offers/{mug.offer_id}"
    assert (await people.seller.patch(path, json={"sale": sale})).status_code == 200
    assert (await undone(people, report["import_id"]))["changed_since"] == 1
    ended = SalePrice(price=450, ends_at=datetime(2025, 1, 1, tzinfo=UTC))
    now = await state(people)
    assert _prices(now, "mug") == (400, ended)
    assert _prices(now, "jar") == (300, None)


async def test_the_own_sale_is_put_back_while_a_flash_sale_lasts(people):
    await sends(people, SALES)
    before = await state(people)
    report = await sends(people, OTHER_SALES)
    [mug] = before["mug"][0].variants
    catalog = people.shop.catalog
    await catalog.set_flash_price(mug.offer_id, "flash_1", 100, datetime.now(UTC))
    assert (await undone(people, report["import_id"]))["changed_since"] == 0
    assert (await catalog.offers([mug.offer_id]))[mug.offer_id].price == 100
    await catalog.end_flash_price(mug.offer_id, "flash_1")
    assert await state(people) == before
    assert (await catalog.offers([mug.offer_id]))[mug.offer_id].price == 300


FULL = """external_id,title,price,sale_price,sale_until,quantity
mug,Cup,5,4.5,2198-01-01T00:00Z,7
jar,Pot,3.5,2,,5
"""


@pytest.mark.parametrize("file", [OTHER_SALES, WITH_TEXTS, FULL])
async def test_a_sale_imported_during_a_flash_sale_waits_until_it_is_over(people, file):
    await sends(people, SALES)
    [mug] = (await state(people))["mug"][0].variants
    catalog = people.shop.catalog
    await catalog.set_flash_price(mug.offer_id, "flash_1", 100, datetime.now(UTC))
    await sends(people, file)
    again = await sends(people, file)
    assert counts(again)[2] == 0, "the same file changes nothing"
    assert (await catalog.offers([mug.offer_id]))[mug.offer_id].price == 100
    assert _prices(await state(people), "jar") == (350, SalePrice(price=200))
    await catalog.end_flash_price(mug.offer_id, "flash_1")
    own = SalePrice(price=450, ends_at=datetime(2198, 1, 1, tzinfo=UTC))
    assert _prices(await state(people), "mug") == (500, own)
    assert (await catalog.offers([mug.offer_id]))[mug.offer_id].price == 450


PICTURES = """external_id,title,price,image_url,quantity
mug,Mug,4,https://pictures.example/{}.png,7
"""


async def test_pictures_are_put_back_that_were_fetched_since(people):
    await sends(people, PICTURES.format("a"))
    before = await state(people)
    report = await sends(people, PICTURES.format("b"))
    changed = (await state(people))["mug"][0]
    there, here = "https://pictures.example/b.png", f"/media/{'b' * 32}.png"
    await people.shop.catalog.picture_fetched(changed.product_id, (there, here))
    assert (await state(people))["mug"][0].images[0].url == here
    said = await undone(people, report["import_id"])
    assert (said["put_back"], said["changed_since"]) == (1, 0)
    assert await state(people) == before


async def test_a_picture_that_somebody_changed_since_stays(people, db):
    await sends(people, PICTURES.format("a"))
    report = await sends(people, PICTURES.format("b"))
    await db.execute(
        "update catalog.product set images = jsonb_set(images, '{0,url}', '\"/media/mine.png\"')"
    )
    assert (await undone(people, report["import_id"]))["changed_since"] == 1
    assert (await state(people))["mug"][0].images[0].url == "/media/mine.png"


async def test_what_was_sold_since_stays_sold(people, db):
    await sends(people, FIRST)
    report = await sends(people, "external_id,quantity\nmug,70\n")
    mug, _ = (await state(people))["mug"]
    offer = mug.variants[0].offer_id
    await db.execute(
        "update inventory.stock set on_hand = on_hand - 2, version = version + 1 where offer_id = $1", offer
    )
    said = await undone(people, report["import_id"])
    assert (said["put_back"], (await state(people))["mug"][1]) == (1, [(offer, 5)])


async def test_who_may_undo_and_what(people):
    report = await sends(people, FIRST, dry_run="true")
    refused = await people.seller.post(f"{PATH}/{report['import_id']}/undo")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_undoable")
    report = await sends(people, FIRST)
    assert (await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Another"})).status_code == 201
    assert (await people.shopper.post(f"{PATH}/{report['import_id']}/undo")).status_code == 404
    assert (await people.nobody.post(f"{PATH}/{report['import_id']}/undo")).status_code == 401


async def test_one_that_dies_while_undoing_goes_on(people, db):
    """As it stands when the process dies after one commit of several: it is begun again, and counts all."""
    rows = "".join(f"p{n},P {n},{n % 9 + 1},1\n" for n in range(1_300))
    await sends(people, f"external_id,title,price,quantity\n{rows}")
    before = await state(people)
    dearer = "".join(f"p{n},{n % 9 + 2}\n" for n in range(1_300))
    report = await sends(people, f"external_id,price\n{dearer}")
    assert counts(report) == [1_300, 0, 1_300, 0, 0]
    import_id = parse(ImportId, report["import_id"])
    catalog, tries = people.shop.catalog, 0
    execute = asyncpg.Connection.execute

    class Dies(Exception):
        """What a process that is killed does to its transaction."""

    async def failing(self, query, *args, **more):
        nonlocal tries
        if "catalog.tell " in query:
            tries += 1
            if tries == 2:
                raise Dies
        return await execute(self, query, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg.Connection, "execute", failing)
        with pytest.raises(Dies):
            await catalog.undo_import(import_id)
    assert await db.fetchval("select count(*) from catalog.import_change where undone is not null") == 500
    assert await undone(people, report["import_id"]) == {
        "put_back": 1_300,
        "changed_since": 0,
        "since": [],
    }
    assert await state(people) == before


async def test_two_who_undo_at_once_undo_once(people):
    await sends(people, FIRST)
    before = await state(people)
    report = await sends(people, SECOND)
    import_id = parse(ImportId, report["import_id"])
    await asyncio.gather(*(people.shop.sellers.put_back(import_id) for _ in range(3)))
    assert await state(people) == before


async def test_the_command_undoes_too(people):
    seller_id = (await people.shop.sellers.sellers())[0].seller_id
    rows = [ImportRow(external_id="mug", title="Mug", variants=[ImportVariant(400, 3)])]
    await people.shop.sellers.list_many(seller_id, ImportBatch(rows=rows))
    before = await state(people)
    import_id = ImportId(77)
    rows = [ImportRow(external_id="mug", title="Cup", variants=[ImportVariant(500, 4)])]
    batch = ImportBatch(rows=rows, import_id=import_id, reference="import/77/1", overrules=True)
    await people.shop.sellers.list_many(seller_id, batch)
    assert await state(people) != before
    counts = await people.shop.sellers.put_back(import_id)
    assert (counts.changed_since, await state(people)) == (0, before)
    await people.shop.catalog.forget_imports(ImportId(78))
    assert (await people.shop.sellers.put_back(import_id)).put_back == 1  # the shelf's, from its movements
    assert [each.version for each in await people.shop.catalog.documents(ProductId(0))]
