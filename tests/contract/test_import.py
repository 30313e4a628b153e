"""What imports promise: every kind of file, every bad row reported, one result however often they run."""

import asyncio
import dataclasses
import gc
import gzip
import json
import random
import tracemalloc
from contextlib import AsyncExitStack
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from mercat.app import build_shop
from mercat.catalog import ProductChange
from mercat.cli.goods import ImportAsk, import_into
from mercat.cli.open_demo import ImportOptions, import_files, rows
from mercat.events import ProductChanged, StockChanged
from mercat.ids import OfferId, ProductId
from mercat.kit.event_log import deliver
from mercat.lab import demo

SHARED = Path(__file__).parents[3] / "shared" / "data"
NO_TITLE = "is missing, and there is no such product to change"
CATALOGUE = {
    "id": "1399",
    "title": "HP 80 Original Cyan",
    "model": "80",
    "brand": "HP",
    "description": "Ink",
    "price_cents": 12_595,
    "currency": "USD",
    "ean": ["0882780756328"],
    "released": "2006-07-01",
    "type_derived": "pc case",
    "image": "http://img.example/1.jpg",
    "image_high": "http://img.example/2.jpg",
    "attributes": {"type": "Original", "width": 56.0, "wireless": False},
}
RETAILER = {
    "id": "bb1",
    "title": "Phone",
    "description": "Rings",
    "brand": "AT&T",
    "category_path": ["Cell Phones", "Prepaid"],
    "price_cents": 4_999,
    "currency": "USD",
    "image": "https://img.example/p.jpg",
    "popularity": 21_449,
}
BOOK = {
    "id": "gb1",
    "title": "The Hunger Games",
    "authors": ["Suzanne Collins"],
    "isbn13": "9780439023480",
    "year": 2008,
    "language": "eng",
    "ratings_count": 10,
    "ratings_hist": [0, 0, 0, 5, 5],
    "image": "https://img.example/b.jpg",
}
STOCK_CODE = {
    "stock_code": "10002",
    "description": "INFLATABLE POLITICAL GLOBE",
    "price_pence_median": 85,
    "currency": "GBP",
}
PLAIN = {"external_id": "p1", "title": "Pot", "price": 12.5, "quantity": 3, "category": "Kitchen > Pots"}


class Importer:
    """Imports into one shop, and remembers what was noted of its rows."""

    def __init__(self, shop, folder):
        self.shop = shop
        self.folder = folder
        self.notes = []

    async def __call__(self, file, **options):
        self.notes.clear()
        progress = options.pop("progress", lambda far: None)
        how = ImportOptions(**options)
        [done] = await import_files(self.shop, [file], how, note=self.notes.append, progress=progress)
        return done

    def file(self, name, *given):
        path = self.folder / name
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in given]
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    def left_out(self):
        return [(note.line, note.field, note.reason) for note in self.notes if note.left_out]

    def cut(self):
        return [(note.line, note.field, note.reason) for note in self.notes if not note.left_out]


@pytest.fixture
async def importer(settings, tmp_path):
    async with AsyncExitStack() as stack:
        yield Importer(await build_shop(settings, stack), tmp_path)


@pytest.fixture
def shelf(db):
    """What stands in the shop, in words that do not depend on ids."""

    async def shelf(seller):
        async with db.acquire() as connection, connection.transaction():
            # Whatever the planner believes of tables that were empty a moment ago.
            await connection.execute("set local enable_nestloop = off")
            found = await connection.fetch(
                """
                select p.external_id, p.title, p.description, p.brand, p.attributes::text, p.options::text,
                    p.tags, c.names as category, p.rating, p.review_count, p.popularity, k.key,
                    k.options::text as variant,
                    o.price, o.currency, o.status, o.in_stock, s.on_hand
                from catalog.product p join catalog.category c using (category_id)
                join catalog.sku k using (product_id) join catalog.offer o using (sku_id)
                left join inventory.stock s using (offer_id)
                where o.seller_name = $1 order by p.external_id, k.place
                """,
                seller,
            )
        return [dict(row) for row in found]

    return shelf


@pytest.fixture
def changes(told):
    async def changes():
        return [fact for fact in await told() if isinstance(fact, ProductChanged)]

    return changes


