"""Taking out: files that hold everything, and that change nothing when they are taken in again."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from contract.test_seller_imports import counts, sends
from hypothesis import given
from hypothesis import strategies as st

from mercat.catalog import ExportedVariant, ImportBatch, ImportRow, ImportVariant
from mercat.catalog.file_rows import read_rows
from mercat.cli.open_demo import ImportOptions, import_files
from mercat.ids import ProductId
from mercat.web.exported import export_of
from mercat.web.exported.products import taken_out
from mercat.web.routes import PREFIX
from mercat.web.table_query import csv_lines

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
IMG = "https://img.example/"
GOODS: list[dict[str, Any]] = [
    {
        "title": "Tee, =SUM(1) & Co",
        "description": "<p>Soft &amp; <b>green</b></p><ul><li>one</li></ul>",
        "brand": "Fern & Hill",
        "category": "Kitchen",
        "price": 10,
        "quantity": 1,
        "attributes": {"Weight (g)": 150, "Washable": True, "Made in": "'=Ålesund, Norway", "Grade": "5"},
        "images": [f"{IMG}a.jpg?w=1,h=2", f"{IMG}b.jpg"],
        "options": [
            {"name": "Colour", "values": ["Moss", "River"]},
            {"name": "Size", "values": ["S", "M", "L"]},
        ],
        "variants": [
            {
                "options": {"Colour": "Moss", "Size": "S"},
                "sku": "T-MS",
                "price": 12.5,
                "quantity": 3,
                "compare_at_price": 14,
                "sale": {
                    "price": 11.25,
                    "until": "2199-01-01T00:00:00Z",
                },
            },
            {
                "options": {"Colour": "Moss", "Size": "M"},
                "price": 13,
                "quantity": 0,
                "gtin": "4006381333931",
                "weight_g": 151,
                "media": [],
            },
            {
                "options": {"Colour": "River", "Size": "S"},
                "sku": "+T-RS",
                "price": 12.5,
                "compare_at_price": 15,
                "sale": {"price": 11, "from": "2198-01-02T03:04:05.678901Z", "until": "2199-01-01T00:00:00Z"},
                "quantity": 9,
            },
        ],
    },
    {
        "title": "-5 Mug",
        "description": "- one\n- two &amp; 1 < 2",
        "category": "Cups",
        "price": 4,
        "sale": {"price": 3},
        "quantity_rules": {"min": 2, "step": 2},
        "quantity": 7,
    },
    {"title": "Jar", "category": "Tea", "price": 3.33, "quantity": 5, "status": "draft", "sku": "0012"},
    {"title": "@Lid", "category": "uncategorised", "price": 2, "quantity": 0},
]


@pytest.fixture
async def goods(people):
    """A seller's goods of every kind: listed by hand and by file, paused, archived, with pictures."""
    for each in GOODS:
        given: dict[str, Any] = {"description": ""} | each
        if "variants" in given:
            del given["price"], given["quantity"]
            media = await people.seller.post(f"{PREFIX}/media", files={"file": ("a.png", PNG)})
            assert media.status_code == 201, media.text
            first, *others = each["variants"]
            given["variants"] = [{**first, "media": [media.json()["media_id"]]}, *others]
        made = await people.seller.post(f"{PREFIX}/seller/products", json=given)
        assert made.status_code == 201, made.text
    mine = (await people.seller.get(f"{PREFIX}/seller/offers?limit=100")).json()["offers"]
    for each in mine:
        if each["title"].startswith("-5"):
            await people.seller.patch(f"{PREFIX}/seller/offers/{each['offer_id']}", json={"status": "paused"})
    seller_id = await _seller(people)
    rows = [
        ImportRow(
            external_id=f"x/{n} b",
            tags=["summer, green", "wide open"],
            title=f"Pot {n}",
            category_path=["A/V & Pots", "Big > Small"],
            currency="EUR" if n == 3 else "USD",
            attributes={"Litres": n, "Lid": n % 2 == 0},
            options={"Size": ["2", "1"]},
            variants=[ImportVariant(100 * n, n, {"Size": "1"}), ImportVariant(0, 0, {"Size": "2"}, "~odd")],
            histogram=[0, 0, 1, 0, n],
            rating=(3 + 5 * n) / (n + 1),
            review_count=n + 1,
            popularity=n,
        )
        for n in range(1, 5)
    ]
    await people.shop.sellers.list_many(seller_id, ImportBatch(rows=rows))
    last = {"title": "Gone", "description": "", "category": "Tea", "price": 1, "quantity": 1}
    gone = await people.seller.post(f"{PREFIX}/seller/products", json=last)
    await people.seller.delete(f"{PREFIX}/seller/products/{gone.json()['product_id']}")
    return seller_id


