"""What the API is sent that it did not ask for."""

import httpx
import pytest

SESSIONS = "/api/v1/sessions"
GUEST = "/api/v1/sessions/guest"


@pytest.fixture
async def guest(visitor: httpx.AsyncClient) -> httpx.AsyncClient:
    token = (await visitor.post(GUEST)).json()["token"]
    visitor.headers["authorization"] = f"Bearer {token}"
    return visitor


@pytest.mark.parametrize("kind", ["application/xml", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_says_it_is_not_json_is_415(visitor: httpx.AsyncClient, kind: str) -> None:
    said = await visitor.post(SESSIONS, content=b"<a/>", headers={"content-type": kind})
    assert (said.status_code, said.json()["code"]) == (415, "unsupported_media_type")


async def test_an_encoded_body_is_415(visitor: httpx.AsyncClient) -> None:
    said = await visitor.post(SESSIONS, json={}, headers={"content-encoding": "gzip"})
    assert said.status_code == 415


async def test_json_by_another_name_is_read(visitor: httpx.AsyncClient) -> None:
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/ld+json"):
        said = await visitor.post(SESSIONS, content=b"{}", headers={"content-type": kind})
        assert said.status_code == 422


async def test_who_does_not_accept_json_is_told_406(visitor: httpx.AsyncClient) -> None:
    for accept, status in (
        ("application/xml", 406),
        ("text/html", 406),
        ("text/html, */*;q=0.1", 200),
        ("application/problem+json, application/json", 200),
        ("application/*", 200),
        ("Application/JSON", 200),
        ("application/json;q=0", 406),
        ("*/*;q=0", 406),
        ("application/json;q=0, */*", 406),
        ("application/*;q=0, application/json;q=0.1", 200),
        ("text/html;q=0.9, application/json;q=0.001", 200),
        (";;;,,,", 200),
        ("text/html;q=x", 406),
        ("application/json;q=x", 200),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", 200),
        ("application/json;q=.00001", 200),
        ("application/json;q=.0", 406),
        ("text/html, " * 1_000 + "*/*", 406),
    ):
        said = await visitor.get("/api/v1/categories", headers={"accept": accept})
        assert said.status_code == status, accept


async def test_several_accept_lines_are_one(visitor: httpx.AsyncClient) -> None:
    lines = [("accept", "text/html"), ("accept", "application/json")]
    assert (
        await visitor.send(httpx.Request("GET", f"{visitor.base_url}/api/v1/categories", headers=lines))
    ).is_success


async def test_an_unknown_member_is_refused_with_the_nearest_name(guest: httpx.AsyncClient) -> None:
    said = await guest.post(
        "/api/v1/cart/items", json={"product_id": "prod_0000000000001", "quantity": 1, "quantiy": 2}
    )
    problem = said.json()
    assert (said.status_code, problem["pointer"], problem["nearest"]) == (422, "/quantiy", "quantity")


async def test_an_unknown_parameter_is_refused_with_the_nearest_name(visitor: httpx.AsyncClient) -> None:
    said = await visitor.get("/api/v1/search?q=lamp&srot=newest")
    problem = said.json()
    assert (said.status_code, problem["pointer"], problem["nearest"]) == (422, "/srot", "sort")
    assert (await visitor.get("/api/v1/categories?utm_source=mail")).status_code == 422
    known = await visitor.get("/api/v1/search?q=lamp&filters[attr.colour]=red&filters[in_stock]=true")
    assert known.status_code == 200, known.text


async def test_a_request_with_two_keys_is_refused(guest: httpx.AsyncClient) -> None:
    for keys, status in ((["a"], 422), (["a", "b"], 400), (["a", "a"], 400), ([""], 400), (["x" * 256], 400)):
        headers = [("authorization", guest.headers["authorization"]), *(("idempotency-key", k) for k in keys)]
        said = await guest.post("/api/v1/addresses", json={"name": "Ann"}, headers=headers)
        assert said.status_code == status, (keys, said.text)
