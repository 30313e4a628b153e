"""Exports of other shops: of each a small file of invented goods, and the exact shop that must come of it."""

# ruff: noqa: E501  rows of exports are as long as they are

import json
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest

from mercat.app import build_shop
from mercat.cli.open_demo import import_files


class Sample(NamedTuple):
    """A file, its format's name, and what must stand in the shop: by external id (title, status, brand,
    category, pictures, variants as (options, price, stock))."""

    format: str
    content: str
    wanted: dict[str, tuple[Any, ...]]
    left_out: int = 0
    name: str = "products.csv"


IMG = "https://img.example/"
SAMPLES = {
    "Shopify before 2025": Sample(
        "Shopify products",
        f"""\
Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,Variant Price,Variant Compare At Price,Image Src,Image Position,Variant Image,Status
moss-tee,Moss Tee,<p>Soft &amp; green</p>,Fernhill,Apparel > Shirts,Shirt,"summer, green",true,Colour,Moss,Size,S,MT-S,150,shopify,4,"1,019.50",25.00,{IMG}moss.jpg,1,{IMG}moss-s.jpg,active
river-cup,River Cup,,Fernhill,,Cups,,true,Title,Default Title,,,RC,300,,0,8.00,,,,,draft
moss-tee,,,,,,,,,Moss,,M,MT-M,150,shopify,0,19.50,,{IMG}back.jpg,2,,
moss-tee,,,,,,,,,,,,,,,,,,{IMG}label.jpg,3,,
""",
        {
            "moss-tee": (
                "Moss Tee",
                "active",
                "Fernhill",
                ["Apparel", "Shirts"],
                ["moss.jpg", "moss-s.jpg", "back.jpg", "label.jpg"],
                [
                    ({"Colour": "Moss", "Size": "S"}, 101_950, 4),
                    ({"Colour": "Moss", "Size": "M"}, 1_950, None),
                ],
            ),
            "river-cup": ("River Cup", "draft", "Fernhill", ["Cups"], [], [({}, 800, None)]),
        },
    ),
    "Shopify since 2025": Sample(
        "Shopify products",
        f"""\
Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,Barcode,Option1 name,Option1 value,Option1 Linked To,Price,Compare-at price,Inventory tracker,Inventory quantity,Weight value (grams),Product image URL,Image position,Variant image URL,Material (product.metafields.custom.material)
Fox Lamp,fox-lamp,<ul><li>Warm</li><li>Small</li></ul>,Tarn,Home > Lamps,,,TRUE,Active,FL-R,,Finish,Rust,,45,,shopify,3,900,{IMG}fox.jpg,1,,Brass
,fox-lamp,,,,,,,,FL-B,,,Black,,47.5,,shopify,2,900,,,{IMG}fox-b.jpg,
Heron Rug,heron-rug,,Tarn,,,,FALSE,Active,HR,,Title,Default Title,,120.00,,shopify,1,,,,,
""",
        {
            "fox-lamp": (
                "Fox Lamp",
                "active",
                "Tarn",
                ["Home", "Lamps"],
                ["fox.jpg", "fox-b.jpg"],
                [({"Finish": "Rust"}, 4_500, 3), ({"Finish": "Black"}, 4_750, 2)],
            ),
            "heron-rug": ("Heron Rug", "draft", "Tarn", ["uncategorised"], [], [({}, 12_000, 1)]),
        },
    ),
    "WooCommerce": Sample(
        "WooCommerce products",
        f"""\
ID,Type,SKU,Name,Published,Is featured?,Visibility in catalog,Short description,Description,Date sale price starts,Date sale price ends,In stock?,Stock,Sale price,Regular price,Categories,Tags,Images,Parent,Attribute 1 name,Attribute 1 value(s),Attribute 1 visible,Attribute 1 global
11,simple,BEAN-1,Bean Bag,1,0,visible,,<p>Sit.</p>,,,1,12,30,35,"Home, Home > Seats",soft,"{IMG}bean.jpg, {IMG}bean2.jpg",,Filling,Straw,1,0
12,variable,HOOD,Hood,1,0,visible,Warm,,,,1,,,,Clothing > Hoods,,{IMG}hood.jpg,,Size,"S, M",1,1
13,simple,,Old Bell,0,0,visible,,,,,0,,,9,Toys,,,,,,,
14,variation,HOOD-S,Hood - S,1,0,visible,,,,,1,5,,42.5,,,{IMG}hood-s.jpg,HOOD,Size,S,,1
15,variation,HOOD-M,Hood - M,1,0,visible,,,,,0,,,44,,,,id:12,Size,M,,1
16,variation,LOST,Lost,1,0,visible,,,,,1,5,,1,,,,GONE,Size,S,,1
""",
        {
            "BEAN-1": (
                "Bean Bag",
                "active",
                None,
                ["Home", "Seats"],
                ["bean.jpg", "bean2.jpg"],
                [({}, 3_000, 12)],
            ),
            "HOOD": (
                "Hood",
                "active",
                None,
                ["Clothing", "Hoods"],
                ["hood.jpg", "hood-s.jpg"],
                [({"Size": "S"}, 4_250, 5), ({"Size": "M"}, 4_400, None)],
            ),
            "13": ("Old Bell", "draft", None, ["Toys"], [], [({}, 900, None)]),
        },
        left_out=1,
    ),
    "Magento": Sample(
        "Magento products",
        f"""\
sku,store_view_code,attribute_set_code,product_type,categories,name,description,product_online,visibility,price,special_price,qty,is_in_stock,base_image,additional_images,additional_attributes,configurable_variations
JAR-S,,Default,simple,,Jar S,,1,Not Visible Individually,9.5000,,7.0000,1,,,size=S,
JAR-L,,Default,simple,,Jar L,,1,Not Visible Individually,14.0000,,3.0000,0,,,size=L,
PAN,,Default,simple,"Default Category/Kitchen,Default Category/Kitchen/Pans",Pan,<b>Flat</b>,2,"Catalog, Search",20,,5,1,{IMG}pan.jpg,,"material=Iron, black,manufacturer=Ode",
JAR,,Default,configurable,Default Category/Kitchen,Jar,,1,"Catalog, Search",,,0,1,{IMG}jar.jpg,{IMG}jar2.jpg,finish=Clear,"sku=JAR-S,size=S|sku=JAR-L,size=L"
PAN,de,Default,simple,,Pfanne,,,,,,,,,,,
""",
        {
            "JAR": (
                "Jar",
                "active",
                None,
                ["Kitchen"],
                ["jar.jpg", "jar2.jpg"],
                [({"Size": "S"}, 950, 7), ({"Size": "L"}, 1_400, None)],
            ),
            "PAN": ("Pan", "draft", "Ode", ["Kitchen", "Pans"], ["pan.jpg"], [({}, 2_000, 5)]),
        },
    ),
}


