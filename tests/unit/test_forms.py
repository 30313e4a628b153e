"""What leaves a form fits its struct; what does not fit is said of every field at once."""

import re
from datetime import date
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType
from starlette.datastructures import FormData

from mercat.ids import OfferId
from mercat.kit import codec
from mercat.web.field_rules import html_pattern, rules_of
from mercat.web.forms import MONEY, Form, FormErrors, named_lines, read_form

EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+(?![\s\S])"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    title: Annotated[
        str, Meta(min_length=1, max_length=20, pattern=r"\S", extra={"words": "Say what it is."})
    ]
    email: Annotated[str, Meta(max_length=254, pattern=EMAIL, extra={"words": "Write an e-mail address."})]
    quantity: Annotated[int, Meta(ge=1, le=9_999)]
    price: Annotated[int, Meta(ge=0), MONEY]
    status: Literal["active", "paused"]
    offer_id: OfferId | None = None
    factor: Annotated[float, Meta(ge=0.1, le=10)] | None = None
    images: Annotated[list[Annotated[str, Meta(max_length=30, pattern="^https://")]], Meta(max_length=2)] = []
    details: Annotated[
        dict[Annotated[str, Meta(max_length=5)], Annotated[str, Meta(max_length=9)] | float],
        Meta(max_length=2),
    ] = {}
    note: Annotated[str, Meta(max_length=10)] | UnsetType = UNSET
    starts_on: date | None = None
    same: bool = False
    password: Annotated[str, Meta(min_length=6)] = "unset!"


GOOD = {
    "title": "  Tea pot ",
    "email": "ann@example.com",
    "quantity": "12",
    "price": "12.50",
    "status": "active",
}


def test_texts_become_what_json_would_have_said():
    offer = OfferId(7)
    read = read_form(
        GOOD
        | {
            "offer_id": str(offer),
            "factor": "0.5",
            "images": "https://a\r\n\r\n https://b ",
            "details": "Hue: blue\nno colon\nSize: 3:4",
            "starts_on": "2026-11-30",
            "same": "1",
            "password": " with spaces ",
        },
        Ask,
    )
    assert read == Ask(
        title="Tea pot",
        email="ann@example.com",
        quantity=12,
        price=1_250,
        status="active",
        offer_id=offer,
        factor=0.5,
        images=["https://a", "https://b"],
        details={"Hue": "blue", "Size": "3:4"},
        starts_on=date(2026, 11, 30),
        same=True,
        password=" with spaces ",
    )


def test_what_is_empty_is_absent():
    read = read_form(GOOD | {"offer_id": "", "factor": " ", "note": "", "starts_on": ""}, Ask)
    assert isinstance(read, Ask)
    assert (read.offer_id, read.factor, read.note, read.starts_on, read.same) == (
        None,
        None,
        UNSET,
        None,
        False,
    )


def test_a_field_sent_several_times_is_a_list():
    form = FormData([*GOOD.items(), ("images", "https://a"), ("images", ""), ("images", "https://b")])
    read = read_form(form, Ask)
    assert isinstance(read, Ask)
    assert read.images == ["https://a", "https://b"]


def test_what_a_handler_made_of_a_field_is_taken_as_it_is():
    read = read_form(GOOD | {"details": {"Hue": 3.0}}, Ask)
    assert isinstance(read, Ask)
    assert read.details == {"Hue": 3.0}


def test_every_field_that_is_wrong_is_named_at_once():
    assert read_form({}, Ask) == {
        "title": "Say what it is.",
        "email": "Write an e-mail address.",
        "quantity": "A whole number from 1 to 9,999.",
        "price": "A price is a number such as 12.50, and not below 0.",
        "status": "Fill this in.",
    }


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("title", "x" * 21, "At most 20 characters."),
        ("email", "ann@localhost", "Write an e-mail address."),
        ("email", "a" * 250 + "@example.com", "At most 254 characters."),
        ("quantity", "0", "A whole number from 1 to 9,999."),
        ("quantity", "10000", "A whole number from 1 to 9,999."),
        ("quantity", "1.5", "A whole number from 1 to 9,999."),
        ("quantity", "٣", "A whole number from 1 to 9,999."),
        ("quantity", "9" * 5_000, "A whole number from 1 to 9,999."),
        ("price", "12.505", "A price is a number such as 12.50, and not below 0."),
        ("price", "-1", "A price is a number such as 12.50, and not below 0."),
        ("price", "nan", "A price is a number such as 12.50, and not below 0."),
        ("price", "1e400", "A price is a number such as 12.50, and not below 0."),
        ("price", "cheap", "A price is a number such as 12.50, and not below 0."),
        ("status", "sold", "Choose one of active, paused."),
        ("offer_id", "off_nonsense", "This does not look right."),
        ("offer_id", "7", "This does not look right."),
        ("factor", "11", "A number from 0.1 to 10."),
        ("factor", "nan", "A number from 0.1 to 10."),
        ("images", "https://a\nhttps://b\nhttps://c", "At most 2 of these."),
        ("images", "https://a\nftp://b", "ftp://b: this does not look right."),
        ("details", "Colour: blue", "Colour: at most 5 characters."),
        ("details", "Hue: ultramarine", "Hue: at most 9 characters."),
        ("details", "a: 1\nb: 2\nc: 3", "At most 2 of these."),
        ("note", "x" * 11, "At most 10 characters."),
        ("starts_on", "30.11.2026", "A day is written 2026-11-30."),
        ("password", "short", "At least 6 characters."),
    ],
)
def test_what_does_not_fit_is_said_in_plain_words(name, typed, words):
    assert read_form(GOOD | {name: typed}, Ask) == {name: words}


