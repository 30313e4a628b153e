"""What every request passes, on real Valkeys, with a small service behind it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, NoReturn

import httpx
import msgspec
import pytest
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import StreamingResponse
from valkeys import names_in

from mercat.ids import ProductId, UserId
from mercat.kit.http import Answer
from mercat.kit.refusals import Conflict
from mercat.kit.rpc import Caller, Route, serve
from mercat.kit.valkey import Store, ValkeyServer
from mercat.settings import Settings
from mercat.web.idempotency import Replays
from mercat.web.middleware import Middleware
from mercat.web.router import Endpoint, Router
from mercat.web.session import caller_of

pytestmark = pytest.mark.valkeys

ANN, BOB = Caller(UserId(7), frozenset({"shopper"})), Caller(UserId(8), frozenset({"shopper", "seller"}))
GUEST = Caller(UserId(9))
PEOPLE = {"ann": ANN, "bob": BOB, "guest": GUEST}
CUP = ProductId(5)


class Wish(Struct):
    quantity: Annotated[int, Meta(ge=1, le=9)]


class Broken(Conflict):
    """It is broken."""


class Shelf:
    def __init__(self) -> None:
        self.taken: list[int] = []
        self.go = asyncio.Event()
        self.waiting = asyncio.Event()

    async def look(self, product_id: ProductId, limit: Annotated[int, Meta(ge=1, le=100)] = 20) -> Answer:
        shown = {"product_id": product_id, "taken": len(self.taken), "limit": limit}
        return Answer(shown, headers={"Cache-Control": "public, max-age=2"})

    async def mine(self, caller: Caller) -> dict[str, object]:
        return {"user_id": caller.user_id}

    async def take(self, caller: Caller, product_id: ProductId, wish: Wish) -> dict[str, int]:
        if wish.quantity == 8:
            raise Broken(left=3)
        if wish.quantity == 9:
            self.waiting.set()
            await self.go.wait()
        self.taken.append(wish.quantity)
        return {"taken": len(self.taken)}

    async def drop(self, caller: Caller, product_id: ProductId) -> None:
        self.taken.clear()

    async def fail(self) -> None:
        raise ZeroDivisionError


API = [
    Route("GET", "/products/{product_id}", Shelf.look),
    Route("GET", "/mine", Shelf.mine, needs="member"),
    Route("POST", "/products/{product_id}/takes", Shelf.take, needs="guest", status=201),
    Route("DELETE", "/products/{product_id}/takes", Shelf.drop, needs="seller"),
    Route("GET", "/fail", Shelf.fail),
]


class Shop:
    """The middleware with a shelf behind it; `client()` speaks to it."""

    def __init__(self, settings: Settings, cache: Store, store: Store) -> None:
        self.shelf = Shelf()
        replays = Replays(store, caller_of)
        served = serve(API, self.shelf, caller_of, "/api/v1")
        router = Router(
            [
                *(
                    Endpoint(
                        route.verb,
                        f"/api/v1{route.path}",
                        replays.wrap(route.name, handler, usual=route.status),
                    )
                    for route, handler in zip(API, served, strict=True)
                ),
                Endpoint("GET", "/stream", stream),
                Endpoint("GET", "/broken", broken),
                Endpoint("GET", "/away", away),
                Endpoint("POST", "/form", form),
            ]
        )
        self.middleware = Middleware(router, settings, self.who, cache)

    async def who(self, token: str) -> Caller | None:
        return PEOPLE.get(token)

    def client(self, token: str = "", address: str = "127.0.0.1", **options: Any) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(self.middleware, client=(address, 1), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers, **options)


async def stream(request: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    return StreamingResponse(parts(), media_type="text/plain")


async def broken(request: Request) -> NoReturn:
    raise ZeroDivisionError


async def away(request: Request) -> NoReturn:
    raise ConnectionRefusedError


async def form(request: Request) -> NoReturn:
    await request.form()
    raise ZeroDivisionError


@pytest.fixture
def shop(settings: Settings, cache: Store, store: Store) -> Shop:
    return Shop(settings, cache, store)


def limited(settings: Settings, **more: object) -> Settings:
    return msgspec.structs.replace(
        settings, account_burst=3, account_rate=0.5, address_burst=5, address_rate=0.5, **more
    )


async def test_every_answer_has_an_id_and_the_security_headers(shop: Shop) -> None:
    async with shop.client() as client:
        for path in (f"/api/v1/products/{CUP}", "/api/v1/nothing", "/nothing", "/broken", "/api/v1/fail"):
            said = await client.get(path)
            assert said.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in said.headers["content-security-policy"]
            assert "unsafe-inline" not in said.headers["content-security-policy"]
            assert said.headers["x-request-id"]
            assert "strict-transport-security" not in said.headers
        own = await client.get("/api/v1/nothing", headers={"x-request-id": "from-the-proxy-1"})
        assert own.headers["x-request-id"] == "from-the-proxy-1"
        odd = await client.get("/api/v1/nothing", headers={"x-request-id": "a b"})
        assert odd.headers["x-request-id"] != "a b"


async def test_behind_tls_browsers_are_told_to_stay_there(
    settings: Settings, cache: Store, store: Store
) -> None:
    shop = Shop(msgspec.structs.replace(settings, secure_cookies=True), cache, store)
    async with shop.client() as client:
        assert "max-age=" in (await client.get("/api/v1/nothing")).headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("verb", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v2/products", 404, "not_found"),
        ("GET", "/api/v1/products", 404, "not_found"),
        ("GET", "/api/v1/products/%00", 404, "not_found"),
        ("GET", "/api/v1/products/a%2Fb", 404, "not_found"),
        ("GET", "/api/v1/products/%FF", 404, "not_found"),
        ("GET", "/api/v1/products/prod_nonsense", 404, "not_found"),
        ("GET", f"/api/v1/products/{CUP}?limit=0", 422, "invalid"),
        ("GET", f"/api/v1/products/{CUP}?limit=101", 422, "invalid"),
        ("GET", f"/api/v1/products/{CUP}?limit=ten", 422, "invalid"),
        ("GET", f"/api/v1/products/{CUP}?limit=", 422, "invalid"),
        ("GET", f"/api/v1/products/{CUP}?limit=1&limit=NaN", 422, "invalid"),
        ("GET", f"/api/v1/products/{CUP}?limit=99999999999999999999999999", 422, "invalid"),
        ("GET", f"/api/v1/products/{CUP}?limit=%00", 422, "invalid"),
        ("PUT", f"/api/v1/products/{CUP}", 405, "method_not_allowed"),
        ("BREW", f"/api/v1/products/{CUP}", 405, "method_not_allowed"),
        ("GET", "/api/v1/mine", 401, "sign_in_first"),
        ("GET", "/api/v1/fail", 500, "refusal"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/form", 405, "method_not_allowed"),
        ("GET", "/broken", 500, "refusal"),
        ("GET", "/away", 503, "unavailable"),
    ],
)
async def test_what_is_not_there_is_a_problem_document(
    shop: Shop, verb: str, path: str, status: int, code: str
) -> None:
    async with shop.client() as client:
        said = await client.request(verb, path)
    assert (said.status_code, said.json()["code"]) == (status, code)
    assert said.headers["content-type"] == "application/problem+json"
    assert said.json()["status"] == status
    if "limit" in path and "%00" not in path:
        assert said.json()["pointer"] == "/limit"
    if status == 405:
        assert "GET" in said.headers["allow"] or "POST" in said.headers["allow"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"null", 422),
        (b"\xff\xfe", 422),
        (b'{"quantity": true}', 422),
        (b'{"quantity": null}', 422),
        (b'{"quantity": 1.5}', 422),
        (b'{"quantity": "1"}', 422),
        (b'{"quantity": NaN}', 422),
        (b'{"quantity": 1e999}', 422),
        (b'{"quantity": 99999999999999999999999999}', 422),
        (b'{"quantity": 1, "name": "\\u0000"}', 422),
        (b'{"quantity": 1, "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 422),
        (b'{"quantity": 1, "name": "' + b"x" * 10_000_000 + b'"}', 413),
        (b'{"quantity": 1, "name": "\\\\u0000"}', 422),
    ],
)
async def test_bad_bodies_are_refused(shop: Shop, body: bytes, status: int) -> None:
    async with shop.client("ann") as client:
        said = await client.post(f"/api/v1/products/{CUP}/takes", content=body)
        assert said.status_code == status, said.text
        assert status < 300 or said.json()["code"] == ("too_large" if status == 413 else "invalid")

        async def parts() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 65_536):
                yield body[at : at + 65_536]

        in_parts = await client.post(f"/api/v1/products/{CUP}/takes", content=parts())
        assert in_parts.status_code == status
        keyed = await client.post(
            f"/api/v1/products/{CUP}/takes", content=parts(), headers={"idempotency-key": "one"}
        )
        assert keyed.status_code == status
    assert len(shop.shelf.taken) == (3 if status == 201 else 0)


async def test_a_read_is_tagged_and_not_sent_again(shop: Shop) -> None:
    async with shop.client("ann") as client:
        first = await client.get(f"/api/v1/products/{CUP}")
        assert first.headers["etag"].startswith('W/"')
        again = await client.get(
            f"/api/v1/products/{CUP}", headers={"if-none-match": f'"other", {first.headers["etag"]}'}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == "public, max-age=2"
        assert again.headers["etag"] == first.headers["etag"]
        assert "content-length" not in again.headers
        await client.post(f"/api/v1/products/{CUP}/takes", json={"quantity": 1})
        changed = await client.get(
            f"/api/v1/products/{CUP}", headers={"if-none-match": first.headers["etag"]}
        )
        assert changed.status_code == 200
        assert changed.headers["etag"] != first.headers["etag"]
        assert "etag" not in (await client.get("/api/v1/nothing")).headers
        assert (await client.get("/stream")).text == "one two"


async def test_head_and_options(shop: Shop) -> None:
    async with shop.client() as client:
        whole = await client.get(f"/api/v1/products/{CUP}")
        head = await client.head(f"/api/v1/products/{CUP}")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == whole.headers["content-length"]
        assert head.headers["etag"] == whole.headers["etag"]
        options = await client.options(f"/api/v1/products/{CUP}")
        assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_who_asks_and_who_may(shop: Shop) -> None:
    take, mine = f"/api/v1/products/{CUP}/takes", "/api/v1/mine"
    async with shop.client("ann") as ann, shop.client("guest") as guest, shop.client("stale") as stale:
        assert (await ann.get(mine)).json() == {"user_id": str(ANN.user_id)}
        assert (await ann.get(mine)).headers["cache-control"] == "private, no-store"
        assert (await guest.get(mine)).status_code == 401
        assert (await guest.post(take, json={"quantity": 1})).status_code == 201
        assert (await stale.get(mine)).status_code == 401
        assert (await stale.get(f"/api/v1/products/{CUP}")).status_code == 200
        assert (await ann.delete(take)).status_code == 403
    async with shop.client(cookies={"mercat_session": "ann"}) as browser:
        assert (await browser.get(mine)).status_code == 200
        bearer = await browser.get(mine, headers={"authorization": "Bearer guest"})
        assert bearer.status_code == 401, "with a bearer token the cookie is not looked at"
        assert (await browser.get(mine, headers={"authorization": "Basic x"})).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"sec-fetch-site": "same-origin"}, 201),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://shop"}, 201),
        ({"origin": "http://evil"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil", "authorization": "Bearer ann"}, 201),
    ],
)
async def test_another_sites_page_cannot_use_the_cookie(
    shop: Shop, headers: dict[str, str], status: int
) -> None:
    async with shop.client(cookies={"mercat_session": "ann"}) as browser:
        said = await browser.post(f"/api/v1/products/{CUP}/takes", json={"quantity": 1}, headers=headers)
        assert said.status_code == status
        assert (await browser.get("/api/v1/mine", headers=headers)).status_code == 200


async def test_an_address_is_limited(settings: Settings, cache: Store, store: Store) -> None:
    shop = Shop(limited(settings), cache, store)
    async with shop.client(address="203.0.113.5") as far, shop.client(address="203.0.113.6") as other:
        said = [await far.get("/api/v1/mine") for _ in range(6)]
        assert [one.status_code for one in said] == [401] * 5 + [429]
        assert said[0].headers["ratelimit-policy"] == '"address";q=5;w=10'
        assert said[0].headers["ratelimit"].startswith('"address";r=4')
        refused = said[-1]
        assert refused.json()["code"] == "too_many_requests"
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 2
        assert (await other.get(f"/api/v1/products/{CUP}")).status_code == 200
    async with shop.client(address="2001:db8::1") as one, shop.client(address="2001:db8::2") as neighbour:
        for _ in range(5):
            assert (await one.get("/nothing")).status_code == 404
        assert (await neighbour.get("/nothing")).status_code == 429
    async with shop.client() as near:
        assert {(await near.get("/nothing")).status_code for _ in range(9)} == {404}


async def test_what_is_dear_is_limited_before_what_is_cheap(
    settings: Settings, cache: Store, store: Store
) -> None:
    few = msgspec.structs.replace(settings, dear_burst=2, dear_rate=0.5)
    shop = Shop(few, cache, store)
    async with shop.client(address="203.0.113.5") as far, shop.client(address="203.0.113.6") as other:
        said = [await far.get("/nothing") for _ in range(3)]
        assert [one.status_code for one in said] == [404, 404, 429]
        assert '"dear";q=2' in said[0].headers["ratelimit-policy"]
        assert (await far.get(f"/api/v1/products/{CUP}")).status_code == 200
        assert (await other.get("/nothing")).status_code == 404


async def test_a_dual_stack_address_is_one_and_the_same(
    settings: Settings, cache: Store, store: Store
) -> None:
    shop = Shop(limited(settings), cache, store)
    async with shop.client(address="203.0.113.5") as one, shop.client(address="::ffff:203.0.113.5") as same:
        for _ in range(5):
            await one.get("/nothing")
        assert (await same.get("/nothing")).status_code == 429


async def test_loopback_is_limited_where_that_is_set(settings: Settings, cache: Store, store: Store) -> None:
    shop = Shop(limited(settings, limit_loopback=True), cache, store)
    async with shop.client() as near:
        assert [(await near.get("/nothing")).status_code for _ in range(6)][-1] == 429


async def test_only_our_own_proxy_says_who_is_behind_it(
    settings: Settings, cache: Store, store: Store
) -> None:
    shop = Shop(limited(settings, proxies="10.0.0.1"), cache, store)
    async with shop.client(address="10.0.0.1") as proxied:
        for number in range(9):
            said = await proxied.get("/nothing", headers={"x-forwarded-for": f"1.1.1.1, 203.0.113.{number}"})
            assert said.status_code == 404
    async with shop.client(address="203.0.113.99") as liar:
        said = [await liar.get("/nothing", headers={"x-forwarded-for": f"203.0.113.{n}"}) for n in range(6)]
        assert said[-1].status_code == 429


async def test_an_account_is_limited_whatever_its_address(
    settings: Settings, cache: Store, store: Store
) -> None:
    first, second = Shop(limited(settings), cache, store), Shop(limited(settings), cache, store)
    async with first.client("ann") as here, second.client("ann") as there, first.client("bob") as bob:
        assert [(await here.get("/api/v1/mine")).status_code for _ in range(3)] == [200] * 3
        assert (await there.get("/api/v1/mine")).status_code == 429
        refused = await here.get("/api/v1/mine")
        assert (refused.status_code, refused.headers["ratelimit-policy"]) == (429, '"account";q=3;w=6')
        assert (await bob.get("/api/v1/mine")).status_code == 200


async def test_without_valkey_everybody_passes(settings: Settings, store: Store) -> None:
    nowhere = ValkeyServer("unix:///nowhere/cache.sock")
    shop = Shop(limited(settings, limit_loopback=True), nowhere, store)
    async with shop.client("ann") as ann:
        assert {(await ann.get("/api/v1/mine")).status_code for _ in range(8)} == {200}
    await nowhere.close()


async def test_a_full_shop_says_so_at_once(settings: Settings, cache: Store, store: Store) -> None:
    shop = Shop(msgspec.structs.replace(settings, requests_at_once=1), cache, store)
    async with shop.client("ann") as ann:
        slow = asyncio.create_task(ann.post(f"/api/v1/products/{CUP}/takes", json={"quantity": 9}))
        await shop.shelf.waiting.wait()
        refused = await ann.get("/api/v1/mine")
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        shop.shelf.go.set()
        assert (await slow).status_code == 201
        assert (await ann.get("/api/v1/mine")).status_code == 200


async def test_the_same_key_is_the_same_answer(shop: Shop) -> None:
    take, key = f"/api/v1/products/{CUP}/takes", {"idempotency-key": "a key"}
    async with shop.client("ann") as ann, shop.client("bob") as bob:
        first = await ann.post(take, json={"quantity": 1}, headers=key)
        again = await ann.post(take, json={"quantity": 1}, headers=key)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert again.headers["content-type"] == first.headers["content-type"]
        assert again.headers["idempotent-replayed"] == "true"
        assert "idempotent-replayed" not in first.headers
        assert shop.shelf.taken == [1]
        other = await ann.post(take, json={"quantity": 2}, headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "key_reused")
        assert (await bob.post(take, json={"quantity": 2}, headers=key)).status_code == 201
        assert shop.shelf.taken == [1, 2]


async def test_an_answer_is_kept_for_a_day_and_a_running_one_for_moments(shop: Shop, store: Store) -> None:
    take = f"/api/v1/products/{CUP}/takes"
    async with shop.client("ann") as ann:
        slow = asyncio.create_task(ann.post(take, json={"quantity": 9}, headers={"idempotency-key": "day"}))
        await shop.shelf.waiting.wait()
        [place] = await names_in(store, "once:*:day")
        assert 0 < await store.do("PTTL", place) <= 30_000
        shop.shelf.go.set()
        assert (await slow).status_code == 201
        assert 86_390 < await store.do("TTL", place) <= 86_400


async def test_only_final_answers_are_kept(shop: Shop) -> None:
    take, key = f"/api/v1/products/{CUP}/takes", {"idempotency-key": "again"}
    async with shop.client("ann") as ann, shop.client() as nobody:
        assert (await nobody.post(take, json={"quantity": 1}, headers=key)).status_code == 401
        assert (await ann.post(take, content=b"{", headers=key)).status_code == 422
        refused = await ann.post(take, json={"quantity": 8}, headers=key)
        assert (refused.status_code, refused.json()["code"]) == (409, "broken")
        again = await ann.post(take, json={"quantity": 8}, headers=key)
        assert (again.content, again.headers["idempotent-replayed"]) == (refused.content, "true")
        assert again.headers["content-type"] == "application/problem+json"
        for bad in ("", "x" * 256):
            said = await ann.post(take, json={"quantity": 1}, headers={"idempotency-key": bad})
            assert (said.status_code, said.json()["code"]) == (400, "bad_request")


async def test_while_the_first_runs_the_second_is_told_to_wait(shop: Shop) -> None:
    take, key = f"/api/v1/products/{CUP}/takes", {"idempotency-key": "slow"}
    async with shop.client("ann") as ann:
        slow = asyncio.create_task(ann.post(take, json={"quantity": 9}, headers=key))
        await shop.shelf.waiting.wait()
        second = await ann.post(take, json={"quantity": 9}, headers=key)
        assert (second.status_code, second.json()["code"]) == (409, "request_in_progress")
        assert second.headers["retry-after"] == "1"
        shop.shelf.go.set()
        assert (await slow).status_code == 201
        assert (await ann.post(take, json={"quantity": 9}, headers=key)).headers[
            "idempotent-replayed"
        ] == "true"
    assert shop.shelf.taken == [9]
