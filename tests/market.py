"""Promotions, goods and shoppers of one shop, for tests of what is taken off."""

import uuid

import pytest
from journeys.people import HOME

from mercat.web.routes import PREFIX


class Market:
    """Promotions, goods and shoppers of one shop, over HTTP."""

    def __init__(self, people):
        self.people = people

    async def ask(self, who, verb, path, body=None, **headers):
        return await who.request(verb, f"{PREFIX}{path}", json=body, headers=headers)

    async def ok(self, who, verb, path, body=None, **headers):
        answer = await self.ask(who, verb, path, body, **headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def promotion(self, then, who=None, at="/operator/promotions", **more):
        body = {"name": "Spring", "then": then} | more
        return await self.ok(who or self.people.operator, "POST", at, body)

    async def lists(self, price=10.0, **more):
        product = {
            "title": f"Tea {uuid.uuid4().hex[:6]}",
            "category": "tea",
            "description": "",
            "brand": "Porter",
            "price": price,
            "currency": "USD",
            "quantity": 100,
        }
        return (await self.ok(self.people.seller, "POST", "/seller/products", product | more))["offer_id"]

    async def puts(self, offer_id, quantity=1, who=None):
        body = {"offer_id": offer_id, "quantity": quantity}
        return await self.ok(who or self.people.shopper, "POST", "/cart/items", body)

    async def gives(self, code, who=None):
        return await self.ok(who or self.people.shopper, "POST", "/cart/codes", {"code": code})

    async def way(self, who=None, card="tok_visa", **address):
        who = who or self.people.shopper
        kept = await self.ok(who, "POST", "/addresses", HOME | address)
        method = await self.ok(who, "POST", "/payment-methods", {"token": card})
        return {
            "shipping_address_id": kept["address_id"],
            "shipping_method": "standard",
            "payment_method_id": method["payment_method_id"],
        }

    async def quote(self, way, who=None):
        body = {name: way[name] for name in ("shipping_address_id", "shipping_method")}
        return await self.ok(who or self.people.shopper, "POST", "/quotes", body)

    async def buys(self, way, who=None, **more):
        key = {"idempotency-key": uuid.uuid4().hex}
        return await self.ask(who or self.people.shopper, "POST", "/orders/checkout", way | more, **key)

    async def bought(self, way, who=None, **more):
        answer = await self.buys(way, who, **more)
        assert answer.status_code == 201, answer.text
        return await self.ok(who or self.people.shopper, "GET", f"/orders/{answer.json()['order_id']}")

    async def uses(self, promotion):
        shown = await self.ok(
            self.people.operator, "GET", f"/operator/promotions/{promotion['promotion_id']}"
        )
        return shown["uses"], shown["spent"]


@pytest.fixture
def market(people):
    return Market(people)


def why(cart):
    return [(each["applied"], each.get("why")) for each in cart["codes"]]