async def _seller(people):
    return (await people.shop.sellers.sellers())[0].seller_id


async def _all(people, seller_id):
    return [(product, sorted(units.items())) async for product, units in taken_out(people.shop, seller_id)]


FORMS = [
    ("products.csv", "products.csv"),
    ("products.jsonl", "products.jsonl"),
    ("products.csv?format=shopify", "shopify.csv"),
]


@pytest.mark.parametrize(("path", "name"), FORMS)
async def test_what_is_taken_out_and_in_again_changes_nothing(people, goods, path, name, tmp_path):
    before = await _all(people, goods)
    assert len(before) == 8
    versions = {each.product_id: each.version for each in await people.shop.catalog.documents(ProductId(0))}
    file = await people.seller.get(f"{PREFIX}/seller/exports/{path}")
    assert file.status_code == 200
    assert "attachment" in file.headers["content-disposition"]
    report = await sends(people, file.content, name)
    assert (report["status"], report["problems"]) == ("done", []), report
    assert counts(report)[1:] == [0, 0, 8, 0], report
    # And by the command, which does not overrule.
    kept = tmp_path / name
    kept.write_bytes(file.content)
    for overrules in (False, True):
        options = ImportOptions(owner=goods, overrules=overrules)
        [done] = await import_files(
            people.shop, [kept], options, note=lambda note: pytest.fail(str(note)), progress=lambda far: None
        )
        assert (done.added, done.changed, done.unchanged, done.left_out) == (0, 0, 8, 0)
    assert await _all(people, goods) == before
    now = {each.product_id: each.version for each in await people.shop.catalog.documents(ProductId(0))}
    assert now == versions
    again = await people.seller.get(f"{PREFIX}/seller/exports/{path}")
    assert again.content == file.content


@pytest.mark.parametrize("name", ["stock.csv", "stock.jsonl"])
async def test_shelves_are_counted_anew_by_the_file_that_was_taken_out(people, goods, name):
    file = await people.seller.get(f"{PREFIX}/seller/exports/{name}")
    assert (file.status_code, b"T-MS" in file.content) == (200, True)
    report = await sends(people, file.content, name)
    assert (report["status"], report["problems"], counts(report)[1:]) == ("done", [], [0, 0, 8, 0]), report
    before = dict(
        each for product, units in await _all(people, goods) for each in units if product.title == "Pot 2"
    )
    pots = file.text.replace(",2,0,2,", ",7,0,7,").replace('"quantity":2,', '"quantity":7,')
    report = await sends(people, pots.encode(), name)
    assert (report["status"], report["problems"], report["changed"]) == ("done", [], 1), report
    now = dict(
        each for product, units in await _all(people, goods) for each in units if product.title == "Pot 2"
    )
    assert (sorted(before.values()), sorted(now.values())) == ([0, 2], [0, 7])


