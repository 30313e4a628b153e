"""Imports of rows that nobody thought of, and of the examples in docs/import.md."""

import json
import random
import re
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from mercat.app import build_shop
from mercat.catalog import BadField, Columns, ImportRow, recognise
from mercat.cli.open_demo import ImportOptions, import_files, rows
from mercat.events import ProductChanged
from mercat.kit import codec

PAGE = Path(__file__).parents[2] / "docs" / "import.md"
SEEDS = {
    "own": json.loads(next(iter(rows(1)))),
    "catalogue": {
        "id": "1",
        "title": "Ink",
        "model": "80",
        "brand": "HP",
        "description": "Cyan",
        "price_cents": 500,
        "currency": "USD",
        "ean": ["0882780756328"],
        "released": "2006-07-01",
        "type_derived": "toner cartridge",
        "image": "http://img.example/1.jpg",
        "attributes": {"type": "Original", "width": 56.0, "wireless": False},
    },
    "retailer": {
        "id": "1",
        "title": "Phone",
        "description": "Rings",
        "brand": "AT&T",
        "category_path": ["Cell Phones", "Prepaid"],
        "price_cents": 500,
        "currency": "USD",
        "popularity": 7,
    },
    "books": {
        "id": "1",
        "title": "Emma",
        "authors": ["Jane Austen"],
        "year": 1815,
        "language": "eng",
        "ratings_count": 3,
        "ratings_hist": [0, 0, 1, 1, 1],
    },
    "codes": {"stock_code": "1", "description": "GLOBE", "price_pence_median": 85, "currency": "GBP"},
    "plain": {
        "external_id": "1",
        "title": "Pot",
        "price": "12.50",
        "currency": "USD",
        "quantity": 3,
        "category": "Kitchen > Pots",
        "tags": "a,b",
        "attributes.Colour": "red",
        "image_url": "https://img.example/p.jpg",
    },
}
ODD = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**70), 10**30, 0.1, -0.0, 1e300, 1e-300, 17.5),
    *(
        "",
        " ",
        "\x00",
        "a\x00b",
        "\x1f",
        "/",
        ">>|",
        "é" * 90,
        "x" * 30_000,
        "\u202e",
        "\U0001f375",
        "{}",
        "\\",
        "'",
    ),
    *(
        "NaN",
        "Infinity",
        "-1",
        "1e999",
        "1,5",
        "٣",
        "0x10",
        "9999-99-99",
        "0001-01-01",
        "9999-12-31T23:59:59+14:00",
    ),
    *([], [[]], [None], [1, 2, 3, 4, 5], [2**31] * 5, ["a", "a"], ["\x00"], ["x"] * 300, [{}]),
    *({}, {"": ""}, {"a\x00": "b\x00"}, {"a": {"b": 1}}, {"a": [1]}, {"a": None}, {"price": -1}),
)


def bent(value, chance):
    """The value, or one near it, or something quite different; also deep inside."""
    if isinstance(value, dict) and value and chance.random() < 0.7:
        name = chance.choice(list(value))
        return {**value, name: bent(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.7:
        place = chance.randrange(len(value))
        return chance.choice(
            ([*value[:place], bent(value[place], chance), *value[place + 1 :]], [*value, *value], value[1:])
        )
    return chance.choice(ODD)


def bent_rows(seed, chance, count):
    yield seed
    key = next(name for name in ("external_id", "id", "stock_code") if name in seed)
    for n in range(count):
        row = {**seed, key: f"row {n}"}
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            name = chance.choice(list(row))
            row[name] = bent(row[name], chance)
        if chance.random() < 0.1:
            row.pop(chance.choice(list(row)))
        yield row


@pytest.mark.parametrize("kind", SEEDS)
def test_what_can_be_read_of_a_row_is_what_the_catalogue_takes(kind):
    """Whatever a row holds, the product of it is within every limit of its type."""
    read = 0
    for row in bent_rows(SEEDS[kind], random.Random(f"{kind} again"), 3_000):
        columns = Columns(json.loads(json.dumps(row)))
        with suppress(BadField):
            product = recognise([SEEDS[kind]]).read(columns)
            assert codec.decode(codec.encode(product), ImportRow) == product
            read += 1
    assert read > 300


@pytest.fixture
async def shop(settings):
    async with AsyncExitStack() as stack:
        yield await build_shop(settings, stack)


@pytest.mark.parametrize("kind", SEEDS)
async def test_whatever_a_row_holds_it_comes_in_or_is_reported(shop, told, tmp_path, kind):
    """Each file twice: every row is counted, every fact decodes strictly, the second time nothing changes."""
    count = 1_500
    given = list(bent_rows(SEEDS[kind], random.Random(kind), count))
    file = tmp_path / f"{kind}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in given))
    notes = []

    async def again():
        notes.clear()
        [done] = await import_files(
            shop, [file], ImportOptions(), note=notes.append, progress=lambda far: None
        )
        return done

    async def changes():
        return [fact for fact in await told() if isinstance(fact, ProductChanged)]

    done = await again()
    assert done.added + done.left_out == len(given)
    left_out = [note for note in notes if note.left_out]
    assert len(left_out) == done.left_out == len({note.line for note in left_out})
    assert all(note.reason for note in notes)
    assert 200 < done.added < count
    facts = await changes()
    assert len({fact.product_id for fact in facts}) == len(facts) == done.added

    done = await again()
    assert (done.added, done.changed) == (0, 0)
    assert await changes() == facts


async def test_what_the_page_shows_is_taken_as_it_says(shop, tmp_path):
    section = PAGE.read_text().partition("## Plain columns")[2]
    shown = re.findall(r"(?:^    .+\n)+", section, re.MULTILINE)[:2]
    files = [tmp_path / "examples.csv", tmp_path / "examples.jsonl"]
    for file, block in zip(files, shown, strict=True):
        file.write_text(re.sub("^    ", "", block, flags=re.MULTILINE))
    notes = []
    as_csv, as_json = await import_files(
        shop, files, ImportOptions(), note=notes.append, progress=lambda far: None
    )
    assert notes == []
    assert (as_csv.added, as_json.unchanged) == (2, 2)

    pot = {offer.title: offer for offer in await shop.catalog.of_seller(await shop.sellers.own())}
    priced, unpriced = pot["Pot, 3 litres"], pot["Pot, 5 litres"]
    assert (priced.status, priced.price, unpriced.status) == ("active", 2_450, "draft")
    stock = await shop.inventory.stock([priced.offer_id, unpriced.offer_id])
    assert {offer: level.available for offer, level in stock.items()} == {priced.offer_id: 12}
    [card] = await shop.catalog.cards([priced.product_id])
    assert (card.category_names, card.attributes) == (["Kitchen", "Pots"], {"Colour": "Red"})
