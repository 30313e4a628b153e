"""Small files of invented goods in the dialects of other shops: each with all that is read of it."""

# ruff: noqa: E501  rows of exports are as long as they are

import gzip
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from spreadsheet import workbook

from mercat.catalog import (
    ImportProgress,
    ImportRow,
    NotProducts,
    RowNote,
    SalePrice,
    import_file,
    sorted_files,
    takes_others,
)
from mercat.catalog.messages import Imported

IMG = "https://img.example/"


class Read(NamedTuple):
    products: list[ImportRow]
    notes: list[RowNote]
    done: ImportProgress

    def __getitem__(self, external_id: Any) -> Any:
        return next(each for each in self.products if each.external_id == external_id)


async def read(folder: Path, *contents: str | bytes, currency: str = "USD") -> Read:
    """What is read of the first file, with the others beside it."""
    files: list[Path] = []
    for n, content in enumerate(contents):
        files.append(folder / f"file-{n}.csv")
        files[-1].write_bytes(content.encode() if isinstance(content, str) else content)
    products: list[ImportRow] = []
    notes: list[RowNote] = []

    async def take(seller: str, rows: list[ImportRow]) -> Imported:
        products.extend(rows)
        return Imported(added=len(rows))

    done = await import_file(
        files[0],
        take,
        seller="A",
        note=notes.append,
        progress=lambda far: None,
        currency=currency,
        beside=files[1:],
    )
    return Read(products, notes, done)


def variants(product: ImportRow, *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(each, name) for name in fields) for each in product.variants]


def sale_prices(product: ImportRow) -> list[int | None]:
    return [each.sale.price if each.sale else None for each in product.variants]


async def test_woocommerce_variations_bring_their_pictures_weights_and_sales(tmp_path):
    read_ = await read(
        tmp_path,
        f"""\
ID,Type,SKU,"GTIN, UPC, EAN, or ISBN",Name,Published,"Visibility in catalog",Description,"Date sale price starts","Date sale price ends","In stock?",Stock,"Weight (kg)","Sale price","Regular price",Images,Parent,"Attribute 1 name","Attribute 1 value(s)"
44,variable,neck,,Neck,1,visible,One\\nTwo,,,1,,,,,"{IMG}v1.jpg, {IMG}v2.jpg",,Color,"Red, Green"
60,variation,neck-red,5901234123457,Neck - Red,1,visible,,2026-11-01 00:00:00,2026-12-01 00:00:00,1,7,0.4,18,20,{IMG}vr.jpg,neck,Color,Red
61,variation,,,Neck - Green,1,visible,,,,0,0,,,20,{IMG}vg.jpg,neck,Color,Green
70,external,wp,,Pennant,1,visible,,,,1,,,,11.05,{IMG}p.jpg,,,
71,grouped,set,,Set,1,visible,,,,1,,,,,,,,
72,"simple, virtual",song,,Song,1,search,,,,1,3,,,3,,,,
""",
    )
    neck = read_["neck"]
    assert neck.description == "One\nTwo"
    assert variants(neck, "sku", "price", "quantity", "weight_g", "images", "gtin") == [
        ("neck-red", 2_000, 7, 400, [f"{IMG}vr.jpg"], "5901234123457"),
        ("", 2_000, 0, None, [f"{IMG}vg.jpg"], None),
    ]
    sale = neck.variants[0].sale
    assert (sale.price, sale.begins_at, sale.ends_at) == (
        1_800,
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
    )
    states = {each.external_id: each.status for each in read_.products}
    assert states == {"neck": "active", "wp": "draft", "set": "draft", "song": "active"}
    assert not read_.notes


async def test_magento_variants_have_the_pictures_of_their_simple_products(tmp_path):
    read_ = await read(
        tmp_path,
        f"""\
sku,store_view_code,attribute_set_code,product_type,categories,name,product_online,visibility,price,base_image,additional_attributes,qty,is_in_stock,configurable_variations
B-R,,Bottom,simple,Default Category/Gear,Bag Red,1,Not Visible Individually,34.000000,{IMG}r.jpg,color=Red,100.0000,1,
B,,Bottom,configurable,Default Category/Gear,Bag,1,"Catalog, Search",,{IMG}b.jpg,,0,1,"sku=B-R,color=Red"
""",
    )
    assert variants(read_["B"], "options", "price", "images") == [({"Color": "Red"}, 3_400, [f"{IMG}r.jpg"])]


