"""Small files that would become large: refused before there is room made for them."""

import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import spreadsheet

from mercat.catalog import BrokenFile, read_rows
from mercat.catalog.file_rows import opened, unpack_several

_HEADING = '<row r="1"><c r="A1" t="inlineStr"><is><t>title</t></is></c><c r="B1"><v>1</v></c></row>'


def workbook(rows: str, more: dict[str, str] | None = None) -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(spreadsheet.workbook({"a": [["title"]]}))) as usual,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        parts = {each.filename: usual.read(each).decode() for each in usual.infolist()}
        sheet = f'<worksheet xmlns="{spreadsheet.MAIN}"><sheetData>{rows}</sheetData></worksheet>'
        for name, content in (parts | {"xl/worksheets/sheet1.xml": sheet} | (more or {})).items():
            archive.writestr(name, content)
    return packed.getvalue()


def rows_of(content: bytes, folder: Path) -> list[object]:
    file = folder / "file"
    file.write_bytes(content)
    with opened(file) as raw:
        return [row for _, row in read_rows(raw)]


FAR = {
    "a cell in the far corner": _HEADING + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
    "single quotes": _HEADING + "<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>",
    "behind a sign": _HEADING + '<row><c x=">" r="XFD1048576"><v>1</v></c></row>',
    "cells that do not say where": f'<row r="1">{"<c><v>1</v></c>" * 16_384}</row>'
    '<row r="1048576"><c><v>1</v></c></row>',
    "by a prefix": '<x:row r="1"><x:c r="A1"/></x:row><x:row><x:c r="XFD1048576"><x:v>1</x:v></x:c></x:row>',
    "beyond all sheets": _HEADING + '<row r="99999999999"><c r="ZZZZZZZ9"><v>1</v></c></row>',
    "behind an attribute in quotes": _HEADING + """<row><c x=" r='A2'" r="XFD1048576"><v>1</v></c></row>""",
    "between comments": _HEADING
    + '<!-- <row x=" --><row r="1048576"><c r="XFD1048576"><v>1</v></c></row><!-- "> -->',
    "between CDATA": '<row r="1"><c r="A1" t="inlineStr"><is><t>a<![CDATA[ <row x=" ]]></t></is></c></row>'
    '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row><row><c><is><t><![CDATA["> ]]></t></is></c></row>',
    "a long tag": _HEADING + f'<row><c x="{"a" * 200_000}" r="XFD1048576"><v>1</v></c></row>',
}


@pytest.mark.parametrize("rows", FAR.values(), ids=FAR.keys())
def test_a_sheet_whose_cells_are_far_apart_is_refused(rows: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match="too far apart"):
        rows_of(workbook(rows), tmp_path)


ILL = {
    "a sign in a value": _HEADING + f'{" " * 250_000}<row><c x="<" r="XFD1048576"><v>1</v></c></row>',
    "tags without end": "<c " * 300_000,
    "a tag of a megabyte and more": f'<row x="{"a" * 2_000_000}"/>',
    "deeper than sheets are": "<a>" * 1_000 + "</a>" * 1_000,
    "names without end": "".join(f"<a{n}/>" for n in range(50_000)),
    "a shared text that there is not": '<row><c t="s"><v>0</v></c></row>',
}


@pytest.mark.parametrize("rows", ILL.values(), ids=ILL.keys())
def test_a_sheet_that_is_no_sound_xml_is_refused(rows: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match=r"spreadsheet|there is not"):
        rows_of(workbook(rows), tmp_path)


SHEET = f'<worksheet xmlns="{spreadsheet.MAIN}"><sheetData>{_HEADING}</sheetData></worksheet>'


@pytest.mark.parametrize(
    "content",
    [
        f"<!DOCTYPE worksheet>{SHEET}",
        f'<!DOCTYPE worksheet [<!ENTITY a "b">]>{SHEET}',
        f'<?xml version="1.0" encoding="cp037"?>{SHEET}',
        SHEET.encode("utf-16").decode("latin-1"),
    ],
)
def test_a_sheet_that_others_may_read_otherwise_is_refused(content: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match=r"UTF-8|document type"):
        rows_of(workbook("", {"xl/worksheets/sheet1.xml": content}), tmp_path)


def test_the_cells_of_all_sheets_count_together(tmp_path: Path) -> None:
    wide = f'<row r="1">{"<c><v>1</v></c>" * 100}</row><row r="10000"><c r="A10000"><v>1</v></c></row>'
    sheet = f'<worksheet xmlns="{spreadsheet.MAIN}"><sheetData>{wide}</sheetData></worksheet>'
    with pytest.raises(BrokenFile, match="5 million cells"):
        rows_of(workbook(wide, {f"xl/worksheets/sheet{n}.xml": sheet for n in range(2, 8)}), tmp_path)


def test_a_long_text_that_many_cells_share_is_refused(tmp_path: Path) -> None:
    shared = f'<sst xmlns="{spreadsheet.MAIN}"><si><t>{"a" * 1_000_000}</t></si></sst>'
    rows = '<row><c t="s"><v>0</v></c></row>' * 1_000
    with pytest.raises(BrokenFile, match="too much"):
        rows_of(workbook(rows, {"xl/sharedStrings.xml": shared}), tmp_path)