def generated(count, folder, name="generated.jsonl"):
    path = folder / name
    path.write_bytes(b"".join(rows(count)))
    return path


async def test_a_catalogue_of_electronics(importer, shelf):
    done = await importer(importer.file("catalogue.jsonl", CATALOGUE))
    assert (done.added, done.left_out) == (1, 0)
    [row] = await shelf("Mercat")
    assert (row["external_id"], row["brand"], row["category"]) == ("1399", "HP", ["PC case"])
    assert (row["price"], row["currency"], row["status"]) == (12_595, "USD", "active")
    assert (row["in_stock"], row["on_hand"]) == (False, None)  # the file does not say
    assert done.remarks[0].startswith("1 without a stock in the file")
    assert json.loads(row["attributes"]) == CATALOGUE["attributes"]
    [change] = await importer.shop.catalog.documents(ProductId(0))
    assert change.document.image_url == "http://img.example/1.jpg"
    assert change.document.created_at.isoformat() == "2006-07-01T00:00:00+00:00"
    product = await importer.shop.catalog.product(change.product_id)
    assert [variant.gtin for variant in product.variants] == ["0882780756328"]


async def test_a_retailer_with_a_category_path(importer, shelf):
    await importer(importer.file("bestbuy-products.jsonl", RETAILER))
    [row] = await shelf("Mercat")
    assert (row["category"], row["popularity"]) == (["Cell Phones", "Prepaid"], 21_449)
    assert (row["price"], row["status"], row["on_hand"]) == (4_999, "active", None)


async def test_books_come_as_drafts_with_their_ratings(importer, shelf):
    await importer(importer.file("books.jsonl", BOOK))
    [row] = await shelf("Mercat")
    assert (row["price"], row["status"], row["category"]) == (0, "draft", ["Books"])
    assert (row["rating"], row["review_count"], row["brand"]) == (4.5, 10, "Suzanne Collins")
    [change] = await importer.shop.catalog.documents(ProductId(0))
    assert change.document is None
    # Reviews know the stars it came with, so that new ones are added to them.
    assert (await importer.shop.reviews.rating(change.product_id)).review_count == 10


async def test_stock_codes_in_pounds_come_as_drafts_that_sell_once_priced(importer, shelf, changes):
    file = importer.file("retail-items.jsonl", STOCK_CODE)
    done = await importer(file, stock=100)
    assert "1 in GBP, and this shop sells in USD: they came as drafts." in done.remarks
    [row] = await shelf("Mercat")
    assert (row["title"], row["price"], row["currency"]) == ("Inflatable Political Globe", 85, "GBP")
    assert row["status"] == "draft"

    seller = await importer.shop.sellers.own()
    [offer] = await importer.shop.catalog.of_seller(seller)
    await importer.shop.catalog.change_offer(seller, offer.offer_id, 120, "active")
    [change] = await importer.shop.catalog.documents(ProductId(0))
    assert (change.document.price, change.document.currency, change.document.in_stock) == (120, "USD", True)
    assert (await importer.shop.inventory.stock([offer.offer_id]))[offer.offer_id].available == 100

    # The file again, and the file with another price: what the seller has set stays.
    assert (await importer(file)).unchanged == 1
    dearer = importer.file("retail-items.jsonl", {**STOCK_CODE, "price_pence_median": 99})
    assert (await importer(dearer)).unchanged == 1
    [row] = await shelf("Mercat")
    assert (row["price"], row["currency"], row["status"]) == (120, "USD", "active")


async def test_generated_products_with_variants_and_their_sellers(importer, shelf):
    done = await importer(generated(60, importer.folder))
    assert (done.added, done.left_out) == (60, 0)
    wanted = [row for row in demo.products(60) if demo.SELLERS[row.seller] == demo.SELLERS[0]]
    found = await shelf(demo.SELLERS[0])
    assert wanted
    assert [(row["external_id"], row["price"], row["on_hand"] or 0) for row in found] == [
        (row.external_id, variant.price, variant.quantity) for row in wanted for variant in row.variants
    ]
    assert all(row["in_stock"] == bool(row["on_hand"]) for row in found)


