"""A shop behind its door, and people who come to it with browsers."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from html import unescape
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from journeys.people import until

from mercat import app
from mercat.app import build_shop
from mercat.catalog import CategoryExists
from mercat.kit.wal import open_slot
from mercat.settings import Settings
from mercat.shop import run_background
from mercat.web.routes import PREFIX

Opened = Callable[..., AbstractAsyncContextManager["House"]]
ANN = {"email": "ann@example.com", "password": "correct horse", "name": "Ann"}


def credentials(account: dict[str, str]) -> dict[str, str]:
    return {name: account[name] for name in ("email", "password")}


class House:
    """A shop behind its door, and its visitors."""

    def __init__(self, shop: Any, door: Any, stack: AsyncExitStack) -> None:
        self.shop = shop
        self._door = door
        self._stack = stack
        self.cup: dict[str, str] = {}
        """What there is to buy, once a test has listed it."""
        self.seller_id = ""
        self.seller: Visitor | None = None

    async def visitor(self, agent: str = "Firefox", address: str = "127.0.0.1") -> "Visitor":
        transport = httpx.ASGITransport(self._door, raise_app_exceptions=False, client=(address, 4_711))
        client = httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers={"user-agent": agent}, timeout=30
        )
        return Visitor(await self._stack.enter_async_context(client))

    async def member(self, account: dict[str, str] = ANN, **who: str) -> "Visitor":
        visitor = await self.visitor(**who)
        await visitor.api("POST", "/accounts", 201, account)
        await visitor.api("POST", "/sessions", 201, credentials(account))
        return visitor

    async def letters(self, to: str) -> list[str]:
        return [mail.body for mail in await self.shop.notifications.mailbox(100, to)]

    async def link(self, to: str, path: str) -> str:
        """The newest link below this path in the letters to somebody, once it is there."""

        async def there() -> str:
            found = [re.search(rf"/{path}/\S+", body) for body in await self.letters(to)]
            return next((each[0] for each in found if each), "")

        await until(there, 30)
        return (await there()).rpartition("/")[2]


class Visitor:
    """A browser: it has cookies, reads pages and sends their forms; and talks to the API."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def api(self, verb: str, path: str, status: int, body: Any = None) -> Any:
        answer = await self.http.request(verb, PREFIX + path, json=body)
        assert answer.status_code == status, f"{verb} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def page(self, path: str, status: int = 200) -> str:
        answer = await self.http.get(path, follow_redirects=True)
        assert answer.status_code == status, answer.text
        return answer.text

    async def send(self, page: str, action: str, status: int = 200, **fields: str) -> str:
        """Fill in the form of a page with this action, and send it."""
        content = await self.page(page)
        form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', content, re.DOTALL)
        assert form, f"{page} has no form for {action}"
        found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0])
        hidden = {name: unescape(value) for name, value in found}
        answer = await self.http.post(action, data={**hidden, **fields}, follow_redirects=True)
        assert answer.status_code == status, answer.text
        return answer.text


@pytest.fixture
def opened(settings: Settings, db: asyncpg.Pool) -> Opened:
    @asynccontextmanager
    async def house(**changed: Any) -> AsyncIterator[House]:
        await open_slot(db)  # as `mercat migrate` does: what is told before is lost
        told = msgspec.structs.replace(settings, **changed)
        async with AsyncExitStack() as stack:
            shop = await build_shop(told, stack)
            with suppress(CategoryExists):  # another shop on the same database has made it
                await shop.catalog.add_category("Cups")
            await run_background(shop)
            yield House(shop, await app.public_app(shop), stack)

    return house


@pytest.fixture
async def house(opened: Opened) -> AsyncIterator[House]:
    async with opened() as house:
        yield house