@pytest.mark.parametrize(("path", "name"), FORMS)
async def test_pictures_that_the_shop_drew_stay(people, path, name):
    """Demo goods have several, of variants too; files say nothing of them."""
    seller_id = await _seller(people)
    drawn = [f"/media/art/demo-7.svg?k=mug&s={n}" for n in (1, 2, 3)]
    variants = [ImportVariant(100, 1, {"Size": f"{n}"}, f"mug-{n}", images=drawn[n : n + 1]) for n in (1, 2)]
    row = ImportRow(
        external_id="mug", title="Mug", images=drawn, options={"Size": ["1", "2"]}, variants=variants
    )
    await people.shop.sellers.list_many(seller_id, ImportBatch(rows=[row]))
    [listed] = (await people.seller.get(f"{PREFIX}/seller/products")).json()["products"]
    shown = (await people.nobody.get(f"{PREFIX}/products/{listed['product_id']}")).json()
    file = await people.seller.get(f"{PREFIX}/seller/exports/{path}")
    assert b"/media/art/" not in file.content
    report = await sends(people, file.content, name)
    assert (report["problems"], counts(report)[1:]) == ([], [0, 0, 1, 0]), report
    again = (await people.nobody.get(f"{PREFIX}/products/{listed['product_id']}")).json()
    assert again["images"] == shown["images"]
    assert [each["image_url"] for each in again["variants"]] == [
        each["image_url"] for each in shown["variants"]
    ]
    assert len(again["images"]) == 3


@pytest.mark.parametrize(("path", "name"), FORMS)
async def test_a_flash_sale_is_not_taken_out_but_the_sale_that_waits_for_its_end(people, goods, path, name):
    before = await _all(people, goods)
    [offer] = [each for product, _ in before for each in product.variants if each.sku == "T-MS"]
    catalog = people.shop.catalog
    await catalog.set_flash_price(offer.offer_id, "flash_1", 500, datetime.now(UTC))
    assert await _all(people, goods) == before
    file = await people.seller.get(f"{PREFIX}/seller/exports/{path}")
    assert counts(await sends(people, file.content, name))[1:] == [0, 0, 8, 0]
    assert (await catalog.offers([offer.offer_id]))[offer.offer_id].price == 500
    await catalog.end_flash_price(offer.offer_id, "flash_1")
    assert await _all(people, goods) == before
    sold = (await catalog.offers([offer.offer_id]))[offer.offer_id]
    assert (sold.price, sold.was_price, sold.sale) == (1125, 1250, offer.sale)


def _shown(variant: ExportedVariant):
    prices = variant.price, variant.compare_at_price, variant.sale
    return variant.options, prices, variant.gtin, variant.weight_g


@pytest.mark.parametrize(("path", "name"), FORMS)
async def test_another_shop_is_made_of_the_files(people, goods, path, name):
    """What is lost on the way is only what the format has no word for."""
    file = await people.seller.get(f"{PREFIX}/seller/exports/{path}")
    before = {each.title: each async for each, _ in taken_out(people.shop, goods)}
    other = await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Another"})
    assert other.status_code == 201
    people = type(people)(people.shop, people.nobody, people.seller, people.shopper, people.operator)
    report = await sends(people, file.content, name)
    assert (report["status"], counts(report)[1:]) == ("done", [8, 0, 0, 0]), report
    [seller] = [each for each in await people.shop.sellers.sellers() if each.name == "Another"]
    after = {each.title: each async for each, _ in taken_out(people.shop, seller.seller_id)}
    assert after.keys() == before.keys()
    for title, was in before.items():
        now = after[title]
        assert (now.description, now.description_html, now.brand) == (
            was.description,
            was.description_html,
            was.brand,
        )
        assert (now.category_path, now.tags) == (was.category_path, was.tags)
        if name != "shopify.csv":
            assert [*now.options.items()] == [*was.options.items()]
        assert [image.alt for image in now.images] == [image.alt for image in was.images]
        if name != "shopify.csv" or was.variants[0].currency == "USD":
            assert [*map(_shown, now.variants)] == [*map(_shown, was.variants)]
            assert [each.status for each in now.variants] == [each.status for each in was.variants]
        texts = {key: str(value).lower() for key, value in was.attributes.items()}
        assert {key: str(value).lower() for key, value in now.attributes.items()} == texts


