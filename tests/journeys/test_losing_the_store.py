"""Valkey loses everything between putting in and buying."""

import httpx
import pytest
from journeys.people import Town, code, ok, until
from valkeys import forget_all

from mercat import settings
from mercat.kit.valkey import ValkeyServer
from mercat.lab.bench.shop import audited, opened


@pytest.mark.long
async def test_carts_guests_and_places_in_line_come_back():
    async with opened(workers=1, demo=True) as shop:
        base = f"http://127.0.0.1:{shop.port}/api/v1"
        async with httpx.AsyncClient(base_url=base, timeout=30) as http:
            town = Town(http)
            bea = await town.seller()
            tea = await bea.lists(quantity=5)
            account = {"email": "mia@example.org", "password": "mercat-test", "name": "Mia"}
            await town.nobody.post("/accounts", account)
            mia = await (await town.signed_in(account["email"], account["password"])).ready()
            await mia.puts(tea["offer_id"], 2)
            await mia.buys()
            cart = await mia.puts(tea["offer_id"], 2)
            guest = await (await town.guest()).ready()
            guests_cart = await guest.puts(tea["offer_id"])
            line = "/flash-sales/demo/queue"
            place = ok(await guest.ask("POST", line), 201)

            async def has_a_turn() -> bool:
                return "pass" in await guest.get(line)

            await until(has_a_turn)  # from here on the place stands in PostgreSQL
            store = ValkeyServer(settings.load(shop.environment()).store_url)

            async def copied() -> bool:
                return not await store.do("ZCARD", "carts:changed")

            assert await until(copied) < 5
            await forget_all(store)
            await store.close()
            http.cookies.clear()
            assert code(await mia.ask("GET", "/cart")) == (401, "sign_in_first")
            mia.token = (await town.signed_in(account["email"], account["password"])).token
            back = await mia.cart()
            assert (back["cart_id"], back["items"]) == (cart["cart_id"], cart["items"])
            assert (await mia.buys())["lines"][0]["quantity"] == 2
            assert (await guest.cart())["cart_id"] == guests_cart["cart_id"]
            assert (await guest.buys())["lines"][0]["quantity"] == 1

            async def in_line_again() -> bool:
                return (await guest.ask("GET", line)).status_code == 200

            await until(in_line_again)
            assert (await guest.get(line))["number"] == place["number"]

            async def sold_out() -> bool:
                return not (await town.nobody.get(f"/products/{tea['product_id']}"))["in_stock"]

            await until(sold_out)
            assert [finding for finding in await audited(shop) if finding.violations] == []
