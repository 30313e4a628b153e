"""Every promise of browsing and searching, held by the goods of the demo."""

import asyncio
from urllib.parse import urlencode

import pytest
from journeys.people import code, until


async def _all(town, path, key, **asked):
    """Every product, by following the cursor."""
    found, cursor = [], {}
    while True:
        query = urlencode({**asked, "limit": 100, **cursor}, doseq=True)
        page = await town.nobody.get(f"{path}?{query}")
        found += page[key]
        if not page["next_cursor"]:
            return found, page["total"]
        cursor = {"cursor": page["next_cursor"]}


async def test_every_category_has_as_many_products_as_it_says(town):
    known = {}

    async def agreed():
        categories = (await town.nobody.get("/categories"))["categories"]
        known.update({category["category_id"]: category for category in categories})
        pages = await asyncio.gather(
            *(town.nobody.get(f"/products?limit=1&category={category['slug']}") for category in categories)
        )
        return [category["product_count"] for category in categories] == [page["total"] for page in pages]

    # What another test has just listed may be up to five seconds late.
    await until(agreed, within=10)
    categories = list(known.values())
    assert len(categories) >= 30
    children = {}
    for category in categories:
        if category["parent_id"]:
            children.setdefault(category["parent_id"], []).append(category["product_count"])
    for parent, counts in children.items():
        assert known[parent]["product_count"] >= sum(counts)
    assert code(await town.nobody.ask("GET", "/products?category=no-such")) == (404, "not_found")


@pytest.mark.parametrize(
    ("sort", "key", "falling"),
    [
        ("price_asc", "price", False),
        ("price_desc", "price", True),
        ("rating", "rating", True),
    ],
)
async def test_sorted_by_key_the_cursor_walks_everything_once(town, sort, key, falling):
    async def walk():
        return await _all(town, "/products", "products", category="electronics", sort=sort)

    async def quiet():  # the demo's last ratings may still be on their way to the index
        return await walk() == await walk()

    await until(quiet)
    found, total = await walk()
    values = [product[key] for product in found]
    assert values == sorted(values, reverse=falling)
    assert len({product["product_id"] for product in found}) == len(found) == total > 100
    by_page = await town.nobody.get(f"/products?category=electronics&sort={sort}&limit=50&page=2")
    assert [product["product_id"] for product in by_page["products"]] == [
        product["product_id"] for product in found[50:100]
    ]


