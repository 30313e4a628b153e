"""Imports lose nothing in silence: what is unused, guessed, a draft or left out is said."""

import asyncio
import dataclasses
import json
import tracemalloc
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest

from mercat.app import build_shop
from mercat.catalog import ImportRow
from mercat.catalog.gathering import ROWS_MAX
from mercat.catalog.importing import import_file
from mercat.catalog.messages import VARIANTS_MAX, Imported
from mercat.cli.goods import ImportAsk, import_into
from mercat.cli.open_demo import ImportOptions, import_files

HEADING = "external_id,title,price,quantity"


class Read(NamedTuple):
    """What came of a file without a shop."""

    done: object
    products: list[ImportRow]
    notes: list[tuple[int, str, str]]


@pytest.fixture
def read(tmp_path):
    async def read(*lines, name="goods.csv", **options):
        file = tmp_path / name
        file.write_text("\n".join(lines) + "\n")
        products, notes = [], []

        async def take(seller, rows):
            products.extend(rows)
            return Imported(added=len(rows))

        done = await import_file(
            file,
            take,
            seller="A",
            note=lambda note: notes.append((note.line, note.field, note.reason)),
            progress=lambda far: None,
            **options,
        )
        return Read(done, products, notes)

    return read


async def test_headings_of_any_case_are_known_and_others_are_named_with_the_nearest(read):
    got = await read("External ID,TITLE,Price ,Quantiy,Weight", "1,Pot,5,3,200")
    assert (got.products[0].variants[0].price, got.products[0].variants[0].quantity) == (500, None)
    assert got.done.remarks == (
        "1 without a stock in the file: they have none, or what --stock says.",
        "Columns that are not used: Quantiy (is it quantity?), Weight (is it weight_g?).",
    )


@pytest.mark.parametrize(
    ("rename", "reason"),
    [
        ({"Pricee": "price"}, "has no column pricee, which --map names (is it price?)"),
        ({"Price": "prise"}, "--map names prise, which is no field of plain columns (is it price?)"),
    ],
)
async def test_a_mistyped_map_is_named_before_anything_is_written(settings, tmp_path, rename, reason, db):
    file = tmp_path / "goods.csv"
    file.write_text("external_id,title,Price\n1,Pot,5\n")
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        [done] = await import_files(
            shop,
            [file],
            ImportOptions(rename=rename),
            note=lambda note: None,
            progress=lambda far: None,
        )
    assert reason in done.unusable
    assert not await db.fetchval("select count(*) from catalog.product")


async def test_a_map_may_name_an_attribute_or_another_heading_of_any_case(read):
    got = await read(
        "id,name,colour",
        "1,Pot,Red",
        rename={"ID": "external_id", "Name": "Title", "colour": "attributes.Colour"},
    )
    assert (got.products[0].title, got.products[0].attributes) == ("Pot", {"Colour": "Red"})


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *((word, "active") for word in ("", "active", "Published", "1", "TRUE", "enabled")),
        *((word, "draft") for word in ("draft", "Disabled", "hidden", "proposed", "archived", "0", "false")),
        ("sleeping", "draft"),
    ],
)
async def test_status_is_read(read, word, status):
    got = await read(f"{HEADING},Status", f"1,Pot,5,3,{word}")
    assert got.products[0].status == status
    assert bool(got.notes) == (word == "sleeping")


async def test_a_price_in_another_currency_is_refused_naming_both(read):
    got = await read(HEADING, "1,Pot,12 €,3", "2,Cup,$5,3")
    assert got.notes == [
        (2, "price", "is not a price: it is in EUR, and this product is priced in USD: “12 €”")
    ]
    assert [each.external_id for each in got.products] == ["2"]
    got = await read(HEADING, '1,Pot,"12,50 €",3', currency="EUR")
    assert (got.products[0].currency, got.products[0].variants[0].price) == ("EUR", 1_250)
    # Where the file itself says that it is in another currency, it comes as a draft, and that is said.
    got = await read(f"{HEADING},currency", "1,Pot,12 €,3,EUR")
    assert (got.notes, got.done.remarks) == (
        [],
        ("1 in EUR, and this shop sells in USD: they came as drafts.",),
    )


SHOPIFY = (
    "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,"
    "Variant Price"
)


