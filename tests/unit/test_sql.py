"""Statements say what their parameters are called; PostgreSQL is told their numbers."""

import pytest

from mercat.kit.sql import numbered


def test_parameters_are_numbered_as_the_heading_declares_them():
    text = "update t set title = :title, at = '12:30' where id = :id::bigint and title <> :title"
    assert numbered("rename", "id, title", text) == (
        "update t set title = $2, at = '12:30' where id = $1::bigint and title <> $2"
    )


def test_slices_and_casts_are_no_parameters():
    assert numbered("some", "most", "select (a)[1:most_of], b::text from t limit :most") == (
        "select (a)[1:most_of], b::text from t limit $1"
    )


@pytest.mark.parametrize(("declared", "text"), [("a", "select :b"), ("a, b", "select :a"), ("", "select :a")])
def test_what_is_declared_and_what_is_used_are_the_same(declared, text):
    with pytest.raises(ValueError, match="declared"):
        numbered("wrong", declared, text)
