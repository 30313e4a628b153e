"""Categories are the operator's: by the API as programs use it, and what shoppers and sellers see of them."""

import asyncio

from journeys.people import until

from mercat.catalog import ImportBatch, ImportRow, ImportVariant
from mercat.kit.refusals import Unavailable
from mercat.web.routes import PREFIX

CUP = {"title": "A cup", "description": "Blue.", "price": 10.0, "currency": "USD", "quantity": 3}


async def made(operator, name, parent_id=None):
    body = {"name": name} if parent_id is None else {"name": name, "parent_id": parent_id}
    answer = await operator.post(f"{PREFIX}/operator/categories", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def counts(people):
    answer = await people.nobody.get(f"{PREFIX}/categories")
    return {each["slug"]: each["product_count"] for each in answer.json()["categories"]}


async def lists(people, category, status=201):
    answer = await people.seller.post(f"{PREFIX}/seller/products", json=CUP | {"category": category})
    assert answer.status_code == status, answer.text
    return answer.json()


async def change(people, category_id, **body):
    return await people.operator.patch(f"{PREFIX}/operator/categories/{category_id}", json=body)


async def test_what_no_category_is_is_refused_and_never_on_the_shops_front(people):
    refused = await lists(people, "kitchn", 422)
    assert (refused["code"], refused["pointer"]) == ("category_unknown", "/category")
    assert refused["closest"][0] == "kitchen"
    assert (await lists(people, "not-a-cat", 422))["code"] == "category_unknown"
    assert "not-a-cat" not in await counts(people)
    changed = await lists(people, "KITCHEN")
    patched = await people.seller.patch(
        f"{PREFIX}/seller/products/{changed['product_id']}", json={"category": "not-a-cat"}
    )
    assert (patched.status_code, patched.json()["code"]) == (422, "category_unknown")


async def test_a_category_is_renamed_moved_and_merged_and_its_products_and_addresses_follow(people, db):
    phones = await made(people.operator, "Phones")
    cases = await made(people.operator, "Cases", phones["category_id"])
    gadgets = await made(people.operator, "Gadgets")
    gadget_cases = await made(people.operator, "cases", gadgets["category_id"])
    assert gadget_cases["slug"] == "gadgets-cases"
    for slug in ("phones", "cases", "cases", "gadgets-cases"):
        await lists(people, slug)

    async def counted(**wanted):
        async def so():
            found = await counts(people)
            return all(found.get(slug.replace("_", "-"), 0) == count for slug, count in wanted.items())

        await until(so)

    await counted(phones=3, cases=2, gadgets=1, gadgets_cases=1)
    reduced = await people.operator.post(
        f"{PREFIX}/operator/promotions",
        json={"name": "Off", "when": {"category": ["gadgets", "phones"]}, "then": {"percent": 10}},
    )
    promotion_id = reduced.json()["promotion_id"]

    async def is_for(*slugs):
        async def so():
            answer = await people.operator.get(f"{PREFIX}/operator/promotions/{promotion_id}")
            return answer.json()["when"] == {"category": [*slugs]}

        await until(so)

    renamed = await change(people, phones["category_id"], name="Telephones")
    assert (renamed.status_code, renamed.json()["slug"]) == (200, "telephones")
    await counted(telephones=3, cases=2, phones=0)
    await is_for("gadgets", "telephones")
    for path, lead in (
        ("/c/phones?sort=newest", "/c/telephones?sort=newest"),
        (f"{PREFIX}/products?category=phones&limit=5", "?limit=5&category=telephones"),
    ):
        answer = await people.nobody.get(path)
        assert answer.status_code == 308
        assert answer.headers["location"] == lead
    followed = await people.nobody.get(f"{PREFIX}/products?category=phones", follow_redirects=True)
    assert followed.json()["total"] == 3
    found = await people.nobody.get(f"{PREFIX}/search?filters[category]=phones")
    assert found.json()["total"] == 3

    assert (await change(people, cases["category_id"], parent_id=None)).status_code == 200
    await counted(telephones=1, cases=2)
    loop = await change(people, gadgets["category_id"], parent_id=gadget_cases["category_id"])
    assert (loop.status_code, loop.json()["pointer"]) == (422, "/parent_id")
    twin = await change(people, gadgets["category_id"], name="TELEPHONES")
    assert (twin.status_code, twin.json()["code"]) == (409, "category_exists")

    assert (await change(people, cases["category_id"], parent_id=phones["category_id"])).status_code == 200
    merged = await change(people, phones["category_id"], merge_into=gadgets["category_id"])
    assert merged.json()["category_id"] == gadgets["category_id"]
    await counted(gadgets=4, gadgets_cases=3, telephones=0, cases=0)
    for former in ("phones", "telephones"):
        assert (await people.nobody.get(f"/c/{former}")).headers["location"] == "/c/gadgets"
    assert (await people.nobody.get("/c/cases")).headers["location"] == "/c/gadgets-cases"
    await lists(people, "telephones")
    await counted(gadgets=5, gadgets_cases=3)
    # What files call it is found as before.
    seller = await people.shop.sellers.by_name("Files")
    row = ImportRow(
        external_id="1", title="x", category_path=["PHONES", "Cases"], variants=[ImportVariant(100)]
    )
    await people.shop.sellers.list_many(seller, ImportBatch(rows=[row]))
    await counted(gadgets=6, gadgets_cases=4)

    # What was for the phones alone is not for all gadgets; and what was told before that was heard before.
    assert (await change(people, gadgets["category_id"], name="Things")).status_code == 200
    await is_for("telephones", "things")
    told = await db.fetch(
        "select body::jsonb ->> 'category_id' as key from events.log where kind = 'CategoriesRenamed'"
    )
    assert [each["key"] for each in told] == ["0", "0"]


async def test_a_search_within_what_is_no_category_reads_no_categories(people, monkeypatch):
    reads, read = [], people.shop.catalog.categories

    async def counted():
        reads.append(1)
        return await read()

    async def search(*categories, status=200):
        asked = {"filters[category]": categories}
        answer = await people.nobody.get(f"{PREFIX}/search", params=asked)
        assert answer.status_code == status, answer.text
        return answer.json()

    await lists(people, "kitchen")

    async def found():
        return (await search("kitchen", "no-such"))["total"] == 1

    await until(found)
    monkeypatch.setattr(people.shop.catalog, "categories", counted)
    for n in range(20):
        assert (await search("kitchen", f"no-{n}", f"none-{n}"))["total"] == 1
    assert len(reads) < 10, "no more than the shop reads by itself"
    assert (await search(*map(str, range(51)), status=422))["pointer"] == "/filters[category]"

    async def away(slugs):
        raise Unavailable

    monkeypatch.setattr(people.shop.catalog, "current_slugs", away)
    assert (await search("kitchen", "elsewhere"))["total"] == 1


async def test_an_empty_category_goes_and_a_full_one_stays(people):
    full, empty = await made(people.operator, "Full"), await made(people.operator, "Empty")
    await lists(people, "full")
    refused = await people.operator.delete(f"{PREFIX}/operator/categories/{full['category_id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "category_not_empty")
    path = f"{PREFIX}/operator/categories/{empty['category_id']}"
    assert (await people.operator.delete(path)).status_code == 200
    assert (await people.operator.delete(path)).status_code == 404
    assert (await people.nobody.get("/c/empty")).status_code == 404
    assert (await lists(people, "empty", 422))["code"] == "category_unknown"


async def test_the_desk_shows_the_tree_and_what_can_be_done(people):
    lamps = await made(people.operator, "Lamps")
    page = await people.operator.get("/operator/categories")
    assert (page.status_code, "/c/lamps" in page.text) == (200, True)
    page = await people.operator.get(f"/operator/categories/{lamps['category_id']}")
    assert (page.status_code, "Merge into another" in page.text) == (200, True)
    page = await people.operator.get("/operator/sellers")
    assert (page.status_code, "Bob&#39;s" in page.text) == (200, True)


async def test_only_operators_change_the_tree(people):
    for who, status in ((people.seller, 403), (people.nobody, 401)):
        answer = await who.post(f"{PREFIX}/operator/categories", json={"name": "Mine"})
        assert answer.status_code == status


async def test_two_who_make_one_category_at_once_make_one(people):
    body = {"name": "Once"}
    answers = await asyncio.gather(
        *(people.operator.post(f"{PREFIX}/operator/categories", json=body) for _ in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5


async def test_what_sellers_files_bring_waits_for_an_operator(people):
    seller = (await people.shop.sellers.sellers())[0].seller_id
    row = ImportRow(
        external_id="1", title="x", category_path=["Kitchen", "Pots"], variants=[ImportVariant(100)]
    )
    batch = ImportBatch(rows=[row], categories="ask")
    taken = await people.shop.sellers.list_many(seller, batch)
    assert [(each.code, each.column) for each in taken.refused] == [("category_unknown", "category")]
    assert "pots" not in await counts(people)
    asked = (await people.operator.get(f"{PREFIX}/operator/asked-categories")).json()["asked"]
    assert [each["names"] for each in asked] == [["Kitchen", "Pots"]]
    tea = (await people.nobody.get(f"{PREFIX}/categories")).json()["categories"]
    tea_id = next(each["category_id"] for each in tea if each["slug"] == "tea")
    decision = {"names": ["Kitchen", "Pots"], "verdict": "map", "category_id": tea_id}
    path = f"{PREFIX}/operator/asked-categories"
    assert (await people.operator.post(path, json=decision)).status_code == 200
    assert (await people.operator.post(path, json=decision)).status_code == 404
    assert (await people.operator.get(path)).json()["asked"] == []
    assert (await people.shop.sellers.list_many(seller, batch)).added == 1
    await until(lambda: _tea(people))


async def _tea(people):
    return (await counts(people)).get("tea") == 1
