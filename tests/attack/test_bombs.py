"""Small files that would become large: refused before there is room made for them."""

import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import spreadsheet

from mercat.catalog import BrokenFile, read_rows
from mercat.catalog.file_rows import opened

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
    "a tag without an end": _HEADING + f'<row><c x="{"a" * 200_000}" r="XFD1048576"><v>1</v></c></row>',
}


@pytest.mark.parametrize("rows", FAR.values(), ids=FAR.keys())
def test_a_sheet_whose_cells_are_far_apart_is_refused(rows: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match="too far apart"):
        rows_of(workbook(rows), tmp_path)


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
        with pytest.raises(BrokenFile, match="50 times"):
            rows_of(packed, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["utf-7", "shift_jis", "no-such"])
def test_xml_in_an_encoding_that_is_not_read_is_refused(encoding: str, tmp_path: Path) -> None:
    feed = f'<?xml version="1.0" encoding="{encoding}"?><rss><channel><item><id>1</id></item></channel></rss>'
    with pytest.raises(BrokenFile):
        rows_of(feed.encode(), tmp_path)
