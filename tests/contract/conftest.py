"""The whole shop behind its door, for the contract tests of the public API."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
from search_engines import where as where
from shard_databases import databases as databases
from shard_databases import several_settings as several_settings

from mercat import app, ids
from mercat.app import build_shop
from mercat.settings import Settings
from mercat.shop import Shop, every_product, run_background
from mercat.web.routes import PREFIX

CATEGORIES = ("Tea", "Kitchen", "Cups")
"""What there is to list in."""


class People(msgspec.Struct):
    """The shop, and a client each for nobody, a shopper, a seller and an operator."""

    shop: Shop
    nobody: httpx.AsyncClient
    shopper: httpx.AsyncClient
    seller: httpx.AsyncClient
    operator: httpx.AsyncClient


@pytest.fixture
async def people(settings: Settings) -> AsyncIterator[People]:
    settings = msgspec.structs.replace(settings, account_rate=1e6, account_burst=10**6)
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        for name in CATEGORIES:
            await shop.catalog.add_category(name)
        await shop.search.rebuild(every_product(shop.catalog))
        await run_background(shop)
        door = await app.public_app(shop)

        def client(token: str = "") -> httpx.AsyncClient:
            headers = {"authorization": f"Bearer {token}"} if token else {}
            transport = httpx.ASGITransport(door, raise_app_exceptions=False)
            return httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers, timeout=30)

        async with client() as nobody:
            tokens: list[str] = []
            for name in ("ann", "bob", "olga"):
                account = {"email": f"{name}@example.com", "password": "mercat-test", "name": name}
                opened = await nobody.post(f"{PREFIX}/accounts", json=account)
                assert opened.status_code == 201
                if name == "olga":
                    await shop.accounts.grant(ids.parse(ids.UserId, opened.json()["user_id"]), "operator")
                del account["name"]
                said = await nobody.post(f"{PREFIX}/sessions", json=account)
                assert said.status_code == 201
                tokens.append(said.json()["token"])
            nobody.cookies.clear()
            ann, bob, olga = map(client, tokens)
            async with ann as shopper, bob as seller, olga as operator:
                assert (await seller.post(f"{PREFIX}/sellers", json={"name": "Bob's"})).status_code == 201
                yield People(shop, nobody, shopper, seller, operator)
