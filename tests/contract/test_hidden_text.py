"""Texts that people read: nothing hides in them, wherever they are written."""

import re
from collections.abc import Iterator
from typing import Any

from contract.test_exports import PNG
from msgspec import inspect
from one_scene import one_scene

from mercat.catalog.formatted import plain_text
from mercat.kit.text import LINE, PROSE, SEEN_LINE, SEEN_PROSE
from mercat.web.routes import PREFIX, TABLE

HIDDEN = ["a\u202eb", "a\u2066b", "a\x07b", "a\x85b"]
READ = {LINE, PROSE, SEEN_LINE, SEEN_PROSE}
NOT_READ = {
    # Compared or looked up, never shown as they were typed: secrets, keys, names of what is there.
    *("password", "current_password", "code", "token", "key", "quote_id", "seen", "number", "email", "q"),
    *("category", "names", "tz", "shipping_method", "account", "when", "then", "wanted", "about", "needed"),
    *("without_rate", "markets", "currency"),
    # With a pattern of their own.
    *("gtin", "countries", "country", "class", "tax_class", "images", "holidays", "cut_off", "url", "bank"),
    *("postal_from", "postal_to", "prices"),
}
"""Names of members, of which a path may hold one."""


def texts(
    kind: inspect.Type, at: str = "", within: tuple[type, ...] = ()
) -> Iterator[tuple[str, str | None]]:
    """List the texts in a body by where they stand, with the pattern that each must have."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    match kind:
        case inspect.StrType():
            yield at, kind.pattern
        case inspect.StructType() if kind.cls not in within:
            for field in kind.fields:
                yield from texts(field.type, f"{at}/{field.encode_name}", (*within, kind.cls))
        case inspect.ListType():
            yield from texts(kind.item_type, at, within)
        case inspect.DictType():
            yield from texts(kind.key_type, at, within)
            yield from texts(kind.value_type, at, within)
        case inspect.UnionType():
            for each in kind.types:
                yield from texts(each, at, within)
        case _:
            pass


def test_every_text_that_is_read_has_a_pattern_in_which_nothing_hides() -> None:
    found = [
        (route.verb, route.path, at, pattern)
        for route in TABLE
        if route.body
        for at, pattern in texts(inspect.type_info(route.body))
        if pattern not in READ and NOT_READ.isdisjoint(at.split("/"))
    ]
    assert found == []


def test_no_pattern_lets_a_sign_through_that_hides() -> None:
    for pattern in READ:
        assert re.search(pattern, "Émile's “best” 茶 ☕")
        assert [text for text in HIDDEN if re.search(pattern, text)] == []


@one_scene("hidden", HIDDEN)
async def test_no_text_of_a_product_hides_anything(people: Any, hidden: str) -> None:
    thing = {"title": "Cup", "description": "", "category": "Cups", "price": 5, "quantity": 1}
    sized = {"options": {"Size": hidden}, "price": 5, "quantity": 1}
    for pointer, member in (
        ("/description", {"description": hidden}),
        ("/brand", {"brand": hidden}),
        ("/attributes/Colour", {"attributes": {"Colour": hidden}}),
        ("/attributes", {"attributes": {hidden: "red"}}),
        ("/options/0/values/0", {"options": [{"name": "Size", "values": [hidden]}], "variants": [sized]}),
        ("/variants/0/sku", {"variants": [{"options": {}, "sku": hidden, "price": 5, "quantity": 1}]}),
    ):
        said = await people.seller.post(f"{PREFIX}/seller/products", json=thing | member)
        assert said.status_code == 422, (member, said.text)
        assert said.json()["pointer"].startswith(pointer.rsplit("/", 1)[0] or pointer), (pointer, said.text)


@one_scene("hidden", HIDDEN)
async def test_nothing_hides_in_what_is_said_of_a_picture(people: Any, hidden: str) -> None:
    sent = {"files": {"file": ("a.png", PNG)}, "data": {"alt": hidden}}
    said = await people.seller.post(f"{PREFIX}/media", **sent)
    assert (said.status_code, said.json()["pointer"]) == (422, "/alt"), said.text
    assert said.json()["detail"].startswith("A text has no control characters")


def test_of_a_file_such_signs_are_left_out() -> None:
    assert plain_text(" a\u202eb\0c\x0bd\x1fe\n f ") == "abc d e\n f"