async def test_what_is_told_of_a_product_has_the_skus_of_its_variants(importer, changes):
    await importer(generated(20, importer.folder))
    skus = {row.external_id: [variant.sku for variant in row.variants] for row in demo.products(20)}
    told = {each.document.external_id: each.document.codes for each in await changes() if each.document}
    assert any(len(codes) > 1 for codes in told.values())
    assert {name: set(codes) for name, codes in told.items()} == {name: set(skus[name]) for name in told}


async def test_plain_columns_as_json_and_as_csv_say_the_same(importer, shelf):
    await importer(importer.file("a.jsonl", PLAIN), seller="A")
    heading = b"\xef\xbb\xbfexternal_id,title,price,quantity,category"
    await importer(importer.file("b.csv", heading, b"p1,Pot,12.50,3,Kitchen > Pots"), seller="B")
    [a], [b] = await shelf("A"), await shelf("B")
    assert a == b
    assert (a["price"], a["on_hand"], a["category"]) == (1_250, 3, ["Kitchen", "Pots"])


async def test_csv_with_quotes_semicolons_missing_columns_and_broken_rows(importer, shelf):
    file = importer.file(
        "shop.csv",
        b"external_id;title;price;attributes.Colour;tags",
        b'1;"A ""big"" pot;',
        b'of two lines";5.00;Red;"a, b"',
        b"2;Cup",
        b"",
        b"3;Bowl;1,50",
        b"4;Jug;1.505",
        b"5;Caf\xe9;1",
        b"6;Too;1;many;columns;here",
        b"7;;1",
    )
    done = await importer(file, seller="A")
    assert (done.added, done.left_out) == (4, 3)
    pot, cup, bowl, cafe = await shelf("A")
    assert (bowl["price"], cafe["title"]) == (150, "Caf\xe9")
    assert done.remarks[0] == "Line 8 is not UTF-8: such lines were read as Windows-1252 (a guess)."
    assert (pot["title"], pot["price"], pot["tags"]) == ('A "big" pot; of two lines', 500, ["a", "b"])
    assert json.loads(pot["attributes"]) == {"Colour": "Red"}
    assert (cup["title"], cup["price"], cup["status"]) == ("Cup", 0, "draft")
    assert [row[:2] for row in importer.left_out()] == [
        (7, "price"),
        (9, ""),
        (10, "title"),
    ]


async def test_columns_that_are_called_otherwise(importer, shelf):
    file = importer.file("theirs.csv", b"sku,name,cost", b"1,Pot,5")
    await importer(file, rename={"sku": "external_id", "name": "title", "cost": "price"}, stock=7)
    [row] = await shelf("Mercat")
    assert (row["external_id"], row["title"], row["price"], row["on_hand"]) == ("1", "Pot", 500, 7)


async def test_the_same_file_again_changes_nothing_and_tells_nothing(importer, shelf, told):
    file = generated(300, importer.folder)
    first = await importer(file)
    assert first.added == 300
    before, facts = await shelf(demo.SELLERS[0]), len(await told())
    again = await importer(file)
    assert (again.added, again.changed, again.unchanged) == (0, 0, 300)
    assert await shelf(demo.SELLERS[0]) == before
    assert len(await told()) == facts


async def test_what_changed_in_the_file_changes_in_the_shop_and_is_told_once(importer, shelf, changes):
    await importer(importer.file("a.jsonl", PLAIN, {**PLAIN, "external_id": "p2"}), seller="A")
    done = await importer(
        importer.file("a.jsonl", {**PLAIN, "price": 11, "quantity": 99}, {**PLAIN, "external_id": "p2"}),
        seller="A",
    )
    assert (done.changed, done.unchanged) == (1, 1)
    row, _ = await shelf("A")
    assert (row["price"], row["on_hand"]) == (1_100, 3)  # stock is counted in the shop, not in the file
    facts = await changes()
    assert [fact.version for fact in facts] == [1, 1, 2]
    assert facts[-1].document.price == 1_100


async def test_a_variant_that_is_new_in_the_file_comes_with_its_stock(importer, shelf):
    [raw] = [json.loads(line) for line in islice(rows(1), 1)]
    first = {**raw, "seller": "A", "variants": [raw["variants"][0]]}
    second = {
        **first,
        "variants": [{"options": {"Size": "XL"}, "price": 5, "quantity": 8, "sku": "xl"}, *first["variants"]],
    }
    await importer(importer.file("a.jsonl", first))
    await importer(importer.file("a.jsonl", second))
    found = await shelf("A")
    assert [(row["key"], row["on_hand"], row["in_stock"]) for row in found] == [
        ("xl", 8, True),
        (raw["variants"][0]["sku"], raw["variants"][0]["quantity"], True),
    ]


