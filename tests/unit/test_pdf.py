"""Sheets of paper: any writing, any length, the same bytes."""

import pytest
from papers import pages_of

from mercat.web.pdf import Column, Sheets

COLUMNS = [Column("What", 3), Column("How many", 1, True)]


def sheets(*words: str, rows: int = 0) -> bytes:
    made = Sheets("A paper", "Mercat")
    made.begin("A paper")
    for each in words:
        made.text(each)
    made.table(COLUMNS, [[f"Thing {n}", str(n)] for n in range(rows)])
    return made.finish()


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("Ünïcode Łódź ẞ", "Ünïcode Łódź ẞ"),
        ("E\u0301lise", "Élise"),
        ("Ζωή και Иван", "Ζωή και Иван"),
        ("山田太郎 台北市 서울", "山田太郎 台北市 서울"),
        ("محمد علي", "محمد علي"),
        ("שלום", "slvm"),
        ("₹ 5 ¥ 3 € 2", "₹ 5 ¥ 3 € 2"),
        ("a\u0007bc", "abc"),
        ("", ""),
        ("\U000f0000", ""),
    ],
)
def test_what_no_font_has_is_written_in_latin_letters(written: str, seen: str) -> None:
    [page] = pages_of(sheets(f"({written})"))
    said = "".join(page.split("What")[0].split())
    assert said == f"({''.join(seen.split())})"


def test_a_table_goes_on_with_its_headings_and_no_row_is_torn() -> None:
    pages = pages_of(sheets(rows=200))
    assert len(pages) > 3
    for n, page in enumerate(pages, 1):
        assert page.startswith("What\nHow many\nThing ")
        assert page.rstrip().endswith(f"Page {n} of {len(pages)}")
    assert sum(page.count("Thing ") for page in pages) == 200


def test_a_word_that_is_too_long_for_a_line_is_broken_within_it() -> None:
    [page] = pages_of(sheets("x" * 1_000))
    assert page.count("x") == 1_000
    assert max(map(len, page.splitlines())) < 200


def test_the_same_sheets_are_the_same_bytes() -> None:
    assert sheets("Tea", rows=3) == sheets("Tea", rows=3)
