"""Refusals: what people read of them."""

from mercat.kit.refusals import Conflict


class NotSo(Conflict):
    """It is not so, for one reason
    or another.

    `reason`: for programs."""


def test_people_read_the_first_paragraph_as_one_line():
    problem = NotSo(reason="another").problem()
    assert problem["title"] == problem["detail"] == "It is not so, for one reason or another."
