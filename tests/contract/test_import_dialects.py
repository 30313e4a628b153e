"""Files as people have them: any dialect of CSV, packed or not; what was guessed or lost is always said."""

import csv
import gzip
import io
import zipfile
from contextlib import suppress
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mercat.catalog import FORMATS, BadField, recognise
from mercat.catalog.amounts import NotAnAmount, parse
from mercat.catalog.columns import Columns
from mercat.catalog.file_rows import BrokenFile, column_name, read_rows
from mercat.catalog.formatted import html_text
from mercat.catalog.gathering import Gathered, gather
from mercat.web.table_query import defused

WANTED = [
    {"external_id": "a", "title": "Tee, “été”", "price": "12.50"},
    {"external_id": "b", "title": 'Pot "3 l"\nblue', "price": "4"},
    {"external_id": "c", "title": "Cup"},
]


def written(delimiter=",", end="\r\n", before=""):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(WANTED[0])
    for row in WANTED:
        writer.writerow(row.values())
    return before + out.getvalue()


def read(content):
    """What stands in a file: rows, problems by line, remarks."""
    remarks = []
    given = [*read_rows(io.BufferedReader(io.BytesIO(content)), remarks.append)]
    rows = [row for _, row in given if not isinstance(row, BadField)]
    return rows, [(line, bad.reason) for line, bad in given if isinstance(bad, BadField)], remarks


def zipped(content, *names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        *(written(each).encode() for each in ",;\t|"),
        written(end="\n").encode(),
        written(";", before="sep=;\n").encode(),
        written(before="\ufeff").encode(),
        written().encode("utf-16"),
        written("\t").encode("utf-16-le"),
        written(before="Our shop, spring\n\n# made by hand, twice\n").encode(),
        gzip.compress(written().encode()),
        zipped(written().encode(), "products.csv", "__MACOSX/._products.csv"),
        written(end="\r").encode(),
        written().replace("price", "price,,").replace(",4", ",4,,").encode(),
    ],
)
def test_every_dialect_says_the_same(content):
    rows, problems, _ = read(content)
    assert (rows, problems) == (WANTED, [])


def test_windows_1252_is_read_and_said_and_another_code_page_is_refused():
    text = written().replace("\u201c", "").replace("\u201d", "")
    rows, problems, remarks = read(text.encode("cp1252"))
    assert (rows[0]["title"], problems) == ("Tee, été", [])
    assert remarks == ["Line 2 is not UTF-8: such lines were read as Windows-1252 (a guess)."]
    _, problems, _ = read("id,title\n1,Кружка синяя\n".encode("cp1251"))
    assert problems == [(2, "is not UTF-8: save the file as “CSV UTF-8”")]


def test_an_unclosed_quote_is_named_where_it_opens_and_costs_its_own_line_alone():
    good = [f"{n},Pot {n},5" for n in range(2_000)]
    for broken, rest in (
        ('q2,"27 inch,99', good),
        ('q2,"27 inch,99', [*good, 'last,"A good ""quoted"" one",5']),
        ('q2,"27 inch,99', ['x,Monitor 24",7', *good]),
    ):
        content = "\n".join(["external_id,title,price", "q1,Cup,5", broken, *rest, ""])
        rows, problems, _ = read(content.encode())
        assert problems == [(3, "opens a quote that is never closed")]
        assert len(rows) == 1 + len(rest)
    _, problems, _ = read(b'external_id,title,price\n1,"a\nb","27 inch\n2,Pot,5\n')
    assert problems == [(3, "opens a quote that is never closed")]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="cp1251", exclude_categories=["Cc"]), max_size=12),
            st.sampled_from(["", "g1", "g2"]),
            st.sampled_from(["1", "2", "9"]),
            st.lists(st.sampled_from(["s", "m", "Ё&", "<l>"]), max_size=2),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "windows-1251"]),
    st.sampled_from(["", "\n", "\r\n"]),
    st.booleans(),
)
@example([("Чай", "", "1", [])], "utf-16", "", True)
def test_no_offer_of_a_yml_catalogue_is_lost_in_silence(offers, encoding, end, cdata):
    """Whatever its code page, its line ends, and how its texts are written: each offer is a row as it was."""

    def told(text):
        return f"<![CDATA[{text}]]>" if cdata else escape(text)

    parts = [
        f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>{end}<yml_catalog><shop>',
        '<categories><category id="1">Ж</category><category id="2" parentId="1">Б</category></categories>',
        "<offers>",
    ]
    for n, (name, group, category, params) in enumerate(offers):
        told_params = "".join(f'<param name="p{i}">{told(each)}</param>' for i, each in enumerate(params))
        within = f' group_id="{group}"' if group else ""
        parts.append(
            f'<offer id="{n}"{within}><name>{told(name)}</name><price>5</price>'
            f"<categoryId>{category}</categoryId>{told_params}</offer>"
        )
    content = end.join([*parts, "</offers></shop></yml_catalog>"]).encode(encoding)
    got, problems, _ = read(content)
    assert (len(got), problems) == (len(offers), [])
    paths = {"1": ["Ж"], "2": ["Ж", "Б"], "9": []}
    for n, (row, (name, group, category, params)) in enumerate(zip(got, offers, strict=True)):
        assert (row["id"], row.get("group_id", ""), row["name"]) == (str(n), group, name.strip())
        assert (row["category_path"], [each["value"] for each in row["param"]]) == (paths[category], params)
    reduced = [{column_name(name): value for name, value in row.items()} for row in got]
    assert recognise(reduced) is FORMATS["yml"]
    keys = FORMATS["yml"].keys
    assert keys
    for product in gather(enumerate(reduced, 1), keys):
        assert isinstance(product, Gathered)
        rows = [Columns(row, line) for line, row in product.rows]
        rows[0].rows = rows
        with suppress(BadField):  # without a name
            taken = FORMATS["yml"].read(rows[0])
            assert len(taken.variants) + len(rows[0].bad) == len(rows)


