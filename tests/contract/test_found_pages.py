"""How the shop is found from outside: the map of the site, what pages tell machines, and former addresses."""

import json
import re
from xml.etree import ElementTree

from contract.test_seller_imports import counts, sends
from journeys.people import until

from mercat.catalog import ImportBatch, ImportRow, ImportVariant
from mercat.web import robots
from mercat.web.routes import PREFIX

S = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
I = "{http://www.google.com/schemas/sitemap-image/1.1}"  # noqa: E741  - the namespace of images
SHOPIFY = """Handle,Title,Body (HTML),Type,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,Variant Price,Variant Barcode,Image Src,Variant Image,SEO Title,SEO Description,Status
moss-tee,Moss Tee,Soft,Kitchen,Color,Moss,MT-M,shopify,4,10.00,4006381333931,https://img.example/m.jpg,https://img.example/mm.jpg,Buy the tee,Soft and green,active
moss-tee,,,,,River,MT-R,shopify,0,12.00,,,,,,
cup,River Cup,,Cups,Title,Default Title,RC,shopify,2,8.00,,,,,,active
"""  # noqa: E501  - rows of exports are as long as they are


async def linked(people, path):
    page = (await people.nobody.get(path, follow_redirects=True)).text
    return [json.loads(each) for each in re.findall(r"(?s)ld\+json\">(.*?)</script>", page)]


async def listed(people):
    products = (await people.seller.get(f"{PREFIX}/seller/products?limit=100")).json()["products"]
    return {each["title"]: each["product_id"] for each in products}


async def test_the_map_of_the_site_has_all_that_is_for_sale(people, monkeypatch):
    monkeypatch.setattr(robots, "_SITEMAP_PART", 500)
    monkeypatch.setattr(robots, "_PAGE", 200)
    seller = await people.shop.sellers.by_name("Mapper")
    rows = [
        ImportRow(
            external_id=str(n),
            title=f"Pot {n} & <lid>",
            variants=[ImportVariant(1_250, 1)],
            images=[f"https://img.example/{n}.jpg?a=1&b=2"],
            status="draft" if n % 100 == 7 else "active",
        )
        for n in range(1_203)
    ]
    await people.shop.sellers.list_many(seller, ImportBatch(rows=rows))
    index = ElementTree.fromstring((await people.nobody.get("/sitemap.xml")).content)
    parts = [each.text or "" for each in index.iter(f"{S}loc")]
    assert [part.rpartition("/")[2] for part in parts] == ["pages.xml", "1.xml", "2.xml", "3.xml"]
    found = []
    for part in parts[1:]:
        answer = await people.nobody.get("/sitemap/" + part.rpartition("/")[2])
        urls = ElementTree.fromstring(answer.content)
        for url in urls.iter(f"{S}url"):
            found.append(url.findtext(f"{S}loc"))
            assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", url.findtext(f"{S}lastmod") or "")
            assert (url.findtext(f"{I}image/{I}loc") or "").endswith("?a=1&b=2")
    assert len(found) == len(set(found)) == 1_203 - 12
    assert (await people.nobody.get("/sitemap/4.xml")).status_code == 404
    assert (await people.nobody.get("/sitemap/0.xml")).status_code == 404


async def test_a_page_tells_machines_all_of_a_product(people):
    report = await sends(people, SHOPIFY, "shopify.csv")
    assert (report["problems"], counts(report)[1]) == ([], 2), report
    ids = await listed(people)
    group, crumbs = await linked(people, f"/p/{ids['Moss Tee']}")
    assert (group["@type"], group["variesBy"]) == ("ProductGroup", ["https://schema.org/color"])
    moss, river = group["hasVariant"]
    assert (moss["sku"], moss["gtin"], moss["color"]) == ("MT-M", "4006381333931", "Moss")
    assert moss["image"] == "https://img.example/mm.jpg"
    assert (moss["offers"]["price"], moss["offers"]["availability"]) == (
        "10.00",
        "https://schema.org/InStock",
    )
    assert (river["offers"]["price"], "gtin" in river) == ("12.00", False)
    assert "shippingRate" in moss["offers"]["shippingDetails"]
    assert moss["offers"]["hasMerchantReturnPolicy"]["merchantReturnDays"] == 30
    assert [each["name"] for each in crumbs["itemListElement"]] == ["Home", "Kitchen", "Moss Tee"]
    single, _ = await linked(people, f"/p/{ids['River Cup']}")
    assert (single["@type"], single["sku"], single["offers"]["@type"]) == ("Product", "RC", "Offer")
    page = (await people.nobody.get(f"/p/{ids['Moss Tee']}")).text
    assert "<title>Buy the tee</title>" in page
    assert '<meta name="description" content="Soft and green">' in page
    # Another seller offers the same: what they ask is told together.
    assert (await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Another"})).status_code == 201
    offer = {"product_id": ids["River Cup"], "price": 9, "quantity": 3}
    assert (await people.shopper.post(f"{PREFIX}/seller/offers", json=offer)).status_code == 201

    async def together():
        found, _ = await linked(people, f"/p/{ids['River Cup']}")
        return found["offers"]["@type"] == "AggregateOffer" and found["offers"]["highPrice"] == "9.00"

    await until(together)


async def test_former_addresses_lead_on(people):
    await sends(people, SHOPIFY, "shopify.csv")
    ids = await listed(people)
    tee = f"/p/{ids['Moss Tee']}/moss-tee"
    for path in ("/products/moss-tee", "/products/moss-tee/", "/collections/all/products/moss-tee"):
        answer = await people.nobody.get(path)
        assert (answer.status_code, answer.headers.get("location")) == (308, tee), path
    answer = await people.nobody.get("/products/moss-tee?utm_source=x")
    assert (answer.status_code, answer.headers["location"]) == (308, tee)
    assert (await people.nobody.get("/collections/kitchen")).headers["location"] == "/c/kitchen"
    assert (await people.nobody.get("/product-category/home/cups")).headers["location"] == "/c/cups"
    for path in ("/products/none", "/collections/none", "/collections/", "/nowhere", "/products/a%00b"):
        assert (await people.nobody.get(path)).status_code in (400, 404), path
    assert (await people.nobody.post("/products/moss-tee")).status_code == 404
    # A handle that another seller brings too stays where it was first.
    assert (await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Another"})).status_code == 201
    people.seller, people.shopper = people.shopper, people.seller
    await sends(people, SHOPIFY, "shopify.csv")
    assert (await people.nobody.get("/products/moss-tee")).headers["location"] == tee


async def test_new_goods_are_a_feed(people):
    await sends(people, SHOPIFY, "shopify.csv")

    async def there():
        feed = ElementTree.fromstring((await people.nobody.get("/feeds/new.xml")).content)
        return {each.findtext("title") for each in feed.iter("item")} == {"Moss Tee", "River Cup"}

    await until(there)
    answer = await people.nobody.get("/feeds/new.xml")
    item = next(ElementTree.fromstring(answer.content).iter("item"))
    assert answer.headers["content-type"].startswith("application/rss+xml")
    assert (item.findtext("link") or "").startswith("http")
    assert (item.findtext("guid") or "").startswith("prod_")
    assert re.search(r", \d\d \w{3} 20\d\d ", item.findtext("pubDate") or "")
    assert "/feeds/new.xml" in (await people.nobody.get("/")).text
