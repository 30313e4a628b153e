"""What belongs to one person, or to the house, and must not reach another."""

import re
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest

from mercat.app import build_shop, public_app
from mercat.settings import Secret, Settings
from mercat.shop import every_product


async def test_nothing_of_who_asks_is_in_what_caches_keep(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        shop = await build_shop(msgspec.structs.replace(settings, limit_loopback=True), stack)
        await shop.search.rebuild(every_product(shop.catalog))
        transport = httpx.ASGITransport(await public_app(shop))
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://shop"))
        token = (await http.post("/api/v1/sessions/guest")).json()["token"]
        http.headers["authorization"] = f"Bearer {token}"
        assert "ratelimit" in (await http.get("/api/v1/cart")).headers
        for path in ("/api/v1/categories", "/api/v1/search?q=lamp", "/", "/help"):
            said = await http.get(path)
            assert said.headers["cache-control"].startswith("public")
            assert not {"ratelimit", "ratelimit-policy", "set-cookie"} & set(said.headers), path


async def test_the_form_token_of_another_session_is_refused(visitor: httpx.AsyncClient) -> None:
    page = await visitor.get("/signin")
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert token
    typed = {"csrf": token[1], "email": "a@example.com", "password": "wrong-password"}
    assert (await visitor.post("/signin", data=typed)).status_code != 403
    guest = (await visitor.post("/api/v1/sessions/guest")).json()["token"]
    visitor.cookies.set("mercat_session", guest)
    assert (await visitor.post("/signin", data=typed)).status_code == 403
    ours = {"sec-fetch-site": "same-origin"}
    assert (await visitor.post("/signin", data=typed, headers=ours)).status_code != 403


@pytest.mark.parametrize("key", ["", "let-me-see"])
async def test_metrics_are_for_who_has_their_key_or_this_machine(settings: Settings, key: str) -> None:
    async with AsyncExitStack() as stack:
        shop = await build_shop(msgspec.structs.replace(settings, metrics_key=Secret(key)), stack)
        app = await public_app(shop)
        for address, headers, status in (
            ("127.0.0.1", {}, 403 if key else 200),
            ("127.0.0.1", {"x-forwarded-for": "203.0.113.9"}, 403),
            ("203.0.113.9", {}, 403),
            ("203.0.113.9", {"authorization": "Bearer let-me-see"}, 200 if key else 403),
        ):
            transport = httpx.ASGITransport(app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                assert (await http.get("/metrics", headers=headers)).status_code == status


async def test_one_network_makes_so_many_guests(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        few = msgspec.structs.replace(settings, guest_rate=0.01, guest_burst=3)
        app = await public_app(await build_shop(few, stack))

        async def guests(address: str, count: int) -> list[int]:
            transport = httpx.ASGITransport(app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                return [(await http.post("/api/v1/sessions/guest")).status_code for _ in range(count)]

        assert await guests("203.0.113.9", 5) == [201, 201, 201, 429, 429]
        assert await guests("::ffff:203.0.113.9", 1) == [429], "the same network by another name"
        assert await guests("203.0.113.10", 1) == [201]
        assert await guests("127.0.0.1", 5) == [201] * 5, "who tries a shop out is not counted"