BIGCOMMERCE = f"""\
Item,ID,Name,Type,SKU,Options,Inventory Tracking,Current Stock,Low Stock,Price,Cost Price,Retail Price,Sale Price,Categories,Description,Product URL,UPC/EAN,Is Visible,Variant Image URL,Internal Image URL (Export),Image URL (Import)
Product,77,Tray Table,physical,TT,,variant,0,0,225,,250,199,12;14,<p>T</p>,/tray-table/,,TRUE,,,
Variant,78,,,TT-B,Type=Rectangles|Name=Color|Value=Black,,12,0,225,,,,,,,4006381333931,,{IMG}b.jpg,,
Variant,79,,,TT-W,Type=Rectangles|Name=Color|Value=White,,2,0,230,,,,,,,,,{IMG}w.jpg,,
Image,5,,,,,,,,,,,,,,,,,,{IMG}one.jpg,{IMG}two.jpg
Product,80,Plain,physical,PL,,none,0,0,10,,,,Shop All;Garden/Pots,,/plain/,,FALSE,,,
"""


async def test_bigcommerce_says_sales_barcodes_and_pictures_of_variants(tmp_path):
    read_ = await read(tmp_path, BIGCOMMERCE)
    table = read_["77"]
    assert variants(table, "sku", "price", "compare_at_price", "quantity", "gtin", "images") == [
        ("TT-B", 22_500, 25_000, 12, "4006381333931", [f"{IMG}b.jpg"]),
        ("TT-W", 23_000, None, 2, None, [f"{IMG}w.jpg"]),
    ]
    assert sale_prices(table) == [19_900, None]
    assert table.category_path == []  # its file has numbers for names
    assert table.images == [f"{IMG}one.jpg", f"{IMG}two.jpg"]
    assert (read_["80"].category_path, read_["80"].status) == (["Garden", "Pots"], "draft")


async def test_opencart_says_barcodes_and_weights(tmp_path):
    read_ = await read(
        tmp_path,
        """\
product_id,name(en-gb),categories,sku,upc,ean,quantity,model,manufacturer,image_name,price,weight,weight_unit,status,description(en-gb)
42,Cinema,"20,28",,,4006381333931,990,P15,Ode,catalog/demo/a.jpg,100.0000,2.00,lb,true,&lt;p&gt;Big&lt;/p&gt;
""",
    )
    assert variants(read_["42"], "sku", "gtin", "weight_g") == [("P15", "4006381333931", 907)]
    assert (read_["42"].description, read_["42"].category_path) == ("<p>Big</p>", [])


async def test_squarespace_sales_keep_the_price_that_they_reduce(tmp_path):
    read_ = await read(
        tmp_path,
        """\
Product ID [Non Editable],Variant ID [Non Editable],Product Type [Non Editable],Product Page,Product URL,Title,Description,SKU,Option Name 1,Option Value 1,Price,Sale Price,On Sale,Stock,Categories,Tags,Visible,Hosted Image URLs
aaa,v1,PHYSICAL,shop,linen-shirt,Linen Shirt,,LS-S,Size,S,60.00,45.00,Yes,4,/tops,,Yes,
,v2,,,,,,LS-M,,M,60.00,45.00,No,Unlimited,,,,
""",
    )
    assert variants(read_["aaa"], "price", "quantity") == [(6_000, 4), (6_000, None)]
    assert sale_prices(read_["aaa"]) == [4_500, None]


