"""What another site's page may do in a visitor's browser: nothing with their cookie, and give them none."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import msgspec
import pytest

from mercat.app import build_shop, public_app
from mercat.settings import Settings
from mercat.shop import every_product

APP = "https://app.example"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,idempotency-key",
}
CROSS = {"origin": APP, "sec-fetch-site": "cross-site"}


async def opened(settings: Settings, stack: AsyncExitStack, **more: Any) -> httpx.AsyncClient:
    shop = await build_shop(msgspec.structs.replace(settings, **more), stack)
    await shop.search.rebuild(every_product(shop.catalog))
    transport = httpx.ASGITransport(await public_app(shop), raise_app_exceptions=False)
    return await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://shop"))


@pytest.fixture
async def shared(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncExitStack() as stack:
        yield await opened(settings, stack, cors_origins=f"{APP} https://other.example")


async def test_without_the_setting_no_other_site_may_read_anything(visitor: httpx.AsyncClient) -> None:
    for verb in ("GET", "OPTIONS"):
        said = await visitor.request(verb, "/api/v1/categories", headers={"origin": APP, **PREFLIGHT})
        assert not [name for name in said.headers if name.startswith("access-control-")]


async def test_a_site_of_the_setting_reads_what_is_public_and_learns_what_it_needs(
    shared: httpx.AsyncClient,
) -> None:
    for path in ("/api/v1/categories", "/api/v1/openapi.json", "/api/v1/nothing"):
        said = await shared.get(path, headers=CROSS)
        assert said.headers["access-control-allow-origin"] == APP
        assert "access-control-allow-credentials" not in said.headers
        assert "retry-after" in said.headers["access-control-expose-headers"].lower()
        assert "origin" in said.headers["vary"].lower()
    known = await shared.get("/api/v1/categories", headers=CROSS)
    again = await shared.get("/api/v1/categories", headers={**CROSS, "if-none-match": known.headers["etag"]})
    assert (again.status_code, again.headers["access-control-allow-origin"]) == (304, APP)
    other = await shared.get("/api/v1/categories", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    assert "origin" in other.headers["vary"].lower(), "a cache keeps one for each"
    assert "access-control-allow-origin" not in (await shared.get("/help", headers=CROSS)).headers


async def test_a_preflight_is_answered(shared: httpx.AsyncClient) -> None:
    said = await shared.options("/api/v1/orders/checkout", headers={"origin": APP, **PREFLIGHT})
    assert said.status_code == 204
    assert said.headers["access-control-allow-origin"] == APP
    assert "POST" in said.headers["access-control-allow-methods"]
    allowed = said.headers["access-control-allow-headers"].lower()
    assert {"authorization", "idempotency-key", "if-match"} <= {each.strip() for each in allowed.split(",")}
    evil = await shared.options(
        "/api/v1/orders/checkout", headers={"origin": "https://evil.example", **PREFLIGHT}
    )
    assert "access-control-allow-origin" not in evil.headers


async def test_a_site_of_the_setting_buys_with_a_token_of_its_own_and_never_with_a_cookie(
    shared: httpx.AsyncClient,
) -> None:
    theirs = await shared.post("/api/v1/sessions/guest")
    assert "mercat_session" in shared.cookies, "the visitor has a session of their own"
    made = await shared.post("/api/v1/sessions/guest", headers=CROSS)
    assert made.status_code == 201
    assert "set-cookie" not in made.headers
    token = made.json()["token"]
    bearer = {**CROSS, "authorization": f"Bearer {token}"}
    own = await shared.get("/api/v1/sessions/current", headers=bearer)
    assert own.json()["user_id"] == made.json()["user_id"] != theirs.json()["user_id"]
    assert (await shared.get("/api/v1/sessions/current", headers=CROSS)).status_code == 401, "not by cookie"
    assert (await shared.get("/api/v1/sessions/current")).status_code == 200


async def test_a_star_is_every_site(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        shared = await opened(settings, stack, cors_origins="*")
        said = await shared.get("/api/v1/categories", headers=CROSS)
        assert said.headers["access-control-allow-origin"] == "*"
        assert "origin" not in said.headers.get("vary", "").lower()


@pytest.mark.parametrize("site", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
async def test_no_session_is_planted_from_another_site(
    visitor: httpx.AsyncClient, site: dict[str, str]
) -> None:
    """Who makes a victim use the attacker's cart or account reads what they put in."""
    for path in ("/api/v1/sessions/guest", "/api/v1/sessions", "/signin", "/cart", "/signout", "/register"):
        said = await visitor.post(path, headers=site)
        assert said.status_code == 403, path
        assert "set-cookie" not in said.headers, path


async def test_over_tls_no_other_host_sets_a_cookie_of_ours(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        http = await opened(settings, stack, secure_cookies=True)
        made = await http.post("/api/v1/sessions/guest")
        cookie = made.headers["set-cookie"]
        assert cookie.startswith("__Host-mercat_session=")
        assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
        assert "domain" not in cookie.lower()
        page = await http.get("/signin")
        assert page.headers["set-cookie"].startswith("__Host-mercat_form=")
        token = made.json()["token"]
        for name, status in (("mercat_session", 401), ("__Host-mercat_session", 200)):
            said = await http.get("/api/v1/sessions/current", headers={"cookie": f"{name}={token}"})
            assert said.status_code == status, name


async def test_pictures_come_from_us_or_over_tls(visitor: httpx.AsyncClient) -> None:
    policy = (await visitor.get("/")).headers["content-security-policy"]
    assert "img-src 'self' data: https:;" in policy
