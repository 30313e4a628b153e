"""Feeds that others read: valid, whole, and of nothing but what is for sale."""

from urllib.parse import urlsplit
from xml.etree import ElementTree

from mercat.catalog import ImportBatch, ImportRow, ImportVariant

SIZES = [("S", "5901234123457"), ("M", "96385074")]
OPTIONS = {"Size": ["S", "M"]}
G = "{http://base.google.com/ns/1.0}"


async def test_googles_feed_has_all_that_is_for_sale_and_nothing_else(people):
    seller = await people.shop.sellers.by_name("Feeder")
    rows = [
        ImportRow(
            external_id=str(n),
            title=f"Pot <{n}> & Co",
            brand="Potters",
            category_path=["Kitchen", "Pots"],
            variants=[ImportVariant(1_250, n % 2)],
            status="draft" if n == 7 else "active",
        )
        for n in range(1_100)
    ]
    await people.shop.sellers.list_many(seller, ImportBatch(rows=rows))
    answer = await people.nobody.get("/feeds/google.xml")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/xml")
    items = ElementTree.fromstring(answer.content).findall("channel/item")
    assert len(items) == 1_099
    found = {item.findtext("title"): item for item in items}
    pot = found["Pot <3> & Co"]
    assert {name: pot.findtext(G + name) for name in ("price", "availability", "brand", "product_type")} == {
        "price": "12.50 USD",
        "availability": "in_stock",
        "brand": "Potters",
        "product_type": "Kitchen > Pots",
    }
    assert (pot.findtext("link") or "").startswith("http")
    assert (pot.findtext(G + "image_link") or "").startswith("http")
    assert found["Pot <4> & Co"].findtext(G + "availability") == "out_of_stock"
    assert "Pot <7> & Co" not in found
    assert {item.findtext(G + "condition") for item in items} == {"new"}


async def test_googles_feed_says_the_barcode_or_that_there_is_none(people):
    seller = await people.shop.sellers.by_name("Feeder")
    sold = {
        "Çay Şöleni": [ImportVariant(900, 3, sku="cup", gtin="4006381333931")],
        "Pot": [ImportVariant(900, 3, sku="pot")],
        "Pan": [ImportVariant(900, 3, sku="12345670")],  # its last digit is that of a barcode
        "Lid": [ImportVariant(900, 3, sku=size, gtin=code) for size, code in SIZES],
        "Tee": [ImportVariant(900, 3, {"Size": size}, gtin=code) for size, code in SIZES],
    }
    rows = [
        ImportRow(
            external_id=title, title=title, variants=variants, options=OPTIONS if title == "Tee" else {}
        )
        for title, variants in sold.items()
    ]
    await people.shop.sellers.list_many(seller, ImportBatch(rows=rows))
    answer = await people.nobody.get("/feeds/google.xml")
    items = ElementTree.fromstring(answer.content).findall("channel/item")
    found = [
        (item.findtext("title"), item.findtext(G + "gtin"), item.findtext(G + "identifier_exists"))
        for item in items
    ]
    assert sorted(found, key=str) == sorted(
        [
            ("Çay Şöleni", "4006381333931", None),
            ("Pot", None, "no"),
            ("Pan", None, "no"),
            *(("Lid", code, None) for _, code in SIZES),
            *((f"Tee ({size})", code, None) for size, code in SIZES),
        ],
        key=str,
    )
    [link] = [item.findtext("link") or "" for item in items if item.findtext("title") == "Çay Şöleni"]
    assert link.endswith("/cay-soleni")
    assert (await people.nobody.get(urlsplit(link).path)).status_code == 200


async def test_googles_feed_says_the_condition_of_the_offer_that_is_featured(people, db):
    seller = await people.shop.sellers.by_name("Feeder")
    row = ImportRow(external_id="1", title="Pot", variants=[ImportVariant(1_250, 3)])
    await people.shop.sellers.list_many(seller, ImportBatch(rows=[row]))
    await db.execute("update catalog.offer set condition = 'refurbished'")
    [item] = ElementTree.fromstring((await people.nobody.get("/feeds/google.xml")).content).findall(
        "channel/item"
    )
    assert item.findtext(G + "condition") == "refurbished"


async def test_googles_feed_has_an_item_for_each_variant_that_is_for_sale(people, db):
    seller = await people.shop.sellers.by_name("Feeder")
    sizes = {"S": (900, 3, "active"), "M": (1_100, 0, "active"), "L": (1_300, 3, "draft")}
    row = ImportRow(
        external_id="tee",
        title="Tee",
        options={"Size": [*sizes], "Fit": ["Slim"]},
        variants=[
            ImportVariant(price, stock, {"Size": size, "Fit": "Slim"}, images=[f"/media/art/{size}.svg"])
            for size, (price, stock, _) in sizes.items()
        ],
    )
    await people.shop.sellers.list_many(seller, ImportBatch(rows=[row]))
    await db.execute("update catalog.offer set status = 'draft' where price = 1300")
    items = ElementTree.fromstring((await people.nobody.get("/feeds/google.xml")).content).findall(
        "channel/item"
    )
    names = ("size", "price", "availability")
    assert [[item.findtext(G + name) for name in names] for item in items] == [
        ["S", "9.00 USD", "in_stock"],
        ["M", "11.00 USD", "out_of_stock"],
    ]
    assert len({item.findtext(G + "item_group_id") for item in items}) == 1
    assert len({item.findtext(G + "id") for item in items}) == 2
    for item in items:
        link = item.findtext("link") or ""
        assert link.endswith(f"?variant={item.findtext(G + 'id')}")
        address = urlsplit(link)
        assert (await people.nobody.get(f"{address.path}?{address.query}")).status_code == 200