async def test_pages_end_and_bad_ones_are_refused(town):
    first = await town.nobody.get("/products?limit=7")
    assert first["total_pages"] == -(-first["total"] // 7)
    beyond = await town.nobody.get("/products?limit=100&page=1000")
    assert (beyond["products"], beyond["next_cursor"]) == ([], None)
    for wrong in (
        "limit=0",
        "limit=101",
        "page=0",
        "page=1001",
        "limit=ten",
        "sort=cheap",
        "cursor=x",
        "page=",
    ):
        for path in ("/products", "/search"):
            refused = await town.nobody.ask("GET", f"{path}?{wrong}")
            assert refused.status_code == 422, (path, wrong)
            assert refused.json()["pointer"] == "/" + wrong.split("=")[0]


async def test_each_facet_counts_what_it_would_leave(town):
    asked = {"q": "tea", "filters[category]": ["mugs-cups", "tea"], "filters[price_max]": 40}

    async def search(**more):
        return await town.nobody.get("/search?" + urlencode(asked | more, doseq=True))

    whole = await search()
    facets = whole["facets"]
    assert sum(count["count"] for count in facets["brands"]) <= whole["total"]
    for brand in facets["brands"][:4]:
        assert (await search(**{"filters[brand]": brand["value"]}))["total"] == brand["count"]
    two = [brand["value"] for brand in facets["brands"][:2]]
    both = await search(**{"filters[brand]": two})
    assert both["total"] == sum(brand["count"] for brand in facets["brands"][:2])
    assert both["facets"]["brands"] == facets["brands"]  # a facet ignores its own filter
    for stars in facets["ratings"]:
        assert (await search(**{"filters[rating_min]": stars["value"]}))["total"] == stars["count"]
    for category in facets["categories"][:5]:
        assert (await search(**{"filters[category]": category["value"]}))["total"] == category["count"]
    assert [stars["value"] for stars in facets["ratings"]] == [4, 3, 2, 1]


async def test_a_category_is_narrowed_by_what_its_products_differ_in(town):
    counts = {
        each["slug"]: each["product_count"] for each in (await town.nobody.get("/categories"))["categories"]
    }
    seen = 0
    for slug in sorted(counts, key=lambda slug: -counts[slug])[:12]:
        asked = {"filters[category]": slug}

        async def search(**more):
            return await town.nobody.get("/search?" + urlencode(asked | more, doseq=True))  # noqa: B023

        offered = (await search())["facets"]["attributes"]
        assert len(offered) <= 4
        for facet in offered[:2]:
            name = f"filters[attr.{facet['name']}]"
            first, second, *_ = facet["values"]
            narrowed = await search(**{name: first["value"]})
            assert narrowed["total"] == first["count"]
            assert facet in narrowed["facets"]["attributes"], (
                "it ignores its own filter, and stays where it was"
            )
            assert (await search(**{name: [first["value"], second["value"]]}))["total"] >= first["count"]
        seen += len(offered)
    assert seen


async def test_attributes_that_nobody_has_find_nothing_and_malformed_ones_are_refused(town):
    assert (await town.nobody.get("/search?filters[attr.nobody has this]=x"))["total"] == 0
    many = "&".join(f"filters[attr.n{n}]=x" for n in range(9))
    for wrong in ("filters[attr.]=x", f"filters[attr.{'n' * 101}]=x", f"filters[attr.n]={'x' * 201}", many):
        refused = await town.nobody.ask("GET", f"/search?{wrong}")
        assert refused.status_code == 422, wrong
        assert refused.json()["pointer"].startswith("/filters[attr.NAME]")
    everything = (await town.nobody.get("/search"))["total"]
    assert (await town.nobody.get("/search?filters[attr.n]="))["total"] == everything  # as a form sends it


async def test_every_product_is_in_exactly_one_price_range(town):
    everything = await town.nobody.get("/search?q=")
    ranges = {each["value"]: each["count"] for each in everything["facets"]["price_ranges"]}
    assert list(ranges) == ["0-25", "25-50", "50-100", "100-"]
    assert sum(ranges.values()) == everything["total"] >= 2_000
    found, _ = await _all(town, "/search", "results", **{"filters[category]": "electronics"})
    narrowed = await town.nobody.get("/search?filters[category]=electronics")
    bounds = {"0-25": (0, 25), "25-50": (25, 50), "50-100": (50, 100), "100-": (100, 10**9)}
    for each in narrowed["facets"]["price_ranges"]:
        low, high = bounds[each["value"]]
        assert each["count"] == sum(low <= product["price"] < high for product in found)


async def test_filters_narrow_and_hold(town):
    found, total = await _all(
        town,
        "/search",
        "results",
        **{
            "filters[price_min]": 20,
            "filters[price_max]": 30,
            "filters[rating_min]": 4,
            "filters[in_stock]": "true",
        },
    )
    assert len(found) == total > 0
    assert all(20 <= product["price"] <= 30 for product in found)
    assert all(product["rating"] >= 4 and product["in_stock"] for product in found)
    for wrong in ("filters[price_min]=cheap", "filters[rating_min]=6", "filters[in_stock]=perhaps"):
        assert (await town.nobody.ask("GET", f"/search?{wrong}")).status_code == 422


async def test_a_card_and_its_page_say_the_same(town):
    page = await town.nobody.get("/search?q=kettle&limit=5")
    assert page["results"]
    for card in page["results"]:
        product = await town.nobody.get(f"/products/{card['product_id']}")
        for name in ("title", "price", "currency", "rating", "review_count", "in_stock", "seller", "brand"):
            assert product[name] == card[name], name
        assert product["variants"]
        assert product["offers"]
        assert product["images"]
        assert card["external_id"] == product["external_id"]
    unknown = await town.nobody.ask("GET", "/products/prod_0000000000001")
    assert code(unknown) == (404, "not_found")


async def test_a_product_is_found_by_its_external_id_and_by_the_sku_of_a_variant(town):
    for card in (await town.nobody.get("/products?category=kettles-teapots&limit=3"))["products"]:
        for code_of_it in (card["external_id"], card["external_id"].upper(), f"{card['external_id']}-1"):
            for q in (code_of_it, f"kettle {code_of_it}"):
                found = await town.nobody.get("/search?" + urlencode({"q": q}))
                assert found["results"][0]["product_id"] == card["product_id"], q
                assert (found["relaxed"], found["did_you_mean"]) == (None, None)


async def test_what_a_seller_lists_is_found_by_their_sku_and_its_barcode(town):
    bea = await town.seller()
    made = await bea.lists("Plain folder", sku="FLD-A4-RED", gtin="00012345678905", category="notebooks")

    async def found(q):
        results = (await town.nobody.get("/search?" + urlencode({"q": q})))["results"]
        return results[0]["product_id"] == made["product_id"] if results else False

    for q in ("fld-a4-red", "FLD-A4-RED folder", "00012345678905", "012345678905", "12345678905"):
        await until(lambda: found(q), within=10)  # noqa: B023  waited for within the loop


@pytest.mark.parametrize(("q", "category"), [("lamp", "lamps"), ("headphones", "headphones")])
async def test_what_only_mentions_a_thing_is_in_no_list_and_no_count(town, q, category):
    everything = (await town.nobody.get(f"/products?category={category}&limit=1"))["total"]
    for sort in ("relevance", "price_asc", "price_desc", "rating", "newest"):
        found, total = await _all(town, "/search", "results", q=q, sort=sort)
        assert len({each["product_id"] for each in found}) == len(found) == total == everything
        assert {each["category"] for each in found} == {category}
    facets = (await town.nobody.get(f"/search?q={q}&sort=price_asc"))["facets"]
    assert {"value": category, "count": everything} in facets["categories"]
    assert sum(each["count"] for each in facets["price_ranges"]) == everything


async def test_suggestions_come_from_the_shop(town):
    said = await town.nobody.get("/search/suggest?q=ket")
    assert any(word.startswith("ket") for word in said["words"])
    assert said["products"]


async def test_reads_are_not_sent_again_when_nothing_changed(town):
    for path in ("/categories", "/products?limit=3", "/search?q=tea&limit=3"):
        first = await town.nobody.ask("GET", path)
        again = await town.nobody.ask("GET", path, if_none_match=first.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
