"""What an index stores of a product: its form covers every field, and small decisions about it."""

import msgspec
import pytest
from search_products import document, gone, product

from mercat.ids import SellerId
from mercat.kit import codec
from mercat.search import SEARCH_SORTS, ProductCard, price_range, price_ranges
from mercat.search.consistency import difference
from mercat.search.engines import opensearch, tantivy
from mercat.search.engines.choose import index_store
from mercat.search.facets.ranges import count_ranges, count_ratings, price_rating_bucket
from mercat.search.messages import CardSeller
from mercat.search.product_entry import card_json, index_form
from mercat.settings import WrongSetting, load
from mercat.web.schemas import card, shown_cards


def card_with(*fields, seller=CardSeller):
    """The card with other fields."""
    there = {
        field.name: (field.name, field.type, msgspec.field(default=None))
        for field in msgspec.structs.fields(ProductCard)
    }
    there["seller"] = ("seller", seller, msgspec.field(default=None))
    return msgspec.defstruct("ProductCard", [*there.values(), *fields])


def test_the_form_changes_with_every_field_of_a_card_and_of_what_is_in_it():
    class Seller(CardSeller, frozen=True):
        verified: bool = False

    forms = [
        index_form("schema", card_with()),
        index_form("schema", card_with(("delivery_days", int, 0))),
        index_form("schema", card_with(("delivery_days", str, ""))),
        index_form("schema", card_with(seller=Seller)),
        index_form("other schema", card_with()),
    ]
    assert len(set(forms)) == len(forms)
    assert index_form("schema", card_with()) == forms[0]


@pytest.mark.parametrize(
    ("engine", "schema"),
    [
        (tantivy, tantivy.FIELDS),
        (opensearch, (opensearch.MAPPING, opensearch.layout_of() | opensearch.SETTINGS)),
    ],
)
def test_the_form_of_an_engine_covers_cards_and_schema(engine, schema):
    assert index_form(schema) == engine.FORM
    assert index_form(schema, card_with(("delivery_days", int, 0))) != engine.FORM
    assert index_form((schema, "another field")) != engine.FORM


def test_an_index_without_a_field_of_the_card_is_of_another_form(tmp_path, monkeypatch):
    store = tantivy.TantivyStore(tmp_path)
    monkeypatch.setattr(tantivy, "FORM", index_form(tantivy.FIELDS, card_with(("delivery_days", int, 0))))
    store.use(store.new_path())
    assert store.current() is not None
    monkeypatch.undo()
    assert store.current() is None


@pytest.mark.parametrize(
    ("value", "currency", "bounds"),
    [
        ("0-25", "USD", (0, 2_499)),
        ("25-50", "USD", (2_500, 4_999)),
        ("100-", "USD", (10_000, None)),
        ("5000-10000", "JPY", (5_000, 9_999)),
        ("25000-50000", "KRW", (25_000, 49_999)),
        ("250-500", "SEK", (25_000, 49_999)),
        ("0-25", "KWD", (0, 24_999)),
    ],
)
def test_price_ranges_adjoin(value, currency, bounds):
    shown = price_range(value, currency)
    assert shown is not None
    assert shown.bounds(currency) == bounds


def test_only_these_are_price_ranges_and_sorts():
    assert [each.value for each in price_ranges("USD")] == ["0-25", "25-50", "50-100", "100-"]
    assert price_range("0-26", "USD") is price_range("", "USD") is price_range("0-25", "JPY") is None
    assert SEARCH_SORTS == ("relevance", "price_asc", "price_desc", "rating", "newest")


def test_products_are_counted_by_range_and_rating():
    documents = [
        document(1, price=2_499, rating=0),
        document(2, price=2_500, rating=3.9),
        document(3, price=99_900, rating=5),
    ]
    buckets = {price_rating_bucket(each): 1 for each in documents}
    assert count_ranges(buckets) == [1, 1, 0, 1]
    assert count_ratings(buckets) == [1, 2, 2, 2]


def test_a_card_has_its_price_in_minor_units():
    card = msgspec.json.decode(card_json(document(1, price=1_999)))
    assert card["price"] == 1_999
    assert card["seller"] == {"seller_id": str(SellerId(1)), "name": "Bob's"}


TEA, SOLD = product(1, "Tea", version=3), gone(1, version=3)
TEA_CARD, CUP_CARD = card_json(document(1, "Tea")), card_json(document(1, "Cup"))


@pytest.mark.parametrize(
    ("change", "version", "card", "kind"),
    [
        (TEA, None, None, "missing"),
        (SOLD, None, None, None),
        (TEA, 2, TEA_CARD, "older"),
        (SOLD, 2, TEA_CARD, "older"),
        (TEA, 3, TEA_CARD, None),
        (TEA, 3, CUP_CARD, "other"),
        (SOLD, 3, b"", None),
        (SOLD, 3, TEA_CARD, "other"),
        (TEA, 4, CUP_CARD, None),
    ],
)
def test_how_an_index_differs(change, version, card, kind):
    assert difference(change, version, card) == kind


@pytest.mark.parametrize(
    ("price", "currency", "shown"), [(1_999, "USD", 19.99), (1_999, "JPY", 1_999), (1_990, "KWD", 1.99)]
)
def test_the_public_card_of_the_index_is_that_of_the_catalogue(price, currency, shown):
    here = document(1, price=price, currency=currency, brand="Acme", external_id="ext-1")
    [public] = shown_cards([msgspec.Raw(card_json(here))]).cards
    assert msgspec.json.decode(public) == msgspec.json.decode(codec.encode(card(here)))
    assert msgspec.json.decode(public)["price"] == shown


@pytest.mark.parametrize(
    ("told", "laid_out"),
    [
        ({}, {"number_of_shards": 1, "auto_expand_replicas": "0-1"}),
        (
            {"MERCAT_OPENSEARCH_SHARDS": "24", "MERCAT_OPENSEARCH_REPLICAS": "2"},
            {"number_of_shards": 24, "number_of_replicas": 2},
        ),
        ({"MERCAT_OPENSEARCH_REPLICAS": "0"}, {"number_of_shards": 1, "number_of_replicas": 0}),
    ],
)
def test_an_index_of_opensearch_is_laid_out_as_settings_say_and_its_form_stays(told, laid_out, monkeypatch):
    store = index_store(load({"MERCAT_OPENSEARCH_URL": "http://127.0.0.1:9", **told}))
    assert isinstance(store, opensearch.OpenSearchStore)
    sent = []
    monkeypatch.setattr(store.http, "ask", lambda *asked: sent.append(asked))
    path = f"{store.alias}-1"
    store.writer(path, create=True)
    [(verb, address, body, _)] = sent
    assert (verb, address) == ("PUT", f"/{path}")
    assert body["settings"] == opensearch.SETTINGS | laid_out
    assert store.alias == f"mercat-{opensearch.FORM}"


@pytest.mark.parametrize("wrong", ["OPENSEARCH_SHARDS=0", "OPENSEARCH_SHARDS=2000", "OPENSEARCH_REPLICAS=-2"])
def test_a_layout_that_cannot_be_stops_the_start(wrong):
    name, value = f"MERCAT_{wrong}".split("=")
    with pytest.raises(WrongSetting, match=name):
        load({name: value})