class Cut(Exception):
    """The power fails."""


@pytest.mark.parametrize("where", ["between batches", "between a commit and its stock"])
async def test_cut_off_anywhere_and_run_again_is_as_good_as_one_run(
    importer, shelf, told, changes, where, monkeypatch, db
):
    lines = list(islice(rows(1_100), 1_100))
    file = importer.folder / "a.jsonl"
    file.write_bytes(b"".join(lines))
    count = 0

    def cut(*_):
        nonlocal count
        count += 1
        if count == 2:
            raise Cut

    if where == "between batches":
        with pytest.raises(Cut):
            await importer(file, seller="A", progress=cut)
    else:
        receive = importer.shop.inventory.receive

        async def dies(reference, items, seller_id):
            cut()
            await receive(reference, items, seller_id)

        with monkeypatch.context() as patch:
            patch.setattr(importer.shop.inventory, "receive", dies)
            with pytest.raises(Cut):
                await importer(file, seller="A")
    kept = len({row["external_id"] for row in await shelf("A")})
    assert kept == (500 if where == "between batches" else 1_000)
    async with db.acquire() as connection, connection.transaction():  # the stock that the cut left behind
        await deliver(connection, await told(), [importer.shop.inventory])

    again = await importer(file, seller="A")
    assert (again.unchanged, again.added) == (kept, 1_100 - kept)
    assert len(await changes()) == 1_100
    await importer(file, seller="B")
    assert await shelf("A") == await shelf("B")


async def test_two_imports_of_one_file_at_once_are_as_good_as_one(importer, settings, shelf, changes):
    file = generated(1_200, importer.folder)
    async with AsyncExitStack() as stack:
        other = Importer(await build_shop(settings, stack), importer.folder)
        await asyncio.gather(importer(file, seller="A"), other(file, seller="A"))
    facts = await changes()
    assert len(facts) == 1_200
    assert {fact.version for fact in facts} == {1}
    await importer(file, seller="B")
    assert await shelf("A") == await shelf("B")


async def test_new_products_that_a_file_names_by_sku_alone_are_known_by_it(importer, db):
    """Those in one file, of another file, and the same again."""
    first = importer.folder / "first.csv"
    first.write_text("sku,title,price\nA-1,Lamp,5\nA-2,Pot,7\nA-1,Lamp two,6\n")
    done = await importer(first, seller="A")
    assert (done.added, done.left_out) == (2, 1)
    second = importer.folder / "second.csv"
    second.write_text("sku,title,price\nA-2,Pan,7\nA-3,Cup,1\n")
    done = await importer(second, seller="A")
    assert (done.added, done.changed) == (1, 1)
    done = await importer(second, seller="A")
    assert (done.added, done.changed, done.unchanged) == (0, 0, 2)
    rows = await db.fetch("select external_id, title from catalog.product order by external_id")
    assert [tuple(row) for row in rows] == [("A-1", "Lamp"), ("A-2", "Pan"), ("A-3", "Cup")]


async def test_what_adds_to_one_shops_products_is_not_read_beside_those_of_another(importer):
    plain, adding = importer.folder / "plain.csv", importer.folder / "combinations.csv"
    plain.write_text("external_id,title,price\n1,Pot,5\n")
    adding.write_text(
        "Product ID*;Attribute (Name:Type:Position)*;Value (Value:Position)*\n1;Size:select:0;S:0\n"
    )
    how = ImportOptions(seller="A")
    done = await import_files(
        importer.shop, [plain, adding], how, note=lambda note: None, progress=lambda far: None
    )
    assert [(each.file.name, each.added, bool(each.unusable)) for each in done] == [
        ("combinations.csv", 0, True),
        ("plain.csv", 1, False),
    ]


