"""The whole shop behind its door, for the contract tests of the public API."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest

from mercat import main
from mercat.gateway.routes import PREFIX
from mercat.settings import Settings


class People(msgspec.Struct):
    """The shop, and a client each for nobody, a shopper and a seller."""

    shop: main.Shop
    nobody: httpx.AsyncClient
    shopper: httpx.AsyncClient
    seller: httpx.AsyncClient


@pytest.fixture
async def people(settings: Settings) -> AsyncIterator[People]:
    settings = msgspec.structs.replace(settings, account_rate=1e6, account_burst=10**6)
    async with AsyncExitStack() as stack:
        shop = await main.assemble(settings, stack)
        await shop.search.rebuild(main.products(shop.catalog))
        await main.work_in_the_back(shop)
        door = await main.answer_the_door(shop)

        def client(token: str = "") -> httpx.AsyncClient:
            headers = {"authorization": f"Bearer {token}"} if token else {}
            transport = httpx.ASGITransport(door, raise_app_exceptions=False)
            return httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers, timeout=30)

        async with client() as nobody:
            tokens: list[str] = []
            for name in ("ann", "bob"):
                account = {"email": f"{name}@example.com", "password": "mercat-test", "name": name}
                assert (await nobody.post(f"{PREFIX}/accounts", json=account)).status_code == 201
                said = await nobody.post(f"{PREFIX}/sessions", json=account)
                assert said.status_code == 201
                tokens.append(said.json()["token"])
            nobody.cookies.clear()
            async with client(tokens[0]) as shopper, client(tokens[1]) as seller:
                assert (await seller.post(f"{PREFIX}/sellers", json={"name": "Bob's"})).status_code == 201
                yield People(shop, nobody, shopper, seller)
