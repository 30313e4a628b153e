"""Text in one form: composed, trimmed, and empty where nothing can be seen."""

import weakref
from datetime import datetime
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from mercat.kit.text import normal_code, normal_text, plain_problem


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Ann ", "Ann"),
        ("Jose\u0301", "Jos\u00e9"),
        ("\ufeffAnn\u200b", "Ann"),
        ("\u200b \u2060", ""),
        ("\u3164\u2800", ""),
        ("\u0301", ""),
        ("\U0001f469\u200d\U0001f373", "\U0001f469\u200d\U0001f373"),
        ("a\u200cb", "a\u200cb"),
    ],
)
def test_what_is_kept_of_what_was_typed(typed, kept):
    assert normal_text(typed) == kept


@given(st.text())
def test_a_text_in_normal_form_stays_as_it_is(text):
    assert normal_text(normal_text(text)) == normal_text(text)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("", Annotated[str, Meta(min_length=1)], "Write something here."),
        ("abc", Annotated[str, Meta(max_length=2)], "Write at most 2 characters."),
        ([], Annotated[list[int], Meta(min_length=1)], "Name at least 1."),
        (6, Annotated[int, Meta(le=5)], "Give a whole number of at most 5."),
        (0.0, Annotated[float, Meta(gt=0)], "Give a number above 0.0."),
        ("5", int, "Give a whole number here, not a text."),
        (True, int | None, "Give a whole number or null here, not true or false."),
        ("yesterday", datetime, "Write a time as in 2026-11-30T12:00:00Z."),
        ("x", Literal["a", "b"], "'x' is none of what can stand here; /api/v1/docs lists it."),
    ],
)
def test_what_does_not_fit_is_said_in_plain_words_with_what_does(value, kind, words):
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(value, kind)
    assert plain_problem(str(refused.value)) == words


class _Typed(str):
    """Text of which can be seen whether anybody keeps it."""


@pytest.mark.parametrize("address", ["Ann@example.com", "\uff21nn@example.com"])
def test_nothing_is_kept_of_what_was_brought_into_a_form_to_be_compared(address):
    typed = _Typed(address)
    kept = weakref.ref(typed)
    assert normal_code(typed) == "ann@example.com"
    del typed
    assert kept() is None