BAD_VALUES = [
    (PLAIN, {"title": None, "external_id": "new"}, "title", NO_TITLE),
    (PLAIN, {"title": "", "external_id": "new"}, "title", NO_TITLE),
    (PLAIN, {"title": "\x00"}, "title", "is missing"),
    (PLAIN, {"title": ["x"]}, "title", "is not a text but a list"),
    (PLAIN, {"title": True}, "title", "is not a text but true or false"),
    (PLAIN, {"title": "x" * 501}, "title", "is longer than 500 characters"),
    (PLAIN, {"title": 10**40}, "title", "is an absurd number"),
    (PLAIN, {"external_id": {}}, "external_id", "is not a text but an object"),
    (PLAIN, {"price": -1}, "price", "is negative"),
    (PLAIN, {"price": "cheap"}, "price", "is not a number such as 79.99: “cheap”"),
    (PLAIN, {"price": "NaN"}, "price", "is not a number such as 79.99: “NaN”"),
    (PLAIN, {"price": "1e999999"}, "price", "is not a number such as 79.99: “1e999999”"),
    (PLAIN, {"price": [1]}, "price", "is not a number such as 79.99"),
    (PLAIN, {"price": 1.234}, "price", "is not a price: USD has 2 decimals"),
    (PLAIN, {"currency": "dollars"}, "currency", "is not a currency such as USD"),
    (PLAIN, {"quantity": -1}, "quantity", "is negative"),
    (PLAIN, {"quantity": 1.5}, "quantity", "is not a whole number"),
    (PLAIN, {"quantity": 10**12}, "quantity", "is absurdly large"),
    (PLAIN, {"seller": {"name": "x"}}, "seller", "is not a text but an object"),
    (PLAIN, {"tags": [1]}, "tags", "is not a list of texts"),
    (PLAIN, {"attributes": [1]}, "attributes", "is not an object"),
    (CATALOGUE, {"price_cents": "12.50"}, "price_cents", "is not a whole number of minor units: “12.50”"),
    (CATALOGUE, {"price_cents": 10**30}, "price_cents", "is absurdly large"),
    (CATALOGUE, {"price_cents": True}, "price_cents", "is not a whole number of minor units"),
    (CATALOGUE, {"released": "yesterday"}, "released", "is not a date such as 2026-11-23"),
    (CATALOGUE, {"released": "0001-01-01T00:00:00+14:00"}, "released", "is not a date of our time"),
    (RETAILER, {"category_path": "Phones"}, "category_path", "is not a list of texts"),
    (RETAILER, {"popularity": 2**40}, "popularity", "is absurdly large"),
    (BOOK, {"ratings_hist": [1, 2]}, "ratings_hist", "is not five counts, of one to five stars"),
    (BOOK, {"ratings_hist": [2**31, 0, 0, 0, 0]}, "ratings_hist", "is not five counts, of one to five stars"),
    (BOOK, {"year": "long ago"}, "year", "is not a year"),
    (BOOK, {"authors": "me"}, "authors", "is not a list of texts"),
    (STOCK_CODE, {"description": None}, "description", "is missing"),
]
OURS = {"external_id": "o1", "title": "Pot", "variants": [{"price": 100, "quantity": 1}]}
BAD_VALUES += [
    (OURS, {"variants": []}, "variants", "is not a list of 1 to 2000 variants"),
    (OURS, {"variants": [1]}, "variants", "holds something that is not an object"),
    (OURS, {"variants": [{"price": -1}]}, "variants[0].price", "is negative"),
    (OURS, {"variants": [{"price": 1, "quantity": 2**40}]}, "variants[0].quantity", "is absurdly large"),
    (
        OURS,
        {"variants": [{"price": 1}, {"price": 2}]},
        "variants",
        "are not told apart: each needs a sku or options of its own",
    ),
    (OURS, {"variants": [{"price": 1, "options": [1]}]}, "variants[0].options", "is not an object"),
    (OURS, {"options": {"Size": "L"}}, "Size", "is not a list of texts"),
]


async def test_every_bad_value_is_reported_and_the_good_rows_come_in(importer):
    """One shop for all of them: file by file, the good row first."""
    for good, change, field, reason in BAD_VALUES:
        await importer(
            importer.file("bad.jsonl", good, {**good, **change}), seller=None if field == "seller" else "A"
        )
        assert importer.left_out() == [(2, field, reason)], (change, importer.left_out())


