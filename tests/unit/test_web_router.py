"""From a path to its handler; and how both faces are told what went wrong."""

import httpx
import pytest
from msgspec import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from mercat.kit.refusals import NotFound, Overloaded, Refusal
from mercat.web.errors import error_page
from mercat.web.router import Endpoint, Router
from mercat.web.routes import located


def says(words: str, **headers: str):
    async def handler(request: Request) -> Response:
        return Response(f"{words} {request.path_params}", headers=headers)

    return handler


@pytest.mark.parametrize(
    ("body", "location"), [(b'{"offer_id": "off_1"}', "/products/7/offers/off_1"), (b"{}", None)]
)
async def test_what_was_made_is_where_its_answer_says_or_nowhere(body, location):
    async def makes(request: Request) -> Response:
        return Response(body, 201)

    handler = located("/products/{product_id}/offers/{offer_id}", "/products/{product_id}/offers", makes)
    request = Request({"type": "http", "path_params": {"product_id": "7"}})
    if location is None:
        with pytest.raises(ValidationError, match="offer_id"):
            await handler(request)
    else:
        assert (await handler(request)).headers["location"] == location


async def fails(request: Request) -> Response:
    raise Overloaded


async def as_page(request: Request, refusal: Refusal) -> Response:
    return Response(f"page: {refusal.code()}", refusal.status, media_type="text/html")


ROUTES = [
    Endpoint("GET", "/", says("home")),
    Endpoint("GET", "/p/{product_id}", says("product", **{"cache-control": "public"})),
    Endpoint("GET", "/p/{product_id}/review", says("review")),
    Endpoint("GET", "/p/{product_id}/{words}", says("words")),
    Endpoint("POST", "/cart/items", says("added")),
    Endpoint("GET", "/art/{path:path}", says("art")),
    Endpoint("GET", "/full", fails),
    Endpoint("GET", "/api/v1/full", fails),
    Endpoint("GET", "/api/v1/products/{product_id}", says("json")),
]


@pytest.fixture
def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Router(ROUTES, as_page)), base_url="http://shop")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", "home {}"),
        ("/p/7", "product {'product_id': '7'}"),
        ("/p/7/review", "review {'product_id': '7'}"),
        ("/p/7/a-cup", "words {'product_id': '7', 'words': 'a-cup'}"),
        ("/art/cups/7.svg", "art {'path': 'cups/7.svg'}"),
        ("/api/v1/products/7", "json {'product_id': '7'}"),
    ],
)
async def test_a_path_leads_to_its_handler(client, path, said):
    assert (await client.get(path)).text == said


@pytest.mark.parametrize("path", ["/p", "/p/", "/p//", "/p/7/a/b", "/P/7", "/p/%00", "/api"])
async def test_what_is_nowhere_is_told_by_a_page(client, path):
    answer = await client.get(path)
    assert (answer.status_code, answer.text) == (404, "page: not_found")


@pytest.mark.parametrize("path", ["/api/", "/api/v1/products", "/api/v2/products/7"])
async def test_in_the_api_it_is_told_by_a_problem_document(client, path):
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_what_goes_wrong_is_told_in_the_same_way(client):
    assert (await client.get("/full")).text == "page: overloaded"
    assert (await client.get("/api/v1/full")).json()["code"] == "overloaded"


async def test_another_method_is_told_which_there_are(client):
    posted = await client.post("/p/7")
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    got = await client.get("/cart/items")
    assert (got.status_code, got.headers["allow"], got.text) == (
        405,
        "OPTIONS, POST",
        "page: method_not_allowed",
    )
    assert (await client.options("/cart/items")).status_code == 204


async def test_what_does_not_say_who_may_keep_it_is_private(client):
    assert (await client.get("/")).headers["cache-control"] == "private, no-store"
    assert (await client.get("/nowhere")).headers["cache-control"] == "private, no-store"
    assert (await client.get("/p/7")).headers["cache-control"] == "public"


def test_two_routes_cannot_mean_the_same():
    with pytest.raises(ValueError, match="twice"):
        Router([ROUTES[0], ROUTES[0]])
    with pytest.raises(ValueError, match="product_id"):
        Router([ROUTES[1], Endpoint("GET", "/p/{id}/offers", says("offers"))])


def test_who_may_try_again_is_told_so_and_what_is_broken_has_a_number():
    full = error_page(Overloaded(), "/c/mugs", reading=True, request_id="x-1")
    assert full.links[0] == ("/c/mugs", "Try again")
    assert ("never taken twice" in full.words, full.request_id) == (True, "x-1")
    form = error_page(Overloaded(), "/checkout", reading=False, request_id="x-2")
    assert all(words != "Try again" for _, words in form.links)
    gone = error_page(NotFound(), "/p/7", reading=True, request_id="x-3")
    assert (gone.title, gone.request_id) == ("There is nothing here", "")
