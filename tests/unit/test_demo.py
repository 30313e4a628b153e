"""The demo shop: goods that are the same each time and sane, pictures that no address can break."""

import itertools
import math
import re
from collections import Counter
from datetime import date, timedelta
from urllib.parse import urlsplit
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercat import money
from mercat.cli import open_demo
from mercat.lab.demo import (
    DEPARTMENTS,
    SELLERS,
    ProductRow,
    draw,
    draw_from_path,
    kind_of,
    products,
    reviews,
    seed_of,
)
from mercat.lab.demo.pictures import BACKDROPS, COLOURS, PATTERNS, POSES, seed_for
from mercat.lab.demo.products import TODAY, VARIANTS_MAX
from mercat.lab.demo.silhouettes import SILHOUETTES

PICTURE_MAX = 4_096
DRAWING = "svg title defs linearGradient radialGradient stop clipPath g path rect circle ellipse"


@pytest.fixture(scope="module")
def shop() -> list[ProductRow]:
    return list(products())


def svg(text: str) -> ElementTree.Element:
    """Parses strictly, and finds nothing but drawing: no script, no link, no style, no handler."""
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("viewBox") == "0 0 800 800"
    drawing = set(DRAWING.split())
    for each in root.iter():
        assert each.tag.removeprefix("{http://www.w3.org/2000/svg}") in drawing
        assert not [
            name for name in each.attrib if name.startswith("on") or "href" in name or name == "style"
        ]
    return root


def test_the_same_seed_makes_the_same_goods_and_another_others(shop):
    assert list(products()) == shop
    assert [row.title for row in products(200, seed=2)] != [row.title for row in shop[:200]]


def test_a_longer_run_begins_with_a_shorter_one(shop):
    assert list(itertools.islice(products(50_000), 2_400)) == shop
    assert list(products(7)) == shop[:7]
    assert list(products(0)) == []


def test_goods_are_made_one_at_a_time():
    endless = products(10**12)
    assert [next(endless).external_id for _ in range(2)] == ["demo-0000001", "demo-0000002"]


def test_over_two_thousand_products_in_over_thirty_categories_of_ten_departments(shop):
    assert len(shop) >= 2_000
    assert len({row.external_id for row in shop}) == len(shop)
    paths = Counter(tuple(row.category_path) for row in shop)
    assert len(paths) >= 36
    assert {path[0] for path in paths} == {department.name for department in DEPARTMENTS}
    assert {len(path) for path in paths} == {2}
    assert min(paths.values()) >= 8, "a category page should not look deserted"
    assert max(paths.values()) > 4 * min(paths.values()), "some kinds are common, some rare"


def test_titles_are_told_apart(shop):
    assert len({row.title for row in shop}) == len(shop)
    assert max(len(row.title) for row in shop) <= 120
    many = [row.title for row in products(60_000)]
    assert len(set(many)) > 0.999 * len(many)


def test_what_is_written_is_whole(shop):
    for row in shop:
        said = f"{row.title} {row.description}"
        assert not re.search(r"[{}]|  |\bNone\b|\b[Aa] [aeiAEI]", said), said
        assert row.description.count(". ") >= 2
        assert row.description.endswith(".")
        assert row.description[0].isupper() or row.description[0].isdigit()
        assert not re.search(r"\b([A-Z]\w+) \1\b", row.title), row.title
        assert row.tags
        assert all(row.tags)


