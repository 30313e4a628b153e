"""People of the marketplace, as the journeys need them: each has a session of their own and talks HTTP."""

import re
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import httpx
import waiting

from mercat.web.openapi import document
from mercat.web.routes import PREFIX, TABLE

HOME = {
    "name": "Ann Porter",
    "line1": "14 Mill Lane",
    "city": "Boston",
    "region": "MA",
    "postal_code": "02110",
    "country": "US",
}
BAHIA = {"country": "BR", "region": "BA", "city": "Salvador", "postal_code": "40301-110"}
"""Where no shop of the tests delivers."""


@cache
def api_document() -> dict[str, Any]:
    """The API's document, which takes a while to make."""
    return document(TABLE, PREFIX)


@cache
def _routes() -> list[tuple[str, re.Pattern[str], set[int]]]:
    return [
        (
            verb.upper(),
            re.compile(re.sub(r"\{\w+\}", "[^/]+", path)),
            {int(status) for status in route["responses"] if status != "default"} | {304, 429, 503},
        )
        for path, routes in sorted(api_document()["paths"].items(), key=lambda each: "{" in each[0])
        for verb, route in routes.items()
    ]


def documented(verb: str, path: str) -> set[int]:
    """What a route may answer, says the API's document; nothing where there is no such route."""
    place = path.partition("?")[0]
    return next((known for on, pattern, known in _routes() if on == verb and pattern.fullmatch(place)), set())


def new_key() -> str:
    return uuid.uuid4().hex


async def until(condition: Callable[[], Awaitable[Any]], within: float = 15) -> float:
    """Waits until something is so; answers how many seconds that took."""
    began = time.perf_counter()
    await waiting.until(condition, within)
    return time.perf_counter() - began


def ok(response: httpx.Response, *statuses: int) -> Any:
    """What was answered, if it was answered well."""
    assert response.status_code in (statuses or (200, 201)), f"{response.status_code}: {response.text}"
    return response.json()


def code(response: httpx.Response) -> tuple[int, str]:
    """How a request was refused: always a problem document."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["detail"]
    return response.status_code, problem["code"]


class Person:
    """Somebody with a session; `ready` gives them an address and a card."""

    def __init__(self, http: httpx.AsyncClient, token: str = "", email: str = "") -> None:
        self.http = http
        self.token = token
        self.email = email
        self.way: dict[str, str] = {}

    async def ask(self, verb: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            given["authorization"] = f"Bearer {self.token}"
        answer = await self.http.request(verb, path, json=body, headers=given)
        known = documented(verb, path)
        assert not known or answer.status_code in known, (
            f"{verb} {path}: {answer.status_code} is documented nowhere: {answer.text}"
        )
        return answer

    async def get(self, path: str, **headers: str) -> Any:
        return ok(await self.ask("GET", path, **headers))

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return ok(await self.ask("POST", path, {} if body is None else body, **headers))

    async def ready(self, card: str = "tok_visa", **address: str) -> "Person":
        kept = await self.post("/addresses", HOME | address)
        self.way = {"shipping_address_id": kept["address_id"], "shipping_method": "standard"}
        if self.email:
            self.way["email"] = self.email
        return await self.pays_by(card)

    async def pays_by(self, card: str) -> "Person":
        kept = await self.post("/payment-methods", {"token": card})
        self.way["payment_method_id"] = kept["payment_method_id"]
        return self

    async def puts(self, offer_id: str, quantity: int = 1) -> Any:
        return await self.post("/cart/items", {"offer_id": offer_id, "quantity": quantity})

    async def tries_to_buy(self, key: str | None = None, **more: Any) -> httpx.Response:
        return await self.ask("POST", "/orders/checkout", self.way | more, idempotency_key=key or new_key())

    async def buys(self, **more: Any) -> Any:
        """The order that is in the cart, bought."""
        said = ok(await self.tries_to_buy(**more), 201)
        assert said["status"] == "confirmed"
        return await self.order(said["order_id"])

    async def order(self, order_id: str) -> Any:
        return await self.get(f"/orders/{order_id}")

    async def cart(self) -> Any:
        return await self.get("/cart")


class Seller(Person):
    """Somebody who sells."""

    async def lists(self, title: str = "A tin of tea", quantity: int = 10, **more: Any) -> Any:
        product = {
            "title": title,
            "description": "Black, from the hills.",
            "category": "tea",
            "brand": "Porter",
            "price": 10.0,
            "currency": "USD",
            "quantity": quantity,
        }
        return await self.post("/seller/products", product | more)

    async def stock(self, offer_id: str) -> int:
        return (await self.get(f"/seller/stock/{offer_id}"))["available"]

    async def order_here(self, order_id: str) -> Any:
        """That order on this seller's desk, once it is there."""
        found: list[Any] = []

        async def there() -> bool:
            page = await self.get("/seller/orders?limit=100")
            found[:] = [order for order in page["orders"] if order["order_id"] == order_id]
            return bool(found)

        await until(there)
        return found[0]

    async def ships(self, order_id: str, *lines: Any) -> str:
        """Sends off these lines of an order (all of one's own, where none are named)."""
        parts = lines or (await self.order_here(order_id))["lines"]
        parcel = {
            "order_id": order_id,
            "lines": [{"order_line_id": p["order_line_id"], "quantity": p["quantity"]} for p in parts],
            "carrier": "Post",
            "tracking_number": "T-1",
        }
        return (await self.post("/seller/shipments", parcel))["shipment_id"]

    async def saw(self, shipment_id: str, *statuses: str) -> None:
        for status in statuses:
            await self.post(f"/seller/shipments/{shipment_id}/events", {"status": status})


class Town:
    """Where people come from."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.nobody = Person(http)

    async def guest(self) -> Person:
        session = await self.nobody.post("/sessions/guest")
        return Person(self.http, session["token"], f"{new_key()}@example.org")

    async def member(self) -> Person:
        return Person(self.http, await self._joins(new_key()))

    async def seller(self) -> Seller:
        name = new_key()
        seller = Seller(self.http, await self._joins(name))
        await seller.post("/sellers", {"name": f"Trader {name}"})
        return seller

    async def signed_in(self, email: str, password: str = "mercat") -> Seller:
        session = await self.nobody.post("/sessions", {"email": email, "password": password})
        return Seller(self.http, session["token"])

    async def _joins(self, name: str) -> str:
        account = {"email": f"{name}@example.org", "password": "mercat-test", "name": name[:8]}
        await self.nobody.post("/accounts", account)
        return (await self.nobody.post("/sessions", {name: account[name] for name in ("email", "password")}))[
            "token"
        ]
