"""What an account promises over HTTP, by the API and by its pages."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from journeys.people import until

from mercat import app, ids
from mercat.app import build_shop
from mercat.ids import UserId
from mercat.settings import Secret, Settings
from mercat.shop import run_background
from mercat.web.routes import PREFIX

Opened = Callable[..., AbstractAsyncContextManager["House"]]
ANN = {"email": "ann@example.com", "password": "correct horse", "name": "Ann"}


class House:
    """A shop behind its door, and its visitors."""

    def __init__(self, shop: Any, door: Any, stack: AsyncExitStack) -> None:
        self.shop = shop
        self._door = door
        self._stack = stack

    async def visitor(self, agent: str = "Firefox", address: str = "127.0.0.1") -> "Visitor":
        transport = httpx.ASGITransport(self._door, raise_app_exceptions=False, client=(address, 4_711))
        client = httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers={"user-agent": agent}, timeout=30
        )
        return Visitor(await self._stack.enter_async_context(client))

    async def member(self, account: dict[str, str] = ANN, **who: str) -> "Visitor":
        visitor = await self.visitor(**who)
        await visitor.api("POST", "/accounts", 201, account)
        await visitor.api("POST", "/sessions", 201, account)
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
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
        answer = await self.http.post(action, data={**hidden, **fields}, follow_redirects=True)
        assert answer.status_code == status, answer.text
        return answer.text


@pytest.fixture
def opened(settings: Settings) -> Opened:
    @asynccontextmanager
    async def house(**changed: Any) -> AsyncIterator[House]:
        told = msgspec.structs.replace(settings, **changed)
        async with AsyncExitStack() as stack:
            shop = await build_shop(told, stack)
            await run_background(shop)
            yield House(shop, await app.public_app(shop), stack)

    return house


@pytest.fixture
async def house(opened: Opened) -> AsyncIterator[House]:
    async with opened() as house:
        yield house


# -- what only a shop in test mode shows


async def test_demo_logins_and_test_cards_are_shown_in_test_mode_alone(opened):
    for dev_pages in (True, False):
        async with opened(dev_pages=dev_pages) as house:
            ann = await house.visitor()
            assert ("ops@example.com" in await ann.page("/signin")) == dev_pages
            account = {**ANN, "email": f"{dev_pages}@example.com"}
            await ann.api("POST", "/accounts", 201, account)
            await ann.api("POST", "/sessions", 201, account)
            assert ("tok_visa" in await ann.page("/account")) == dev_pages


async def test_there_is_no_mailbox_outside_of_test_mode(opened):
    async with opened(dev_pages=False) as house:
        await (await house.visitor()).page("/dev/mail", 404)


@pytest.mark.parametrize("reachable", [{"host": "0.0.0.0"}, {"public_url": "https://shop.example"}])
async def test_where_others_reach_the_shop_only_operators_read_letters(opened, reachable):
    async with opened(**reachable) as house:
        await (await house.visitor()).page("/dev/mail", 404)
        ann = await house.member()
        await ann.page("/dev/mail", 404)
        user_id = (await ann.api("GET", "/sessions/current", 200))["user_id"]
        await house.shop.accounts.grant(ids.parse(UserId, user_id), "operator")
        await ann.page("/dev/mail")


async def test_the_mailbox_shows_letters_newest_first_with_their_links(house):
    ann = await house.visitor()
    for name in ("Ann", "Bea"):
        await ann.api("POST", "/accounts", 201, {**ANN, "email": f"{name}@example.com", "name": name})

        async def arrived(to: str = f"{name}@example.com") -> list[str]:
            return await house.letters(to)

        await until(arrived, 30)
    articles = re.findall(r"<article>.*?</article>", await ann.page("/dev/mail"), re.DOTALL)
    assert [re.findall(r"(Ann|Bea)@example.com", each)[0] for each in articles] == ["Bea", "Ann"]
    [article] = re.findall(
        r"<article>.*?</article>", await ann.page("/dev/mail?to=ann@example.com"), re.DOTALL
    )
    address = house.shop.settings.link("/account")
    assert "Hello Ann" in article
    assert f'<a href="{address}">{address}</a>' in article


async def test_the_sandbox_banks_pages_exist_with_the_sandbox_alone(opened):
    async with opened() as house:
        assert "/sandbox/3ds" not in await (await house.visitor()).page("/sandbox/3ds/nothing", 404)
    keys = {"stripe_key": "sk_test_1", "stripe_publishable_key": "pk_test_1", "stripe_webhook_secret": "w"}
    variables = {name: Secret(value) for name, value in keys.items()}
    async with opened(payment_provider="stripe", variables=variables) as house:
        answer = await (await house.visitor()).http.get("/sandbox/3ds/nothing")
        assert (answer.status_code, "nothing at this address" in answer.text) == (404, True)


# -- passwords


@pytest.mark.parametrize("password", ["seven77", " " * 9, "password1", "QWERTYUIOP", ANN["email"]])
async def test_an_easy_password_is_refused_with_why(house, password):
    ann = await house.visitor()
    refused = await ann.api("POST", "/accounts", 422, {**ANN, "password": password})
    assert refused["pointer"] == "/password"
    assert "password" in refused["detail"].lower() or "characters" in refused["detail"]
    page = await ann.send("/register", "/register", 422, **{**ANN, "password": password})
    assert "password" in page
    assert await ann.http.get("/account")
    await ann.api("POST", "/accounts", 201, ANN)


async def test_the_demos_own_password_still_signs_in(house):
    await house.shop.accounts.seed()
    ann = await house.visitor()
    await ann.api("POST", "/sessions", 201, {"email": "ann@example.com", "password": "mercat"})
