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


def test_blocks_beside_each_other_go_on_over_pages_and_all_of_them_is_there() -> None:
    made = Sheets("A paper", "Mercat")
    made.begin("A paper")
    made.beside(["Left", *(f"l{n}." for n in range(300))], ["Right", *(f"r{n}." for n in range(70))])
    made.table(COLUMNS, [["Thing", "1"]])
    pages = pages_of(made.finish())
    assert len(pages) > 3
    said = "\n".join(pages)
    assert [f"l{n}." for n in range(300) if f"l{n}." not in said] == []
    assert [f"r{n}." for n in range(70) if f"r{n}." not in said] == []
    assert "What\nHow many\nThing\n1" in pages[-1]


def test_a_name_of_any_writing_and_length_fits_the_foot() -> None:
    made = Sheets("A paper", "Mercat")
    made.begin("த " + "Wide name " * 40)
    [page] = pages_of(made.finish())
    assert "த" not in page
    assert page.rstrip().endswith("Page 1 of 1")
    assert len(page.splitlines()[0]) < 200