async def test_wix_discounts_are_sales_and_its_newer_headings_are_known(tmp_path):
    older = await read(
        tmp_path,
        """\
handleId,fieldType,name,description,productImageUrl,collection,sku,ribbon,price,surcharge,visible,discountMode,discountValue,inventory,weight,productOptionName1,productOptionType1,productOptionDescription1
hat,Product,Sun Hat,,abc~mv2.jpg,Hats,SH,,20,,true,PERCENT,10,InStock,,Color,COLOR,#ff0000:Red;#0000ff:Blue
hat,Variant,,,,,SH-R,,,0,true,,,3,,,,#ff0000:Red
hat,Variant,,,,,SH-B,,,2.5,true,,,0,,,,#0000ff:Blue
cap,Product,Cap,,,,,,15,,true,AMOUNT,5,7,,,,
""",
    )
    assert variants(older["hat"], "price", "quantity", "options") == [
        (2_000, 3, {"Color": "Red"}),
        (2_250, 0, {"Color": "Blue"}),
    ]
    assert sale_prices(older["hat"]) == [1_800, 2_025]
    assert sale_prices(older["cap"]) == [1_000]
    newer = await read(
        tmp_path,
        f"""\
handle,fieldType,name,visible,plainDescription,media,brand,price,strikethroughPrice,inventory,sku,barcode,productOptionName[1],productOptionType[1],productOptionChoices[1]
cup,PRODUCT,Cup,TRUE,<p>Cup</p>,{IMG}c.jpg;{IMG}c2.jpg,Solis,12,15,,,,Color,SWATCH_CHOICES,#112233:Navy;#ffffff:White
cup,VARIANT,,,,,,12,15,4,C-N,4006381333931,Color,,#112233:Navy
cup,VARIANT,,,,,,13,,OUT_OF_STOCK,C-W,,Color,,#ffffff:White
""",
    )
    cup = newer["cup"]
    assert newer.done.format == "Wix products"
    assert (cup.title, cup.description, cup.images) == ("Cup", "<p>Cup</p>", [f"{IMG}c.jpg", f"{IMG}c2.jpg"])
    assert variants(cup, "sku", "price", "compare_at_price", "quantity", "gtin", "options") == [
        ("C-N", 1_200, 1_500, 4, "4006381333931", {"Color": "Navy"}),
        ("C-W", 1_300, None, 0, None, {"Color": "White"}),
    ]


async def test_items_of_a_google_group_keep_their_pictures(tmp_path):
    item = "<item><title>Tee</title><g:id>{0}</g:id><g:item_group_id>TE</g:item_group_id><g:color>{0}</g:color><g:image_link>{1}{0}.png</g:image_link><g:availability>in stock</g:availability><g:price>10 USD</g:price></item>"
    read_ = await read(
        tmp_path,
        '<?xml version="1.0"?>\n<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>'
        + item.format("Red", IMG)
        + item.format("Blue", IMG)
        + "</channel></rss>",
    )
    assert variants(read_["TE"], "options", "images") == [
        ({"Color": "Red"}, [f"{IMG}Red.png"]),
        ({"Color": "Blue"}, [f"{IMG}Blue.png"]),
    ]


async def test_saleor_descriptions_are_blocks_of_its_editor(tmp_path):
    blocks = '{""blocks"": [{""type"": ""header"", ""data"": {""text"": ""Soft""}}, {""type"": ""paragraph"", ""data"": {""text"": ""A <b>tee</b>""}}, {""type"": ""list"", ""data"": {""items"": [""one"", ""two""]}}, {""type"": ""image"", ""data"": {}}]}'
    read_ = await read(
        tmp_path,
        f"""\
id,name,description,category,variant sku,us (channel price amount),us (channel currency code),us (channel published),Main (warehouse quantity)
A,Tee,"{blocks}",tees,T-S,90.0,USD,True,3
""",
    )
    assert read_["A"].description == "<h3>Soft</h3><p>A <b>tee</b></p><ul><li>one</li><li>two</li></ul>"


LAMP = '{"@type":"Product","sku":"L1","name":"Lamp","offers":{"@type":"Offer","price":"19.90","priceCurrency":"USD"}}'
LISTS = {
    "a graph": f'{{"@context":"https://schema.org","@graph":[{LAMP},{{"@type":"WebSite","name":"x"}}]}}',
    "a list of items": f'{{"@type":"ItemList","itemListElement":[{{"@type":"ListItem","position":1,"item":{LAMP}}}]}}',
    "products": f'{{"products":[{LAMP}],"total":1}}',
    "products over lines": f'{{\n  "products": [\n    {LAMP}\n  ]\n}}\n',
}


