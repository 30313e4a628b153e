"""What an axis says: round steps up to what is shown, and whole ones where things are counted."""

import pytest

from mercat.web.charts import chart


@pytest.mark.parametrize(
    ("values", "bars", "marks"),
    [
        ([0.2, 1.0], False, ["0", "0.5", "1"]),  # a share is never more than a whole
        ([0.1 * 3, 0.1], False, ["0", "0.1", "0.2", "0.3"]),
        ([2, 1], True, ["0", "1", "2"]),
        ([260], True, ["0", "100", "200", "300"]),
        ([400], True, ["0", "100", "200", "300", "400"]),
        ([0], True, ["0", "1"]),
        ([], False, ["0", "1"]),
    ],
)
def test_an_axis_ends_at_the_round_number_above(values, bars, marks):
    labels = [str(n) for n in range(len(values))]
    drawn = chart("name", "Title", "", labels, values, words=lambda each: f"{each:.4g}", bars=bars)
    assert [each.words for each in drawn.rises] == marks