async def test_a_bad_variant_is_left_out_alone(read):
    got = await read(
        SHOPIFY, "tee,Tee,Size,S,T-S,shopify,1,5", "tee,,,M,T-M,shopify,two,5", "tee,,,S,T-S,shopify,1,6"
    )
    assert [variant.sku for variant in got.products[0].variants] == ["T-S"]
    assert got.notes == [
        (3, "variant_inventory_qty", "is not a whole number: “two”"),
        (4, "", "is not told apart from another variant: it needs a SKU or options"),
    ]
    assert got.done.left_out == 2


async def test_what_another_shop_sold_beyond_its_stock_is_none_in_stock_and_said(read):
    got = await read(SHOPIFY, "tee,Tee,Size,S,T-S,shopify,-2,5", "tee,,,M,T-M,shopify,4,5")
    assert [(each.sku, each.quantity) for each in got.products[0].variants] == [("T-S", 0), ("T-M", 4)]
    assert got.notes == [(2, "variant_inventory_qty", "is below zero: “-2”: none is in stock")]
    assert got.done.left_out == 0


async def test_rows_beyond_what_one_product_may_have_are_named(read):
    rows = [f"tee,,,{n},T-{n},shopify,1,5" for n in range(ROWS_MAX + 10)]
    got = await read(SHOPIFY, "tee,Tee,Size,first,T,shopify,1,5", *rows)
    assert len(got.products[0].variants) == VARIANTS_MAX
    assert len(got.notes) == got.done.left_out == len(rows) + 1 - VARIANTS_MAX


@pytest.mark.long
async def test_rows_of_a_product_are_found_however_far_apart_in_memory_that_does_not_grow(tmp_path):
    async def peak(count):
        file = tmp_path / "far.csv"
        with file.open("w") as out:
            out.write(SHOPIFY + "\n")
            for n in range(count):
                out.write(f"p{n},{'Tee ' + 'x' * 400},Size,S,{n}-S,shopify,1,5\n")
            for n in range(count):
                out.write(f"p{n},,,M,{n}-M,shopify,2,6\n")
        found = {"added": 0, "variants": 0}

        async def take(seller, rows):
            found["added"] += len(rows)
            found["variants"] += sum(len(row.variants) for row in rows)
            return Imported(added=len(rows))

        tracemalloc.start()
        try:
            await import_file(file, take, seller="A", note=lambda note: None, progress=lambda far: None)
            assert found == {"added": count, "variants": 2 * count}
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    await peak(600)
    assert await peak(6_000) < await peak(2_000) + 1_000_000


async def test_exits_say_whether_something_was_lost_and_one_bad_file_stops_no_other(
    settings, engines, tmp_path, capfd, db
):
    shop = dataclasses.replace(engines, postgres_database=settings.postgres_database)

    def file(name, content):
        path = tmp_path / name
        path.write_text(content)
        return path

    def run(*files, dry_run=False):
        report = tmp_path / "report.jsonl"
        return asyncio.to_thread(
            import_into, shop, files, ImportAsk(ImportOptions(seller="A", dry_run=dry_run)), report
        )

    good = file("good.csv", f"{HEADING}\n1,Pot,5,3\n2,Cup,5,\n")
    some = file("some.csv", f"{HEADING}\n3,Jug,5,3\n4,Mug,dear,3\n")
    cut = file("cut.jsonl", json.dumps({"external_id": "5", "title": "Pan", "brand": "b" * 300}) + "\n")
    none = file("none.csv", f"{HEADING}\n")
    stores = file("stores.csv", "shop,street\nOurs,High Street\n")

    assert await run(good, dry_run=True) == 0
    assert "good.csv (plain columns): 2 would be added" in capfd.readouterr().err
    assert not await db.fetchval("select count(*) from catalog.product")

    assert await run(good) == 0
    assert "good.csv: 1 without a stock in the file" in capfd.readouterr().err
    assert await run(some) == 1
    assert await run(cut) == 1
    assert await run(none) == 2
    capfd.readouterr()
    assert await run(stores, good, tmp_path / "gone.csv", some) == 2
    said = capfd.readouterr().err
    assert "stores.csv is not a file of products" in said
    assert "gone.csv cannot be read: no such file" in said
    assert "some.csv (plain columns): 1 as before, 1 left out" in said
    assert await db.fetchval("select count(*) from catalog.product") == 4