@pytest.mark.parametrize(
    ("name", "own", "seller"), [("table", "external_id", "seller"), ("shopify", "handle", "mercat_seller")]
)
def test_a_seller_on_the_first_row_alone_is_that_of_the_rows_behind_it(name, own, seller):
    """And an id that two sellers have is of two products."""
    given = [("1", "Ann"), ("1", ""), ("1", "Bob"), ("1", ""), ("1", "Ann"), ("2", ""), ("", ""), ("1", "")]
    rows = [(n, {own: key, seller: whose}) for n, (key, whose) in enumerate(given, 1)]
    keys = FORMATS[name].keys
    assert keys
    found = [
        [line for line, _ in each.rows] for each in gather(iter(rows), keys) if isinstance(each, Gathered)
    ]
    assert found == [[1, 2, 5], [3, 4], [6, 7], [8]]


def test_a_feed_that_is_one_long_line_is_read_whole():
    """Many are; and parts of a line are no way around what a file may declare."""
    offers = "".join(f'<offer id="{n}"><name>{"x" * 1_000}</name></offer>' for n in range(9_000))
    rows, problems, _ = read(f"<yml_catalog><offers>{offers}</offers></yml_catalog>".encode())
    assert (len(rows), problems) == (9_000, [])
    for before in range(3_999_985, 4_000_001):
        content = b"<!DOCTYPE a" + b" " * (before - 11) + b'[<!ENTITY b "c">]><a/>'
        with pytest.raises(BrokenFile, match="it declares a document type"):
            read(content)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12)