def test_texts_that_cells_share_are_read(tmp_path: Path) -> None:
    texts = (
        "<si><t>title</t></si><si><r><t>Cu</t></r><r><t>p</t></r></si><si><t>b</t><rPh><t>c</t></rPh></si>"
    )
    shared = f'<sst xmlns="{spreadsheet.MAIN}">{texts}</sst>'
    rows = "".join(f'<row><c t="s"><v>{n}</v></c></row>' for n in (0, 1, 2))
    read = rows_of(workbook(rows, {"xl/sharedStrings.xml": shared}), tmp_path)
    assert read == [{"title": "Cup"}, {"title": "b"}]


def test_many_sheets_of_one_part_are_refused(tmp_path: Path) -> None:
    wide = f'<row r="1">{"<c><v>1</v></c>" * 100}</row><row r="40000"><c r="A40000"><v>1</v></c></row>'
    named = "".join(f'<sheet name="{n}" sheetId="{n}" r:id="r1"/>' for n in range(1, 10))
    spaces = f'xmlns="{spreadsheet.MAIN}" xmlns:r="{spreadsheet.OFFICE}"'
    book = f"<workbook {spaces}><sheets>{named}</sheets></workbook>"
    with pytest.raises(BrokenFile, match="too much"):
        rows_of(workbook(wide, {"xl/workbook.xml": book}), tmp_path)


def test_a_sealed_workbook_is_refused(tmp_path: Path) -> None:
    sealed = bytearray(workbook(_HEADING))
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := sealed.find(sign, at + 1)) >= 0:
            sealed[at + place] |= 1
    with pytest.raises(BrokenFile, match="password"):
        rows_of(bytes(sealed), tmp_path)


def test_empty_cells_far_away_do_no_harm(tmp_path: Path) -> None:
    goods = '<row r="2"><c r="A2"><v>7</v></c><c r="XFD2" s="1"/></row>'
    styled = _HEADING + goods + '<row r="1048576"><c r="XFD1048576"/></row>'
    assert len(rows_of(workbook(styled), tmp_path)) == 1


@pytest.mark.parametrize("part", ["xl/workbook.bin", "content.xml"])
def test_a_workbook_of_another_kind_is_refused(part: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match="XLSX"):
        rows_of(workbook(_HEADING, {part: "x"}), tmp_path)


def test_what_unpacks_without_bounds_is_refused(tmp_path: Path) -> None:
    large = b"external_id,title\n" + b"a" * 30_000_000
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", large)
    for packed in (gzip.compress(large), zipped.getvalue()):
        tracemalloc.start()
        try:
            with pytest.raises(BrokenFile, match="200 times its size, or 2 GB; send it in parts"):
                rows_of(packed, tmp_path)
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()


def test_a_feed_whose_descriptions_repeat_a_template_is_read(tmp_path: Path) -> None:
    template = "".join(f"<p class='a'>{n}</p>" for n in range(1_000))
    rows = "".join(f"{n},cup {n},{template}\n" for n in range(1_200))
    packed = gzip.compress(f"external_id,title,description\n{rows}".encode())
    assert len(packed) * 50 < len(rows)
    assert len(rows_of(packed, tmp_path)) == 1_200


def test_what_is_packed_twice_multiplies_no_times(tmp_path: Path) -> None:
    zeros = gzip.compress(b"0" * 30_000_000)
    zipped = tmp_path / "a.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv.gz", zeros + b"0" * 21_000_000)
    (tmp_path / "into").mkdir()
    assert unpack_several(zipped, tmp_path / "into") == [zipped]


_ITEM = "<item><id>1</id></item>"
LARGE = {
    "deep": "<a>" * 300_000,
    "a product of many elements": f"<item>{'<x/>' * 300_000}",
    "names without end": "".join(f"<a{n}/>" for n in range(50_000)),
    "a text without end": "<title>" + "a" * 5_000_000,
    "a tag in short lines": "<a b='" + ">\n" * 1_000_000,
}


@pytest.mark.parametrize("held", LARGE.values(), ids=LARGE.keys())
def test_a_feed_that_would_fill_the_memory_is_refused(held: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match=r"holds too much|breaks off"):
        rows_of(f"<rss><channel>{held}".encode(), tmp_path)


def test_what_belongs_to_no_product_is_let_go_of(tmp_path: Path) -> None:
    feed = f"<rss><channel>{'<x/>' * 100_000}{_ITEM}</channel></rss>".encode()
    tracemalloc.start()
    try:
        assert rows_of(feed, tmp_path) == [{"id": "1"}]
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("sign", ["<!DOCTYPE ", "<?xml "])
def test_declarations_that_never_end_take_no_time(sign: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenFile):
        rows_of(f"<rss>{sign * 100_000}".encode(), tmp_path)


@pytest.mark.parametrize("encoding", ["utf-7", "shift_jis", "no-such"])
def test_xml_in_an_encoding_that_is_not_read_is_refused(encoding: str, tmp_path: Path) -> None:
    feed = f'<?xml version="1.0" encoding="{encoding}"?><rss><channel><item><id>1</id></item></channel></rss>'
    with pytest.raises(BrokenFile):
        rows_of(feed.encode(), tmp_path)