@pytest.mark.parametrize(("path", "name"), FORMS)
async def test_products_of_two_sellers_with_one_id_stay_theirs(people, goods, path, name, tmp_path):
    """What an operator takes out and in again changes nothing, whoever's it is."""
    other = await people.shop.sellers.by_name("Another")
    row = ImportRow(
        external_id="x/1 b", title="Another's pot", currency="USD", variants=[ImportVariant(500, 2)]
    )
    await people.shop.sellers.list_many(other, ImportBatch(rows=[row]))
    file = await people.operator.get(f"{PREFIX}/operator/exports/{path}")
    kept = tmp_path / name
    kept.write_bytes(file.content)
    notes = []
    [done] = await import_files(
        people.shop, [kept], ImportOptions(), note=notes.append, progress=lambda far: None
    )
    assert notes == []
    assert (done.added, done.changed, done.unchanged, done.left_out) == (0, 0, 9, 0)


async def test_no_cell_is_a_formula(people, goods):
    for path in ("products.csv", "products.csv?format=shopify", "stock.csv", "orders.csv"):
        text = (await people.seller.get(f"{PREFIX}/seller/exports/{path}")).text
        for row in csv.reader(io.StringIO(text)):
            assert [cell for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r")] == []


@given(
    st.lists(st.text("='+-@a\t", max_size=5), min_size=1, max_size=4).filter(
        lambda row: any(map(str.strip, row))
    )
)
async def test_an_apostrophe_before_a_formula_is_taken_away_again(row):
    async def rows():
        yield [*row, "end"]

    head = [f"column {n}" for n in range(len(row))] + ["title"]
    content = b"".join([lines async for lines in csv_lines(head, rows())])
    raw: Any = io.BytesIO(content)
    [(_, read)] = read_rows(io.BufferedReader(raw))
    assert isinstance(read, dict)
    assert [read[name] for name in head[:-1]] == row


async def test_stock_is_changed_in_the_file_that_was_taken_out(people, goods):
    file = (await people.seller.get(f"{PREFIX}/seller/exports/stock.csv")).text
    rows = [*csv.DictReader(io.StringIO(file))]
    assert len(rows) == 14
    for row in rows:
        row["quantity"] = str(int(row["quantity"]) + 2)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    report = await sends(people, out.getvalue(), "stock.csv")
    assert (report["problems"], counts(report)) == ([], [14, 0, 8, 0, 0]), report
    after = (await people.seller.get(f"{PREFIX}/seller/exports/stock.csv")).text
    assert [each["quantity"] for each in csv.DictReader(io.StringIO(after))] == [
        each["quantity"] for each in rows
    ]


async def test_operators_take_out_everybodys_and_others_do_not(people, goods):
    for noun in ("products", "orders", "people", "stock"):
        for ending in ("csv", "jsonl"):
            path = f"{PREFIX}/operator/exports/{noun}.{ending}"
            assert (await people.seller.get(path)).status_code == 403
            assert (await people.nobody.get(path)).status_code == 401
            assert (await people.operator.get(path)).status_code == 200
            assert (await people.operator.get(f"/operator/exports/{noun}.{ending}")).status_code in (200, 303)
    rows = (await people.operator.get(f"{PREFIX}/operator/exports/people.jsonl")).text.splitlines()
    assert {json.loads(row)["email"] for row in rows} == {
        f"{name}@example.com" for name in ("ann", "bob", "olga")
    }
    assert not any("password" in row for row in rows)
    wrong = await people.seller.get(f"{PREFIX}/seller/exports/products.csv?format=xls")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "no_such_export")
    head = (await people.operator.get(f"{PREFIX}/operator/exports/products.csv")).text.split("\r\n")[0]
    assert head.startswith("seller,external_id,")


async def test_a_file_of_many_products_comes_in_pieces(people):
    seller_id = await _seller(people)
    rows = [
        ImportRow(external_id=str(n), title=f"Pot {n}", variants=[ImportVariant(100, 1)])
        for n in range(1_201)
    ]
    await people.shop.sellers.list_many(seller_id, ImportBatch(rows=rows))
    pieces = [piece async for piece in export_of("products", "csv").write(people.shop, None)]
    assert len(pieces) > 2
    assert b"".join(pieces).count(b"\r\n") == 1_202