@pytest.mark.parametrize("kind", LISTS)
async def test_an_object_that_only_holds_a_list_of_products_is_that_list(tmp_path, kind):
    read_ = await read(tmp_path, LISTS[kind])
    assert [(each.external_id, each.variants[0].price) for each in read_.products] == [("L1", 1_990)]
    assert read_.done.format == "schema.org products"
    assert not read_.notes


async def test_items_on_one_line_are_gathered_as_well(tmp_path):
    item = '{{"id":"{0}","item_group_id":"G","title":"Tee","color":"{0}","image_link":"","availability":"in stock","price":"5 USD"}}'
    read_ = await read(tmp_path, f'{{"items":[{item.format("Red")},{item.format("Blue")}]}}')
    assert variants(read_["G"], "sku", "price") == [("Red", 500), ("Blue", 500)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_lines_that_end_as_on_an_old_macintosh_are_read_to_the_end(tmp_path, encoding):
    text = "external_id,title,price,quantity\rc1,One,5,1\rc2,Two,6,2\r"
    read_ = await read(tmp_path, text.encode(encoding))
    assert [each.title for each in read_.products] == ["One", "Two"]
    assert read_.done.taken == 2


async def test_numbers_that_can_mean_one_thing_are_read(tmp_path):
    rows = "external_id;title;price;quantity\na;A;12,--;12,0\nb;B;12.-;3,00\nc;C;12;12,000\n"
    dollars = await read(tmp_path, rows)
    assert [variants(each, "price", "quantity") for each in dollars.products] == [[(1_200, 12)], [(1_200, 3)]]
    assert [(note.line, note.field) for note in dollars.notes] == [(4, "quantity")]
    yen = await read(
        tmp_path, 'external_id,title,price\na,A,"¥1,200"\nb,B,1.200\nc,C,"1,234,500"\n', currency="JPY"
    )
    assert [each.variants[0].price for each in yen.products] == [1_200, 1_200, 1_234_500]


PRESTASHOP = f"""\
Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Discount amount;Discount percent;Discount from (yyyy-mm-dd);Discount to (yyyy-mm-dd);Reference #;EAN13;Quantity;Visibility;Available for order (0 = No, 1 = Yes);Image URLs (x,y,z...);Image alt texts (x,y,z...)
1;1;Player;Home,Sound;49;5;;2026-06-01;2028-12-31;pl;4006381333931;100;both;1;"{IMG}p1.jpg,{IMG}p2.jpg";Front,Back
2;1;Unseen;Home;10;;;;;un;;4;none;1;;
3;1;Shown only;Home;10;;20;0000-00-00;0000-00-00;so;;4;both;0;;
""".replace("Home,Sound", '"Home,Sound"').replace("Front,Back", '"Front,Back"')
COMBINATIONS = f"""\
Product ID*;Product Reference;Attribute (Name:Type:Position)*;Value (Value:Position)*;Reference;EAN13;Impact on price;Quantity;Image URLs (x,y,z...)
1;pl;"Color:color:0, Size:select:1";"Moss:0, 8 GB:0";pl-m8;5901234123457;0;50;{IMG}m.jpg
1;pl;"Color:color:0, Size:select:1";"Blue:1, 16 GB:1";pl-b16;;20.5;3;
1;pl;"Color:color:0, Size:select:1";"Blue:1, 4 GB:1";pl-b4;;-9.5;x;
1;pl;Color:color:0;"Blue:1, 4 GB:1";pl-b5;;0;1;
9;gone;Color:color:0;Red:0;gone-r;;0;1;
"""


async def test_prestashop_products_say_discounts_and_whether_they_are_sold(tmp_path):
    read_ = await read(tmp_path, PRESTASHOP)
    assert {each.external_id: each.status for each in read_.products} == {
        "1": "active",
        "2": "draft",
        "3": "draft",
    }
    assert sale_prices(read_["1"]) == [4_400]
    assert sale_prices(read_["3"]) == [800]
    assert read_["1"].alts == {f"{IMG}p1.jpg": "Front", f"{IMG}p2.jpg": "Back"}


async def test_prestashop_combinations_are_the_variants_of_the_products_beside_them(tmp_path):
    read_ = await read(tmp_path, PRESTASHOP, COMBINATIONS)
    player = read_["1"]
    assert (player.title, player.options) == (
        "Player",
        {"Color": ["Moss", "Blue"], "Size": ["8 GB", "16 GB"]},
    )
    assert variants(player, "sku", "options", "price", "quantity", "gtin", "images") == [
        ("pl-m8", {"Color": "Moss", "Size": "8 GB"}, 4_900, 50, "5901234123457", [f"{IMG}m.jpg"]),
        ("pl-b16", {"Color": "Blue", "Size": "16 GB"}, 6_950, 3, None, []),
    ]
    assert sale_prices(player) == [4_400, 6_450]
    assert variants(read_["3"], "sku", "price") == [("so", 1_000)]
    lost = [(note.file, note.line, note.field) for note in read_.notes if note.left_out]
    assert lost == [
        ("file-1.csv", 4, "quantity"),
        ("file-1.csv", 5, "value_value_position"),
        ("file-1.csv", 6, "product_id"),
    ]


async def test_a_file_of_combinations_is_known_as_one_that_adds(tmp_path):
    await read(tmp_path, PRESTASHOP, COMBINATIONS)
    products, adding, missing = (tmp_path / name for name in ("file-0.csv", "file-1.csv", "missing.csv"))
    given = sorted_files([adding, missing, products], tmp_path)
    assert given == ([missing, products], [adding])
    other = tmp_path / "other.csv"
    other.write_text("external_id,title,price\n1,Pot,5\n")
    assert [takes_others(file) for file in (products, other, missing)] == [True, False, False]
    assert takes_others(other, "prestashop")


async def test_the_list_of_thirty_bees_is_known(tmp_path):
    read_ = await read(
        tmp_path,
        f"""\
Product ID;Image;Name;Reference;Category;Base price;Final price;Quantity;Status;Position
7;{IMG}7.jpg;Clay Pot;CP;Home;10.000000;12.10;4;1;0
8;;Old Pot;OP;Home;10.000000;12.10;0;0;1
""",
    )
    assert read_.done.format == "PrestaShop products"
    assert variants(read_["7"], "sku", "price", "quantity") == [("CP", 1_210, 4)]
    assert {each.external_id: each.status for each in read_.products} == {"7": "active", "8": "draft"}


async def test_one_sku_at_several_variants_loses_none_of_them(tmp_path):
    read_ = await read(
        tmp_path,
        """\
Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Variant Grams,Variant Compare At Price,Variant Inventory Tracker,Variant Inventory Qty
pouch,Pouch,Lining,Stripes,FALL,45.00,141.7476156,N/A,shopify,2
pouch,,,Plain,FALL,49.00,,,shopify,N/A
pouch,,,Plain,FALL,49.00,,,shopify,1
""",
    )
    assert variants(read_["pouch"], "sku", "options", "price", "weight_g", "quantity") == [
        ("FALL", {"Lining": "Stripes"}, 4_500, 142, 2),
        ("", {"Lining": "Plain"}, 4_900, None, None),
    ]
    assert [(note.line, note.field, note.left_out) for note in read_.notes] == [
        (4, "", True),
        (2, "sku", False),
    ]


async def test_the_currency_of_a_feed_is_that_of_its_prices(tmp_path):
    heading = "id,title,price,image_link,item_group_id,gender,size"
    read_ = await read(
        tmp_path,
        f"""\
{heading}
a,Rug,"1,249.00 SEK",{IMG}a.jpg,,,
b,Bag,"$2,030",{IMG}b.jpg,g,female,M
c,Cap, USD,{IMG}c.jpg,,,
d,Cup,"2,030",{IMG}d.jpg,,,
""",
    )
    told = {each.external_id: (each.currency, each.variants[0].price) for each in read_.products}
    assert told == {"a": ("SEK", 124_900), "g": ("USD", 203_000), "c": ("USD", 0)}
    assert (read_["g"].options, read_["g"].attributes) == ({"Size": ["M"]}, {"Gender": "female"})
    assert [(note.line, note.reason) for note in read_.notes] == [(5, "could be 2030 or 2.030: “2,030”")]


async def test_woocommerce_without_numbers_is_known_by_name_and_its_hours_may_have_one_digit(tmp_path):
    read_ = await read(
        tmp_path,
        """\
Type,SKU,Name,Published,Date sale price ends,Sale price,Regular price
simple,,Logo,1,2030-01-01 0:00:00,18,20
external,,Suite,1,,,199
""",
    )
    assert [(each.external_id, each.status) for each in read_.products] == [
        ("Logo", "active"),
        ("Suite", "draft"),
    ]
    assert read_["Logo"].variants[0].sale.ends_at == datetime(2030, 1, 1, tzinfo=UTC)


async def test_lines_that_end_in_a_return_are_told_from_those_within_quotes(tmp_path):
    read_ = await read(
        tmp_path, 'external_id,title,description,price\r1,Mug,"Two\nlines\nof it",5\r2,Cup,,6\r'
    )
    assert [(each.title, each.description) for each in read_.products] == [
        ("Mug", "Two\nlines\nof it"),
        ("Cup", ""),
    ]


async def test_xml_without_products_says_so(tmp_path):
    with pytest.raises(NotProducts, match="XML without an item, entry or offer"):
        await read(tmp_path, "<catalog><goods><good/></goods></catalog>")


def test_a_packed_file_in_a_zip_is_unpacked(tmp_path):
    inner = gzip.compress(b"external_id,title\n1,Mug\n")
    packed = tmp_path / "goods.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("goods.csv.gz", inner)
    [found] = sorted_files([packed], tmp_path).whole
    assert (found.name, found.read_bytes()) == ("goods.csv.gz", inner)


async def test_amazons_templates_since_2024_say_in_which_rows_they_stand(tmp_path):
    at, us = "[marketplace_id=A]", "[marketplace_id=A][language_tag=en_US]"
    names = f"contribution_sku#1.value\tproduct_type#1.value\titem_name{us}#1.value\tparentage_level{at}#1.value\tchild_parent_sku_relationship{at}#1.parent_sku\tvariation_theme#1.name\tcolor{us}#1.value\tbullet_point{us}#1.value\tbullet_point{us}#2.value\tfulfillment_availability#1.quantity\tpurchasable_offer{at}[audience=ALL]#1.our_price#1.schedule#1.value_with_tax\tmain_product_image_locator{at}#1.media_location"
    read_ = await read(
        tmp_path,
        f"""\
settings=attributeRow=3&contentLanguageTag=en_US&dataRow=5&labelRow=2
SKU\tProduct Type\tItem Name\tParentage\tParent\tTheme\tColor\tPoint\tPoint\tQuantity\tPrice\tImage
{names}
ABC123\tTENT\tExample\t\t\t\t\t\t\t1\t1.00\t
tent\tTENT\tTent\tParent\t\tCOLOR\t\tLight\tDry\t\t\t{IMG}t.jpg
tent-g\tTENT\tTent, green\tChild\ttent\tCOLOR\tGreen\t\t\t4\t99.50\t{IMG}g.jpg
tent-r\tTENT\tTent, red\tChild\ttent\tCOLOR\tRed\t\t\t0\t89.50\t
""",
    )
    assert (read_.done.format, [each.title for each in read_.products]) == ("Amazon listings", ["Tent"])
    assert variants(read_["tent"], "sku", "options", "price", "quantity") == [
        ("tent-g", {"Color": "Green"}, 9_950, 4),
        ("tent-r", {"Color": "Red"}, 8_950, 0),
    ]
    assert read_["tent"].attributes == {"Feature 1": "Light", "Feature 2": "Dry"}
    assert read_["tent"].images == [f"{IMG}t.jpg", f"{IMG}g.jpg"]


async def test_lists_in_a_cell_of_thirty_bees_have_semicolons(tmp_path):
    products = f"""\
Product ID,Active (0/1),Name *,Categories (x;y;z...),Price tax excluded or Price tax included,Discount percent,Reference #,Quantity,Tags (x;y;z...),Image URLs (x;y;z...),Feature(Name:Value:Position)
1,1,Player,Home; Sound,100,5.5,pl,3,small; loud,{IMG}1.jpg; {IMG}2.jpg,Weight:90 g:0; Cut:Round, flat:1
""".replace("Round, flat:1", "Round:1")
    combinations = f"""\
Product ID*,Attribute (Name:Type:Position)*,Value (Value:Position)*,Reference,Impact on price,Quantity,Image URL
1,Color:color:0; Disk:select:1,Blue:0; 16GB:1,pl-b,40,2,{IMG}b.jpg
"""
    player = (await read(tmp_path, products, combinations))["1"]
    assert (player.tags, player.category_path) == (["small", "loud"], ["Sound"])
    assert (player.images, player.attributes) == (
        [f"{IMG}1.jpg", f"{IMG}2.jpg"],
        {"Weight": "90 g", "Cut": "Round"},
    )
    assert variants(player, "sku", "options", "price", "images") == [
        ("pl-b", {"Color": "Blue", "Disk": "16GB"}, 14_000, [f"{IMG}b.jpg"]),
    ]
    assert sale_prices(player) == [13_230]


async def test_magentos_times_have_a_month_first_and_noon(tmp_path):
    read_ = await read(
        tmp_path,
        """\
sku,attribute_set_code,product_type,name,price,special_price,special_price_from_date,special_price_to_date,product_online,visibility
m,Default,simple,Mug,12.0000,10,"12/26/25, 5:05 AM","1/2/30, 12:00 AM",1,"Catalog, Search"
""",
    )
    sale = read_["m"].variants[0].sale
    assert (sale.begins_at, sale.ends_at) == (
        datetime(2025, 12, 26, 5, 5, tzinfo=UTC),
        datetime(2030, 1, 2, tzinfo=UTC),
    )


OPENCART = {
    "Products": [
        [
            "product_id",
            "name(en-gb)",
            "categories",
            "sku",
            "quantity",
            "model",
            "image_name",
            "price",
            "status",
        ],
        ["42", "Fern Tee", "Shirts", "FT", "15", "F-1", IMG + "a.jpg", "10.0000", "true"],
        ["43", "Moss Tee", "Shirts", "MT", "4", "F-2", "", "20.0000", "true"],
        ["44", "Two Ways", "Shirts", "TW", "5", "F-3", "", "8.0000", "true"],
    ],
    "AdditionalImages": [
        ["product_id", "image", "sort_order"],
        ["42", IMG + "b.jpg", "0"],
        ["42", "catalog/c.jpg", "1"],
    ],
    "Specials": [
        ["product_id", "customer_group", "priority", "price", "date_start", "date_end"],
        ["43", "Default", "1", "15.0000", "0000-00-00", "2099-01-31"],
    ],
    "ProductOptions": [
        ["product_id", "option", "default_option_value", "required"],
        ["42", "Size", "", "true"],
    ],
    "ProductOptionValues": [
        ["product_id", "option", "option_value", "quantity", "subtract", "price", "price_prefix"],
        ["42", "Size", "S", "7", "true", "0.0000", "+"],
        ["42", "Size", "XL", "8", "true", "2.5000", "+"],
        ["44", "Size", "S", "5", "true", "0", "+"],
        ["44", "Colour", "Red", "5", "true", "0", "+"],
    ],
    "ProductAttributes": [
        ["product_id", "attribute_group", "attribute", "text(en-gb)"],
        ["42", "Cloth", "Made of", "Linen"],
    ],
}


async def test_the_sheets_of_opencart_are_joined_by_the_products_id(tmp_path):
    read_ = await read(tmp_path, workbook(OPENCART))
    fern, moss, two = read_.products
    assert fern.images == [IMG + "a.jpg", IMG + "b.jpg"]
    assert fern.attributes == {"Made of": "Linen"}
    assert [(each.options, each.price, each.quantity) for each in fern.variants] == [
        ({"Size": "S"}, 1_000, 7),
        ({"Size": "XL"}, 1_250, 8),
    ]
    [plain] = moss.variants
    assert (plain.price, plain.sale) == (
        2_000,
        SalePrice(price=1_500, ends_at=datetime(2099, 1, 31, tzinfo=UTC)),
    )
    assert [(each.options, each.quantity) for each in two.variants] == [({}, 5)]
    assert [(note.line, note.field, note.reason) for note in read_.notes] == [
        (2, "image", "has a picture without an address that begins with https://: left out"),
        (4, "options", "has 2 options, of which nobody says what goes together: left out"),
    ]


async def test_what_takes_more_off_than_the_price_leaves_its_variant_out(tmp_path):
    """In all formats, and it is quoted."""
    wix = """\
handleId,fieldType,name,price,surcharge,visible,productOptionName1,productOptionDescription1
p,Product,Print,10.00,,true,Size,S;L
p,Variant,,,-10.01,true,,S
p,Variant,,,-10,true,,L
"""
    prestashop = """\
Product ID*;Attribute (Name:Type:Position)*;Value (Value:Position)*;Impact on price
1;Size:select:0;S:0;-49.01
1;Size:select:0;M:0;1
"""
    bigcommerce = """\
Item Type,Product ID,Product Name,Product Code/SKU,Price,Track Inventory
Product,7,Disc,D,20.00,none
SKU,,[RB]Size=S,D-S,,
SKU,,[RB]Size=M,D-M,,
Rule,,[RB]Size=S,,[REMOVE]20.01,
"""
    opencart = {
        "Products": [OPENCART["Products"][0], OPENCART["Products"][1]],
        "ProductOptionValues": [
            OPENCART["ProductOptionValues"][0],
            ["42", "Size", "S", "7", "true", "10.01", "-"],
            ["42", "Size", "XL", "8", "true", "1", "-"],
        ],
    }
    for given, price, said in (
        ([wix], 0, "-10.01"),
        ([PRESTASHOP, prestashop], 5_000, "-49.01"),
        ([bigcommerce], 2_000, "[REMOVE]20.01"),
        ([workbook(opencart)], 900, "10.01"),
    ):
        read_ = await read(tmp_path, *given)
        assert [each.price for each in read_.products[0].variants] == [price]
        reasons = [note.reason for note in read_.notes if note.left_out]
        assert reasons == [f"takes more off than the price: “{said}”"], given


async def test_wix_says_which_pictures_and_rows_it_cannot_take(tmp_path):
    long = IMG + "x" * 2_100 + ".jpg"
    read_ = await read(
        tmp_path,
        f"""\
handle,fieldType,name,visible,media,price
p,PRODUCT,Print,TRUE,{IMG}a.jpg,10
p,MEDIA,,,wix:image://v1/b.jpg,
p,MEDIA,,,//evil.example/c.jpg,
p,MEDIA,,,{long},
p,Modifier,,,,
""",
    )
    assert read_["p"].images == [f"{IMG}a.jpg"]
    assert [(note.line, note.field, note.reason) for note in read_.notes] == [
        (6, "fieldtype", "is no kind of row that is known: “modifier”"),
        (2, "media", "has a picture without an address that begins with https://: left out"),
    ]


async def test_a_rule_of_bigcommerce_that_is_not_read_is_said(tmp_path):
    read_ = await read(
        tmp_path,
        """\
Item Type,Product ID,Product Name,Product Code/SKU,Price,Track Inventory
Product,7,Disc,D,20.00,none
Rule,,"[RB]Size=9",,[PERCENT]5,
Rule,,,D,[ADD]5,
""",
    )
    assert [(note.field, note.left_out) for note in read_.notes] == [("price", False)] * 2
    assert [note.reason for note in read_.notes] == [
        "has a rule that is not read ([PERCENT]5): prices may be others",
        "has a rule that is not read ([ADD]5): prices may be others",
    ]