@pytest.mark.parametrize("kind", SAMPLES)
async def test_the_exact_shop_comes_of_an_export(settings, db, tmp_path, kind):
    """And of the same file again, nothing changes."""
    sample = SAMPLES[kind]
    file = tmp_path / sample.name
    file.write_text(sample.content)
    notes: list[Any] = []
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        options: dict[str, Any] = {"seller": "A", "note": notes.append, "progress": lambda far: None}
        [planned] = await import_files(shop, [file], dry_run=True, **options)
        assert not await db.fetchval("select count(*) from catalog.product")
        notes.clear()
        [done] = await import_files(shop, [file], **options)
        said = [(note.line, note.field, note.reason) for note in notes]
        assert (done.unusable, done.format, done.left_out) == ("", sample.format, sample.left_out), said
        assert (
            (planned.added, planned.left_out)
            == (done.added, done.left_out)
            == (
                len(sample.wanted),
                sample.left_out,
            )
        )
        assert await standing(db) == sample.wanted, said
        [again] = await import_files(shop, [file], **options)
        assert again.unchanged == done.added


async def standing(db):
    """What stands in the shop, product by product."""
    found = await db.fetch(
        """
        select p.external_id, p.title, p.description, p.brand, c.names as category, p.images::text,
            k.options::text, o.price, o.status, s.on_hand
        from catalog.product p join catalog.category c using (category_id)
        join catalog.sku k using (product_id) join catalog.offer o using (sku_id)
        left join inventory.stock s using (offer_id) order by p.external_id, k.place
        """
    )
    shop: dict[str, tuple[Any, ...]] = {}
    for row in found:
        images = [each["url"].removeprefix(IMG) for each in json.loads(row["images"])]
        images = [each for each in images if not each.startswith("/media/art/")]
        category = ["uncategorised"] if row["category"] in ([], ["Uncategorised"]) else row["category"]
        first = (row["title"], row["status"], row["brand"], category, images, [])
        assert "<" not in row["description"]
        shop.setdefault(row["external_id"], first)[-1].append(
            (json.loads(row["options"]), row["price"], row["on_hand"])
        )
    return shop