@pytest.mark.parametrize(
    ("currency", "typed", "minor"), [("JPY", "1250", 1_250), ("KWD", "1.230", 1_230), ("USD", "0", 0)]
)
def test_a_price_is_of_the_currency(currency, typed, minor):
    read = read_form(GOOD | {"price": typed}, Ask, currency=currency)
    assert isinstance(read, Ask)
    assert read.price == minor
    assert isinstance(read_form(GOOD | {"price": "1.2345"}, Ask, currency=currency), FormErrors)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(Ask.__struct_fields__), st.text(max_size=30)))
def test_what_leaves_a_form_is_what_json_takes(typed):
    read = read_form(GOOD | typed, Ask)
    if isinstance(read, Ask):
        assert codec.asked(Ask).decode(codec.encode(read)) == read
    else:
        assert read
        assert set(read) <= set(typed)


def test_a_page_gets_its_limits_from_the_struct():
    rules = rules_of(Ask)
    assert rules["title"].attributes() == (
        ' required maxlength="20" pattern=".*\\S.*" title="Say what it is."'
    )
    assert rules["quantity"].attributes() == (' required inputmode="numeric" min="1" step="1" max="9999"')
    assert rules["factor"].attributes() == ' inputmode="decimal" min="0.1" max="10" step="any"'
    assert rules["price"].attributes() == ' required inputmode="decimal"'
    assert rules["note"].attributes() == ' maxlength="10"'
    assert rules["password"].attributes() == ' minlength="6"'
    assert rules["offer_id"].attributes() == ""
    assert rules["title"].attributes("textarea") == ' required maxlength="20"'
    assert rules["title"].attributes("select", required=False) == ""
    assert (rules["quantity"].input, rules["price"].input) == ("number", "text")
    assert (rules["starts_on"].input, rules["password"].input) == ("date", "password")
    assert rules["password"].fits == "At least 6 characters."
    assert rules["factor"].fits == "A number from 0.1 to 10."


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"\S", " a ", "  "),
        (EMAIL, "ann@example.com", "ann@localhost"),
        (r"^(https?://|/)", "/media/a.svg", "media"),
        (r"^[A-Za-z]{2}$", "US", "USA"),
    ],
)
def test_a_browser_takes_what_the_server_takes(pattern, good, bad):
    assert re.search(pattern, good)
    assert re.fullmatch(html_pattern(pattern), good)
    assert not re.search(pattern, bad)
    assert not re.fullmatch(html_pattern(pattern), bad)


def test_a_form_is_shown_as_it_was_typed_with_what_is_wrong():
    typed = GOOD | {"quantity": "many", "password": "secret"}
    errors = read_form(typed, Ask)
    assert isinstance(errors, FormErrors)
    form = Form(Ask, typed, errors | {"": "All of it.", "hidden": "That too."})
    assert form.field("title", "Title").value == "  Tea pot "
    assert form.field("password", "Password").value == "", "a password is never sent back"
    wrong = form.field("quantity", "How many")
    assert (wrong.value, wrong.wrong) == ("many", "A whole number from 1 to 9,999.")
    assert [each.label for each in form.wrong] == ["How many"]
    assert form.wrong_elsewhere == ["All of it.", "That too."]


def test_of_a_form_in_every_row_the_row_that_was_sent_is_shown_as_typed():
    form = Form(Ask, {"quantity": "many"}, {"quantity": "A whole number."}, at="b")
    first, second = (form.field("quantity", row, at=row, value=7) for row in "ab")
    assert (first.key, first.value, first.wrong) == ("quantity-a", "7", "")
    assert (second.key, second.value, second.wrong) == ("quantity-b", "many", "A whole number.")
    assert form.wrong == [second]
    left = form.field("q-line", "Cups", at="b", value=3, like="quantity")
    assert 'max="3"' in left.rule.attributes(most=3)


def test_lines_that_name_something_are_a_dict():
    assert named_lines("A: b\n: c\nd:\n e : f: g ") == {"A": "b", "e": "f: g"}