def test_prices_are_positive_and_end_as_prices_do(shop):
    for row in shop:
        for variant in row.variants:
            assert variant.price > 0
            assert variant.price % 100 in {99, 49, 0}
    prices = sorted(row.price for row in shop)
    logs = [math.log(price) for price in prices]
    mean = sum(logs) / len(logs)
    assert abs(mean - logs[len(logs) // 2]) < 0.5, "about as many octaves above the middle as below"
    assert prices[-1] > 50 * prices[0]


def test_prices_of_a_kind_follow_what_is_in_it(shop):
    capacity = [row for row in shop if "Storage" in row.options]
    assert capacity
    for row in capacity:
        one = [v.price for v in row.variants if set(v.options.items()) >= set(first_colour(row))]
        assert one == sorted(one)
        assert one[0] < one[-1], "more storage costs more"


def first_colour(row: ProductRow) -> list[tuple[str, str]]:
    return [("Colour", row.options["Colour"][0])] if "Colour" in row.options else []


def test_variants_are_all_combinations_of_the_options(shop):
    for row in shop:
        assert 1 <= len(row.variants) <= VARIANTS_MAX
        assert row.price == row.variants[0].price
        assert row.currency == "USD"
        combinations = itertools.product(*row.options.values())
        expected = [dict(zip(row.options, values, strict=True)) for values in combinations]
        assert [variant.options for variant in row.variants] == expected
        for name, values in row.options.items():
            assert len(set(values)) == len(values) >= 2, name
    skus = [variant.sku for row in shop for variant in row.variants]
    assert len(set(skus)) == len(skus)
    assert 0.2 < sum(bool(row.options) for row in shop) / len(shop) < 0.45


def test_a_few_are_sold_out_and_a_few_nearly_so(shop):
    most = [max(variant.quantity for variant in row.variants) for row in shop]
    assert min(variant.quantity for row in shop for variant in row.variants) == 0
    assert 0.01 < sum(quantity == 0 for quantity in most) / len(most) < 0.06
    assert 0.02 < sum(1 <= quantity <= 4 for quantity in most) / len(most) < 0.1


def test_attributes_are_typed_alike_within_a_kind(shop):
    kinds: dict[tuple[str, str], set[type]] = {}
    for row in shop:
        for name, value in row.attributes.items():
            kinds.setdefault((row.category_path[-1], name), set()).add(type(value))
    assert all(len(types) == 1 for types in kinds.values())
    assert {str, float, bool} == set().union(*kinds.values())
    assert sum(len(row.attributes) >= 3 for row in shop) > 0.8 * len(shop)


def test_ratings_are_j_shaped_and_some_have_none(shop):
    assert all(len(row.rating_histogram) == 5 and min(row.rating_histogram) >= 0 for row in shop)
    one, two, three, four, five = (
        sum(stars) for stars in zip(*(r.rating_histogram for r in shop), strict=True)
    )
    assert five > four > three > two
    assert one > two, "the foot of the J"
    unrated = sum(not any(row.rating_histogram) for row in shop)
    assert 0.05 < unrated / len(shop) < 0.25


def test_dates_sellers_and_brands(shop):
    assert {row.seller for row in shop} == set(range(len(SELLERS)))
    assert len(set(SELLERS)) >= 6
    assert SELLERS[0] == "Bob's Bazaar"
    assert all(TODAY - timedelta(days=3 * 366) <= date.fromisoformat(row.released) <= TODAY for row in shop)
    brands = Counter(row.brand for row in shop if row.category_path[-1] == "Phones")
    assert brands.most_common(1)[0][1] > 2 * sum(brands.values()) / len(brands), "a few brands lead"
    assert all(row.popularity >= sum(row.rating_histogram) for row in shop)


def test_a_case_is_sold_for_a_phone_that_is_sold_too(shop):
    phones = [row for row in shop if row.category_path[-1] == "Phones"]
    cases = [row for row in phones if " for " in row.title]
    assert cases
    for case in cases:
        fitted = case.title.split(" for ")[1].split(" Phone")[0]
        assert [row for row in phones if row.title.startswith(f"{fitted} ")], case.title
        assert "k=case" in case.image_urls[0]


def test_rows_travel_as_json(shop):
    for row in shop[:100]:
        assert msgspec.json.decode(msgspec.json.encode(row), type=ProductRow) == row


def test_reviews_are_the_same_each_time_and_fall_as_the_histogram_does(shop):
    row = max(shop, key=lambda row: sum(row.rating_histogram))
    written = reviews(row, 400)
    assert written == reviews(row, 400)
    assert len(written) == 400
    assert reviews(row, 0) == []
    share = row.rating_histogram[4] / sum(row.rating_histogram)
    assert abs(sum(stars == 5 for stars, *_ in written) / 400 - share) < 0.1
    assert len({body for _, _, body, _ in written}) > 60
    for stars, title, body, author in reviews(shop[0], 30) + reviews(shop[1], 30):
        assert 1 <= stars <= 5
        assert title
        assert body.endswith((".", "!"))
        assert re.fullmatch(r"\w+ \w\.", author)


@pytest.mark.parametrize("kind", [*SILHOUETTES, "nothing we know"])
def test_every_kind_is_drawn_small_and_well_formed(kind):
    colours, backdrops = range(len(COLOURS)), range(BACKDROPS)
    for pattern in range(PATTERNS):
        for pose in range(POSES):
            seed = seed_for(colours[pattern * 5 % 16], backdrops[(pattern + pose) % BACKDROPS], pose, pattern)
            picture = draw(kind, seed, "A thing & <another>")
            assert len(picture.encode()) <= PICTURE_MAX
            assert svg(picture).findtext("{*}title") == "A thing & <another>"


def test_kinds_colours_and_seeds_make_different_pictures():
    assert len({draw(kind, 5, "") for kind in SILHOUETTES}) == len(SILHOUETTES) >= 16
    assert (
        len({draw("mug", seed, "") for seed in range(len(COLOURS) * BACKDROPS)}) == len(COLOURS) * BACKDROPS
    )
    assert draw("nothing we know", 5, "") == draw("box", 5, "")


def test_every_picture_of_the_shop_is_drawn_from_its_address_alone(shop):
    colours = list(COLOURS)
    for row in shop[:600]:
        assert row.image_urls
        assert len(set(row.image_urls)) == len(row.image_urls)
        for url in row.image_urls:
            address = urlsplit(url)
            assert address.path == f"/media/art/{row.external_id}.svg"
            svg(draw_from_path(address.path.removeprefix("/media/art/"), address.query))
        if "Colour" in row.attributes:
            seed = int(row.image_urls[0].split("s=")[1])
            assert colours[seed % len(colours)] == row.attributes["Colour"]


def test_a_variant_has_the_picture_of_its_colour(shop):
    seen = 0
    for row in shop:
        for variant in row.variants:
            assert bool(variant.image_urls) == ("Colour" in row.options)
            if variant.image_urls:
                place = row.options["Colour"].index(variant.options["Colour"])
                assert variant.image_urls == [row.image_urls[place]]
                seen += 1
    assert seen > 100


def test_every_kind_of_goods_has_a_silhouette_of_its_own():
    for department in DEPARTMENTS:
        for kind in department.kinds:
            assert kind.picture in SILHOUETTES
            assert kind.extra is None or kind.extra.picture in SILHOUETTES


def test_the_picture_suits_the_noun(shop):
    """A rabbit is not drawn as a bear, nor a kettlebell as a dumbbell."""
    suits = {"Rabbit": 1, "Teddy Bear": 0, "Kettlebell": 1, "Backpack": 0, "Tote Bag": 1, "Beanie": 1}
    seen = Counter()
    for row in shop:
        for noun, rest in suits.items():
            if f" {noun}" in row.title and " for " not in row.title and row.category_path[0] != "Books":
                seen[noun] += 1
                seed = int(row.image_urls[0].split("s=")[1])
                assert seed // (len(COLOURS) * BACKDROPS * POSES) % 2 == rest, row.title
    assert set(seen) == set(suits)


@given(path=st.text(max_size=60), query=st.text(max_size=200))
def test_no_address_breaks_a_picture(path, query):
    picture = draw_from_path(path, query)
    svg(picture)
    assert draw_from_path(path, query) == picture


@given(kind=st.text(max_size=20), seed=st.integers(), title=st.text(st.characters(codec=None), max_size=300))
def test_no_title_breaks_a_picture(kind, seed, title):
    svg(draw(kind, seed, title))


@pytest.mark.parametrize(
    "query",
    [
        "k=mug&s=99999999999999999999999999",
        "k=mug&s=-1",
        "k=mug&s=%D9%A3",
        "k=../../etc/passwd&s=NaN",
        "k=%00%ff&t=%00%08%1b%ff%fe",
        "t=<script>alert(1)</script>",
        "t=\"/><image href='http://example.com/x'/>",
        "t=%3C%2Ftitle%3E%3Cscript%3E",
        "t=%ED%A0%80&k=",
        "\ud800=\udfff&t=\ud800",
        "&".join("k=mug" for _ in range(5_000)),
        "=&&==;;%",
    ],
)
def test_hostile_addresses_are_drawn_as_something_harmless(query):
    for path in ("", "../../x.svg", "\x00", "\ud800", "a" * 10_000):
        picture = draw_from_path(path, query)
        svg(picture)
        assert len(picture.encode()) <= PICTURE_MAX


@pytest.mark.parametrize(
    ("title", "category", "kind"),
    [
        ("Norrland Aster 27-inch 4K Monitor with USB-C", "", "monitor"),
        ("Leather Case for Halvorix Phone", "", "case"),
        ("Asus 16-inch laptop case, black", "", "case"),
        ("Cables", "", "charger"),
        ("Computer monitor black 24 in, USB cable", "", "monitor"),
        ("WHITE HANGING BIRD", "Candles", "lamp"),
        ("Stereo Headphones", "Audio", "headphones"),
        ("Harry Something and the Stone", "Books", "book"),
        ("9780439554930", "", "box"),
        ("", "", "box"),
    ],
)
def test_words_tell_the_silhouette_of_what_came_without_a_picture(title, category, kind):
    assert kind_of(title, category) == kind


def test_what_has_only_a_title_is_drawn_by_it():
    assert draw_from_path("prod_1", "t=Blue+mug") == draw("mug", seed_of("prod_1"), "Blue mug")
    assert draw_from_path("prod_1", "") == draw("box", seed_of("prod_1"), "")
    assert draw_from_path("prod_1", "") != draw_from_path("prod_2", "")


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD", "EUR"])
def test_demo_goods_can_be_sold_in_the_shops_currency(currency):
    for row in products(200):
        read = open_demo._read(row, currency)
        assert read.currency == currency
        for variant, drawn in zip(read.variants, row.variants, strict=True):
            assert variant.price > 0
            assert variant.price % money.step(currency) == 0
            assert abs(money.shown(variant.price, currency) - drawn.price / 100) <= 0.5