async def test_what_is_too_long_is_cut_and_said_and_can_be_saved_again(importer):
    """What an import leaves is within the limits of the API and the desk, at the largest."""
    largest = {
        "external_id": "x" * 200,
        "title": "x" * 500,
        "description": "y" * 30_000,
        "brand": "b" * 300,
        "attributes": {f"{n:03}" + "n" * 300: "v" * 3_000 if n == 7 else n for n in range(600)},
        "tags": ["t" * 300] * 60,
        "category_path": ["c" * 200] * 10,
        "image_urls": [f"https://img.example/{n}.jpg" for n in range(60)],
        "options": {"o" * 260: ["w" * 260]},
        "variants": [{"price": 100, "options": {"o" * 260: "w" * 260}}],
    }
    done = await importer(importer.file("large.jsonl", largest), seller="A")
    assert (done.added, done.left_out) == (1, 0)
    cuts = {(field, reason) for _, field, reason in importer.cut()}
    assert cuts == {
        ("description", "was cut to 20,000 characters"),
        ("brand", "was cut to 200 characters"),
        ("attributes", "was cut to 100 characters"),
        ("attributes", "was cut to 2,000 characters"),
        ("attributes", "has 600 entries; the first 500 were kept"),
        ("tags", "has 60 entries; the first 50 were kept"),
        ("tags", "was cut to 200 characters"),
        ("category_path", "has 10 entries; the first 8 were kept"),
        ("category_path", "was cut to 80 characters"),
        ("image_urls", "has 60 entries; the first 50 were kept"),
        ("options", "was cut to 255 characters"),
        ("o" * 260, "was cut to 255 characters"),
    }

    catalog = importer.shop.catalog
    seller = await importer.shop.sellers.by_name("A")
    [offer] = await catalog.of_seller(seller)
    listing = await catalog.listing(seller, offer.product_id)
    fields = {*ProductChange.__struct_fields__} - {"alts", "at"}
    said = {field: getattr(listing, field) for field in fields}
    said["images"] = [image.url for image in listing.images]
    said["alts"] = {image.url: image.alt for image in listing.images}
    said["variants"] = [{"sku_id": each.sku_id, "options": each.options} for each in listing.variants]
    await catalog.change_product(seller, offer.product_id, msgspec.convert(said, ProductChange), listing.mark)
    assert await catalog.listing(seller, offer.product_id) == listing


async def test_long_options_are_kept_whole_and_found_again(importer):
    """They are all that tells variants without a SKU apart; once they were cut."""
    names = [random_text(n, 255) for n in range(5)]
    chosen = [{name: random_text(name + str(n), 255) for name in names} for n in range(2)]
    row = {
        "external_id": "long",
        "title": "Sign",
        "variants": [{"price": 900, "options": each} for each in chosen],
    }
    await importer(importer.file("long.jsonl", row), seller="A")
    again = await importer(importer.file("again.jsonl", row), seller="A")
    assert (again.unchanged, again.left_out) == (1, 0)
    seller = await importer.shop.sellers.by_name("A")
    offer, *_ = await importer.shop.catalog.of_seller(seller)
    listing = await importer.shop.catalog.listing(seller, offer.product_id)
    assert [each.options for each in listing.variants] == chosen

    once = [{name[:50]: value[:50] for name, value in each.items()} for each in chosen]
    row |= {"external_id": "cut", "variants": [{"price": 900, "options": each} for each in once]}
    await importer(importer.file("cut.jsonl", row), seller="B")
    row |= {"variants": [{"price": 950, "options": each} for each in chosen]}
    await importer(importer.file("whole.jsonl", row), seller="B")
    seller = await importer.shop.sellers.by_name("B")
    offer, *_ = await importer.shop.catalog.of_seller(seller)
    listing = await importer.shop.catalog.listing(seller, offer.product_id)
    assert [(each.options, each.price) for each in listing.variants] == [(each, 950) for each in chosen]


def random_text(seed: object, length: int) -> str:
    """Write a text of characters of four bytes each, which no index makes shorter."""
    some = random.Random(str(seed))
    return "".join(chr(some.randrange(0x20000, 0x2A000)) for _ in range(length))


