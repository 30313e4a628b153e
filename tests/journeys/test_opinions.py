"""What people say, keep and may like."""

from typing import Any

from journeys.people import code, ok, until


async def _has_bought(town, listing):
    mia = await (await town.member()).ready()
    await mia.puts(listing["offer_id"])
    return mia, await mia.buys()


async def test_only_buyers_review_and_the_rating_follows(town, bea):
    tea = await bea.lists()
    path = f"/products/{tea['product_id']}/reviews"
    said = {"stars": 4, "title": "Good", "body": "It tastes of hills."}
    guest, stranger = await town.guest(), await town.member()
    assert (await guest.ask("POST", path, said)).status_code == 401
    assert code(await stranger.ask("POST", path, said)) == (403, "not_a_buyer")

    mia, order = await _has_bought(town, tea)
    zoe, zoes = await _has_bought(town, tea)
    assert code(await zoe.ask("POST", path, said)) == (403, "not_a_buyer")
    for each in (order, zoes):
        await bea.saw(await bea.ships(each["order_id"]), "delivered")

    async def written_by(person, stars):
        answer: Any = None

        async def may():  # reviews hear of the purchase by the log
            nonlocal answer
            answer = await person.ask("POST", path, said | {"stars": stars})
            return answer.status_code == 201

        await until(may)
        return answer.json()

    async def verified():
        reviews = (await town.nobody.get(path))["reviews"]
        return any(review["verified"] for review in reviews)

    first = await written_by(mia, 5)
    await until(verified)
    second = await written_by(zoe, 2)
    assert second["verified"]
    assert code(await mia.ask("POST", path, said)) == (409, "already_reviewed")
    shown = await town.nobody.get(path)
    assert (shown["total"], [review["stars"] for review in shown["reviews"]]) == (2, [2, 5])

    async def rated():
        product = await town.nobody.get(f"/products/{tea['product_id']}")
        return (product["rating"], product["review_count"]) == (3.5, 2)

    await until(rated)
    product = await town.nobody.get(f"/products/{tea['product_id']}")
    assert [review["stars"] for review in product["reviews"]] == [2, 5]

    helpful = f"/reviews/{first['review_id']}/helpful"
    for _ in range(2):
        assert ok(await zoe.ask("POST", helpful))["helpful"] == 1
    assert (await mia.ask("POST", helpful)).status_code in (403, 409)
    for wrong in ({"stars": 6}, {"stars": 0}, {"stars": True}, {"body": " "}):
        assert (await stranger.ask("POST", path, said | wrong)).status_code == 422


async def test_a_wishlist_keeps_a_product_once(town, bea):
    tea = await bea.lists()
    gus, other = await town.guest(), await town.guest()
    path = f"/wishlist/{tea['product_id']}"
    for _ in range(2):
        assert (await gus.ask("PUT", path)).is_success
    [item] = (await gus.get("/wishlist"))["items"]
    assert item["product_id"] == tea["product_id"]
    assert (await other.get("/wishlist"))["items"] == []
    assert (await gus.ask("DELETE", path)).is_success
    assert (await gus.get("/wishlist"))["items"] == []
    assert (await gus.ask("PUT", "/wishlist/prod_0000000000001")).status_code == 404


async def test_what_is_bought_together_is_recommended(town, bea):
    tea, cup = await bea.lists(), await bea.lists("A cup")
    for _ in range(2):
        gus = await (await town.guest()).ready()
        await gus.puts(tea["offer_id"])
        await gus.puts(cup["offer_id"])
        await gus.buys()

    async def beside():
        shelf = await town.nobody.get(f"/products/{tea['product_id']}/recommendations")
        return cup["product_id"] in [product["product_id"] for product in shelf["products"]]

    await until(beside)
    popular = (await town.nobody.get("/recommendations"))["products"]
    assert popular
    assert {"product_id", "title", "price", "seller"} <= popular[0].keys()
    assert (await gus.get("/recommendations"))["products"]
