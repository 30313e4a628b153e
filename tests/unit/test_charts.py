"""What an axis says: round steps up to what is shown, and whole ones where things are counted."""

import pytest

from mercat.web.charts import chart


@pytest.mark.parametrize(
    ("values", "of", "marks"),
    [
        ([0.2, 1.0], "rates", ["0", "0.5", "1"]),  # a share is never more than a whole
        ([0.1 * 3, 0.1], "rates", ["0", "0.1", "0.2", "0.3"]),
        ([2, 1], "counts", ["0", "1", "2"]),
        ([260], "counts", ["0", "100", "200", "300"]),
        ([400], "counts", ["0", "100", "200", "300", "400"]),
        ([0], "counts", ["0", "1"]),
        ([], "rates", ["0", "1"]),
    ],
)
def test_an_axis_ends_at_the_round_number_above(values, of, marks):
    labels = [str(n) for n in range(len(values))]
    drawn = chart("name", "Title", "", labels, values, words=lambda each: f"{each:.4g}", of=of)
    assert [each.words for each in drawn.rises] == marks


def test_an_axis_of_money_has_no_marks_between_its_smallest_units():
    drawn = chart("name", "Title", "", ["Mon"], [1], words=lambda cents: f"{round(cents)}", of="money")
    assert [each.words for each in drawn.rises] == ["0", "1"]
    assert not drawn.bars