async def test_hostile_rows_harm_nobody(importer, shelf):
    odd = {
        **PLAIN,
        "external_id": "odd",
        "title": "Pot\x00 [bold]<b>",
        "description": "y" * 1_000_000,
        "category": " > ".join("deep" + "é" * 300 for _ in range(40)),
        "attributes": {
            "a\x00": "b\x00",
            "big": 10**60,
            "deep": {"x": 1},
            "n": 2**62,
            "": "e",
            "l" * 999: True,
        },
        "tags": "t" * 5_000,
        "image_url": "javascript:alert(1)",
    }
    done = await importer(
        importer.file(
            "hostile.jsonl",
            PLAIN,
            b'{"external_id": "long", "title": "' + b"x" * 10_000_000 + b'"}',
            b"[" * 100_000,
            b'{"external_id": "\\ud800", "title": "x"}',
            b"\xff\xfe\x00",
            b"17",
            b'{"external_id": "half"',
            odd,
            {**PLAIN, "title": "Pot again"},
            {**PLAIN, "external_id": "last"},
        ),
        seller="A",
    )
    assert (done.added, done.left_out) == (3, 7)
    assert [row[0] for row in importer.left_out()] == [2, 3, 4, 5, 6, 7, 9]
    assert importer.left_out()[0][2] == "is longer than 4 MB"
    assert importer.left_out()[-1][2] == "is the same product as line 1"
    found = {row["external_id"]: row for row in await shelf("A")}
    assert set(found) == {"p1", "odd", "last"}
    assert (found["odd"]["title"], len(found["odd"]["category"])) == ("Pot [bold]<b>", 8)
    assert json.loads(found["odd"]["attributes"])["n"] == 2**62
    assert await importer.shop.catalog.product(
        (await importer.shop.catalog.documents(ProductId(0)))[1].product_id
    )


async def test_a_long_line_of_csv_is_left_out_alone(importer):
    file = importer.file("a.csv", b"external_id,title", b"1,Pot", b"2," + b"x" * 10_000_000, b"3,Cup")
    done = await importer(file)
    assert (done.added, importer.left_out()) == (2, [(3, "", "is longer than 4 MB")])


