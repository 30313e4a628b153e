"""Descriptions with HTML, by import, API and desk: formatted on the page, safe, plain words elsewhere."""

import json
import re

import pytest
from waiting import until

from mercat.catalog import ImportBatch, ImportRow, ImportVariant
from mercat.catalog.formatted import formatted, source_of
from mercat.web.routes import PREFIX

GIVEN = (
    "<h1>Why</h1><p onclick='x()'>Nice <b>mug</b> &amp; saucer</p><script>alert(1)</script>"
    '<img src=x onerror=alert(2)><a href="javascript:alert(3)">go</a><a href="https://x.example/">see</a>'
)
SAFE = (
    '<h3>Why</h3><p>Nice <b>mug</b> &amp; saucer</p><a rel="nofollow noopener ugc">go</a>'
    '<a href="https://x.example/" rel="nofollow noopener ugc">see</a>'
)
WORDS = "Why\n\nNice mug & saucer\n\ngosee"
LISTING = {"title": "Tom &amp; Jerry mug", "description": GIVEN, "category": "kitchen"}


def found(pattern, text):
    match = re.search(pattern, text)
    assert match
    return match[1]


async def by_api(people):
    ask = LISTING | {"price": 5, "currency": "USD", "quantity": 1}
    made = await people.seller.post(f"{PREFIX}/seller/products", json=ask)
    assert made.status_code == 201, made.text
    return made.json()["product_id"]


async def by_change(people):
    ask = {
        "title": "x",
        "description": "",
        "category": "kitchen",
        "price": 5,
        "currency": "USD",
        "quantity": 1,
    }
    made = (await people.seller.post(f"{PREFIX}/seller/products", json=ask)).json()["product_id"]
    changed = await people.seller.patch(f"{PREFIX}/seller/products/{made}", json=LISTING)
    assert changed.status_code == 200, changed.text
    assert changed.json()["description"] == SAFE
    again = {"title": changed.json()["title"], "description": changed.json()["description"]}
    assert (
        await people.seller.patch(f"{PREFIX}/seller/products/{made}", json=again)
    ).json() == changed.json()
    return made


async def by_form(people):
    page = await people.seller.get("/desk/new", headers={"sec-fetch-site": "same-origin"})
    csrf = found(r'name="csrf" value="(\w+)"', page.text)
    form = LISTING | {"price": "5", "quantity": "1", "csrf": csrf}
    said = await people.seller.post("/desk/new", data=form)
    assert said.status_code == 303, said.text
    return (await people.seller.get(f"{PREFIX}/seller/products")).json()["products"][0]["product_id"]


async def by_import(people):
    seller = await people.shop.sellers.by_name("Imports")
    row = ImportRow(
        external_id="1",
        title=LISTING["title"],
        description=GIVEN,
        category_path=["kitchen"],
        variants=[ImportVariant(500, 1)],
    )
    await people.shop.sellers.list_many(seller, ImportBatch(rows=[row], stock=1))
    [change, *_] = await people.shop.catalog.documents(0)
    return str(change.product_id)


@pytest.mark.parametrize("way", [by_api, by_change, by_form, by_import])
async def test_a_formatted_description_is_safe_and_found_by_its_words(people, way):
    product_id = await way(people)
    product = (await people.nobody.get(f"{PREFIX}/products/{product_id}")).json()
    assert product["title"] == "Tom & Jerry mug"
    assert (product["description"], product["description_html"]) == (WORDS, SAFE)
    page = (await people.nobody.get(f"/p/{product_id}")).text
    assert SAFE in page
    assert "Tom &amp; Jerry mug" in page
    assert "&amp;amp;" not in page
    for bad in ("alert(", "onclick", "onerror", "javascript:"):
        assert bad not in page
    described = found(r'<meta name="description" content="([^"]*)"', page)
    assert "<" not in described
    assert "&lt;" not in described
    linked = json.loads(found(r"(?s)ld\+json\">(.*?)</script>", page))
    assert linked["description"] == WORDS

    async def results():
        return (await people.nobody.get(f"{PREFIX}/search", params={"q": "saucer"})).json()["results"]

    assert (await until(results))[0]["title"] == "Tom & Jerry mug"


@pytest.mark.parametrize(
    "text",
    [
        GIVEN,
        "Tom &amp; Jerry",
        "a < b and c > d",
        "3 <b 4",
        "&lt;script&gt;x&lt;/script&gt;",
        "<svg onload=x><b>q</b></svg>",
        "<p>a<p>b",
        "<ul><li>one<li>two</ul>",
        "<<b>b</b>script>alert(1)<</b>/script>",
        "<style>p{}</style>",
    ],
)
def test_what_was_made_safe_stays_as_it_is(text):
    words, safe = formatted(text)
    assert formatted(source_of(words, safe)) == (words, safe)
    assert "<script" not in (safe or "")