SEEN = TEXT.map(str.strip)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(TEXT, TEXT, TEXT).filter(any), min_size=1, max_size=12),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
@example([("a", "\n", "\n")], ",", "utf-8", "\n")
def test_no_row_is_lost_in_silence(rows, delimiter, encoding, end):
    """Every record of a well-formed file is a row as it was written, or is named."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(["id", "title", "price", "status"])
    for row in rows:
        writer.writerow([*map(defused, row), "end"])
    got, problems, _ = read(out.getvalue().encode(encoding))
    assert len(got) + len(problems) >= len(rows)
    if not problems:
        # A line end within a cell may be any that a spreadsheet knows.
        assert [(*row,) for row in rows] == [(row["id"], row["title"], row["price"]) for row in got]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(SEEN, SEEN, SEEN).filter(any), min_size=1, max_size=8),
    st.sampled_from(",;|"),
    st.lists(st.integers(0, 4), min_size=8, max_size=8),
)
@example([("", "", "\x0c")], ",", [0] * 8)
def test_no_row_of_columns_that_are_lined_up_is_lost_in_silence(rows, delimiter, widths):
    """Blanks before and after quotes are none of the text."""
    lines = [f"id {delimiter} title {delimiter} price "]
    for row in rows:
        cells = ['"' + defused(text).replace('"', '""') + '"' for text in row]
        lines.append(
            delimiter.join(" " * widths[n] + cell + " " * widths[-n] for n, cell in enumerate(cells))
        )
    got, problems, _ = read("\n".join([*lines, ""]).encode())
    assert len(got) + len(problems) >= sum(any(map(str.strip, row)) for row in rows)
    if not problems:
        kept, written = (
            [[" ".join(text.split()) for text in row] for row in each if any(map(str.strip, row))]
            for each in ([[*row.values()] for row in got], rows)
        )
        assert kept == written


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text('ab",\n', max_size=8), min_size=1, max_size=8))
def test_every_line_of_a_malformed_file_is_read_or_named(cells):
    """Whatever quotes are where: a sound row after it is still there."""
    content = "id,title,price\n" + "\n".join(cells) + "\nsound,Pot,5\n"
    rows, problems, _ = read(content.encode())
    seen = "".join(str(value) for row in rows for value in row.values())
    assert {"id": "sound", "title": "Pot", "price": "5"} in rows or problems or "sound" not in seen


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("=1+1", "=1+1"),
        ("'=1+1", "=1+1"),
        ("''=1+1", "'=1+1"),
        ("'+49 30", "+49 30"),
        ("'tis", "'tis"),
        ("'", "'"),
        ("-5 C", "-5 C"),
    ],
)
def test_a_cell_as_anybody_writes_it_loses_the_apostrophe_before_a_formula_alone(raw, text):
    rows, problems, _ = read(f"id,title,price\n1,{raw},5\n".encode())
    assert (rows, problems) == ([{"id": "1", "title": text, "price": "5"}], [])


@pytest.mark.parametrize("cell", ['{"a":' * 3_000, '{"a":' * 3_000 + "1" + "}" * 3_000])
@pytest.mark.parametrize("field", ["attributes", "options"])
def test_a_cell_that_is_nested_too_deeply_refuses_its_row(cell, field):
    row = Columns({"attributes": cell, "options": cell})
    with pytest.raises(BadField, match="is nested too deeply"):
        row.attributes() if field == "attributes" else row.choices()


@pytest.mark.parametrize(
    ("kind", "first", "picture"),
    [
        ("openmage", {"sku": "a", "name": "Pot", "price": "5"}, "media_image"),
        ("shopify", {"handle": "a", "title": "Pot", "variant_price": "5"}, "image_src"),
    ],
)
def test_pictures_beyond_the_limit_are_left_out_and_that_is_said(kind, first, picture):
    row, *others = [Columns({picture: f"https://img.example/{n}.png"}) for n in range(60)]
    row.raw |= first
    row.rows = [row, *others]
    assert len(FORMATS[kind].read(row).images) == 50
    assert [cut.reason for cut in row.cuts] == ["has 60 entries; the first 50 were kept"]


def test_headings_are_known_whatever_their_case_and_doubles_are_said():
    assert [*map(column_name, ("Body (HTML) ", "URL handle", "attributes.Colour", "Name *"))] == [
        "body_html",
        "url_handle",
        "attributes.Colour",
        "name",
    ]
    rows, _, remarks = read(b"id,title,Price,price\n1,Pot,5,6\n")
    assert rows == [{"id": "1", "title": "Pot", "Price": "5", "price (column 4)": "6"}]
    assert remarks == ["The heading has “price” twice (columns 3 and 4): the first counts."]


def test_a_long_last_line_without_its_end_is_whole():
    for content in (b'{"id": 1}\n{"id": "' + b"x" * 3_000_000 + b'"}', b"id,title\n1," + b"x" * 3_000_000):
        rows, problems, _ = read(content)
        assert problems == []
        assert max(len(value) for value in rows[-1].values()) == 3_000_000


def test_a_spreadsheet_and_an_archive_of_many_say_what_to_do():
    for content, reason in (
        (zipped(b"x", "xl/workbook.xml", "a.xml"), "it is a spreadsheet that cannot be read"),
        (zipped(b"x", "a.csv", "b.csv"), "it holds 2 files where one is read; unpack it"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "c">]>\n<a/>', "it declares a document type"),
        (b'<!DOCTYPE a SYSTEM "a.dtd"\n [\n<!ENTITY b "c">]>\n<a/>', "it declares a document type"),
        (b"<yml_catalog><shop><offers/></shop></yml_catalog>", "it is XML without an item, entry or offer"),
    ):
        with pytest.raises(BrokenFile, match=reason):
            read(content)


def test_columns_that_are_lined_up_behind_short_headings_are_read():
    wide = "x" * 30
    heading = f"external_id,title,{'description':33},{'sku':6},price"
    rows, problems, _ = read(f'{heading}\np1,Pot,"{wide}" ,{"A-1":6},5\n'.encode())
    assert problems == []
    assert (rows[0]["sku"], rows[0]["description"]) == ("A-1", wide)


def test_json_arrays_and_objects_over_many_lines():
    rows, problems, _ = read(b'[\n {"title": "a}", "x": {"y": 1}},\n {"title": "b\\"{"}, {"title": }\n]\n')
    assert [row["title"] for row in rows] == ["a}", 'b"{']
    assert [line for line, _ in problems] == [3]
    assert read(b'{\n "title": "one"\n}\n')[0] == [{"title": "one"}]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("$1,299.00", "1299.00"),
        (".99", "0.99"),
        ("$.99", "0.99"),
        ("1.980,-", "1980"),
        ("1,299.-", "1299"),
        ("12.-", "12"),
        ("1.980,- €", "1980"),
        ("Rs. 1,499.00", "1499.00"),
        ("Rs. 1,499", "1499"),
        ("Rs 1,499", "1499"),
        ("Rs.1.980,-", "1980"),
        ("499 Rs.", "499"),
        ("₹1,299", "1299"),
        ("1.980", "1.980"),
        ("0.980 EUR", "0.980"),
        ("KWD 1.980", "1.980"),
        ("₹1,49,999.00", "149999.00"),
        ("\uffe5100", "100"),
        ("12,50 €", "12.50"),
        ("195.6 EUR", "195.6"),
        ("1.299,00", "1299.00"),
        ("1 299,00", "1299.00"),
        ("1'299.50", "1299.50"),
        ("1,299,000", "1299000.0"),
        ("CHF 12.5", "12.5"),
        ("34.0000", "34.0000"),
    ],
)
def test_amounts_that_can_mean_one_thing_are_read(text, amount):
    assert str(parse(text)[0]) == amount


@pytest.mark.parametrize(
    "text",
    [
        "1e3",
        "\uff11\uff12",
        "1,299",
        "12 pieces",
        "1,2,3",
        "NaN",
        "12.5.1",
        "٣",
        "--1",
        "5%",
        "1.980.-",
        "1.980 €",
        "EUR 1.980",
        "$1.980",
        "12.- 500",
    ],
)
def test_amounts_that_could_mean_two_or_none_are_refused(text):
    with pytest.raises(NotAnAmount):
        parse(text)


@pytest.mark.parametrize(
    ("text", "unit", "grams"),
    [("1.5", "kg", 1_500), ("0,500", "kg", 500), ("1,5", "kg", 1_500), ("1500", "g", 1_500)],
)
def test_weights_that_can_mean_one_thing_are_read(text, unit, grams):
    assert Columns({"weight": text}).weight("weight", unit) == grams


def test_a_weight_that_could_mean_two_is_left_out_and_said():
    row = Columns({"weight": "1,500"})
    assert row.weight("weight", "g") is None
    assert [*row.cuts] == [("weight", "could be 1500 or 1.500: “1,500”: left out")]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("price", "12 €", "is not a price: it is in EUR, and this product is priced in USD: “12 €”"),
        ("price", "1,299", "could be 1299 or 1.299: “1,299”"),
        ("price", "1.980 $", "could be 1980 or 1.980: “1.980 $”"),
        ("price", "-3", "is negative: “-3”"),
        ("quantity", "-3", "is negative: “-3”"),
        ("quantity", "1e3", "is not a whole number: “1e3”"),
        ("quantity", "\uff11\uff12", "is not a whole number: “\uff11\uff12”"),
        ("quantity", "12.000", "is not a whole number: “12.000”"),
    ],
)
def test_what_is_refused_is_quoted(field, value, reason):
    row = Columns({field: value})
    with pytest.raises(BadField) as refused:
        row.decimal("price", "USD") if field == "price" else row.quantity()
    assert refused.value.reason == reason


def test_numbers_as_spreadsheets_write_them():
    assert [Columns({"quantity": each}).quantity() for each in ("12.0", 12.0, "7", "", None)] == [
        *(12, 12, 7, None, None)
    ]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Nice <b>mug</b></p>", "Nice mug"),
        ("<ul><li>a</li><li>b</li></ul>c<br/>d", "- a\n- b\n\nc\nd"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("a < b &copy; x > y, <3", "a < b © x > y, <3"),
        ("<script>alert(1)</script><p onclick='x()'>Hi", "Hi"),
        ("line one\nline two", "line one\nline two"),
        ("&lt;script&gt; is text", "<script> is text"),
    ],
)
def test_html_becomes_text(html, text):
    assert html_text(html) == text


def test_categories_with_separators_in_their_names():
    def path(text):
        return Columns({"category": text}).paths("category")

    assert path("Cables > A/V Cables") == ["Cables", "A/V Cables"]
    assert path(r"A\/V Cables") == ["A/V Cables"]
    assert path(r"24\/7 Wear/Shirts") == ["24/7 Wear", "Shirts"]
    assert path("Kitchen/Pots") == path("Kitchen | Pots") == ["Kitchen", "Pots"]


def test_pictures_in_one_field():
    row = Columns({"image_url": "https://img.example/a.jpg, https://img.example/b.jpg?x=1,2 | c.jpg"})
    assert row.images("image_url") == ["https://img.example/a.jpg", "https://img.example/b.jpg?x=1,2"]
    assert [cut.field for cut in row.cuts] == ["image_url"]


@pytest.mark.parametrize("text", ["\ufeff", "sep=;\n", "\ufeffsep=;\n\n", "\n \n", ",,,\n,,\n"])
def test_a_file_that_says_nothing_has_no_rows(text):
    rows, problems, _ = read(text.encode())
    assert (rows, problems) == ([], [])