@pytest.mark.parametrize("damage", ["cut", "flipped"])
async def test_a_packed_file_that_breaks_in_the_middle(importer, damage):
    lines = b"".join(rows(2_000))
    packed = bytearray(gzip.compress(lines))
    if damage == "cut":
        packed = packed[: len(packed) * 2 // 3]
    else:
        packed[len(packed) * 2 // 3] ^= 0xFF
    file = importer.folder / "broken.jsonl.gz"
    file.write_bytes(packed)
    done = await importer(file)
    assert "in the middle" in done.broken
    assert 500 < done.added < 2_000

    file.write_bytes(gzip.compress(lines))
    again = await importer(file)
    assert (again.broken, again.added + again.unchanged + again.changed) == ("", 2_000)


async def test_a_file_without_products_is_refused_in_one_line(importer):
    for name, content, reason in (
        ("empty.jsonl", b"", "empty.jsonl is empty."),
        ("stores.jsonl", b'{"id": 1, "name": "Shop"}\n', "no field 'title', but id, name"),
        ("list.csv", b"code,name\n1,Pot\n", "no field 'title', but code, name"),
        ("array.json", b'["title", "x"]\n', "line 1 is not a JSON object"),
        ("cut.jsonl.gz", gzip.compress(b"x" * 1_000)[:15], "cannot be read: it breaks off"),
    ):
        file = importer.folder / name
        file.write_bytes(content)
        assert reason in (await importer(file)).unusable


async def test_goods_are_of_who_is_named_or_the_shops_own(importer, shelf):
    await importer(importer.file("garden_tools.jsonl", PLAIN), stock=5)
    assert len(await shelf("Mercat")) == 1  # the shop's own, which operators act for
    await importer(importer.file("garden_tools.jsonl", {**PLAIN, "seller": "Cy"}), seller="Dee")
    assert (len(await shelf("Dee")), len(await shelf("Cy"))) == (1, 0)
    await importer(importer.file("garden_tools.jsonl", {**PLAIN, "seller": "Cy", "quantity": None}), stock=5)
    [row] = await shelf("Cy")
    assert row["on_hand"] == 5
    await importer(importer.file("nothing.jsonl", {**PLAIN, "quantity": ""}), seller="Nothing")
    [row] = await shelf("Nothing")
    assert (row["in_stock"], row["on_hand"], row["status"]) == (False, None, "active")


async def test_stock_of_an_import_is_for_sale_and_tells_of_a_product_only_once(importer, told, changes, db):
    await importer(importer.file("a.jsonl", PLAIN))
    [change] = await importer.shop.catalog.documents(ProductId(0))
    offer = OfferId(change.document.offer_id)
    shelf = (await importer.shop.inventory.stock([offer]))[offer]
    assert (shelf.available, change.document.in_stock) == (3, True)
    arrived = [fact for fact in await told() if isinstance(fact, StockChanged)]
    assert [(fact.offer_id, fact.available) for fact in arrived] == [(offer, 3)]
    async with db.acquire() as connection:
        await deliver(connection, arrived, [importer.shop.catalog])
    assert len(await changes()) == 1  # the delivery was known with the product


@pytest.mark.long
async def test_memory_does_not_grow_with_the_file(importer):
    async def peak(count):
        file = importer.folder / "long.jsonl"
        with file.open("wb") as out:
            for n in range(count):
                row = {**PLAIN, "external_id": f"{count}-{n}", "description": f"{n:09}" * 300}
                out.write(json.dumps(row).encode() + b"\n")
        rarely = gc.get_threshold()
        gc.set_threshold(700)  # what waits to be collected is no growth
        tracemalloc.start()
        try:
            assert (await importer(file)).added == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.set_threshold(*rarely)

    await peak(600)  # whatever is made once
    assert await peak(3_000) < await peak(1_000) + 2_000_000


async def test_the_command_says_what_it_did_and_where_the_bad_rows_are(settings, engines, tmp_path, capfd):
    good = tmp_path / "[bold]shop[nobody].jsonl"
    good.write_text(json.dumps(PLAIN) + "\n" + json.dumps({**PLAIN, "external_id": ""}) + "\n")
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(b"".join(rows(900)))[:-20])
    report = tmp_path / "report.jsonl"
    shop = dataclasses.replace(engines, postgres_database=settings.postgres_database)

    def run(*files):
        return asyncio.to_thread(import_into, shop, files, ImportAsk(ImportOptions(stock=100)), report)

    assert await run(good) == 1
    said = " ".join(capfd.readouterr().err.split())
    assert "[bold]shop[nobody].jsonl, line 2: external_id is missing" in said
    assert "[bold]shop[nobody].jsonl (plain columns): 1 added, 1 left out" in said
    reported = json.loads(report.read_text())
    assert reported == {
        "file": good.name,
        "line": 2,
        "field": "external_id",
        "reason": "is missing",
        "left_out": True,
        "code": "missing",
        "column": "external_id",
    }

    assert await run(packed) == 1
    assert "packed.jsonl.gz: it breaks off in the middle" in " ".join(capfd.readouterr().err.split())
    assert not report.exists()
    for nothing, words in ((tmp_path / "nothing.jsonl", "no such file"), (tmp_path, "is a directory")):
        assert await run(nothing, good) == 2  # and the good one was read all the same
        said = " ".join(capfd.readouterr().err.split())
        assert f"cannot be read: {words}" in said
        assert "1 as before" in said

    report.unlink()
    good.write_text(json.dumps(PLAIN) + "\n")
    assert await run(good) == 0
    good.write_text(json.dumps({**PLAIN, "external_id": ""}) + "\n")
    assert await run(good) == 2  # nothing came of it


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here: the real files are not imported")
async def test_the_real_files(importer, db):
    for name, sellable in (
        ("catalogue", True),
        ("bestbuy-products", True),
        ("books", False),
        ("retail-items", False),
    ):
        with gzip.open(SHARED / f"{name}.jsonl.gz") as packed:
            lines = list(islice(packed, 700))
        sample = importer.folder / f"{name}.jsonl.gz"
        sample.write_bytes(gzip.compress(b"".join(lines)))
        done = await importer(sample, seller=name)
        assert done.added + done.left_out == 700
        assert {(row.field, row.reason) for row in importer.notes if row.left_out} <= {
            ("description", "is missing")
        }
        statuses = await db.fetch("select distinct status from catalog.offer where seller_name = $1", name)
        assert [row["status"] for row in statuses] == ["active" if sellable else "draft"]
        assert (await importer(sample, seller=name)).unchanged == done.added
