"""Text in one form: composed, trimmed, and empty where nothing can be seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercat.kit.text import normal_text


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
