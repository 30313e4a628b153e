"""People who sell, buy and run a shop, for tests of what a basket costs."""

from typing import Any

import pytest
from house import House, Visitor
from house import house as house
from house import opened as opened
from journeys.people import HOME, new_key

from mercat import ids
from mercat.web.routes import PREFIX

OLGA = {"email": "olga@example.com", "password": "battery staple", "name": "Olga"}
BOB = {"email": "bob@example.com", "password": "battery staple", "name": "Bob"}
EVE = {"email": "eve@example.com", "password": "battery staple", "name": "Eve"}
CUP = {
    "title": "A cup",
    "description": "",
    "category": "cups",
    "price": 10,
    "currency": "USD",
    "quantity": 99,
}
WIEN = {"name": "A", "line1": "1 Weg", "city": "Wien", "postal_code": "1010", "country": "AT"}


class Trade:
    """An operator, two sellers with a cup each, and a shopper."""

    def __init__(self, house: House, olga: Visitor, bob: Visitor, eve: Visitor, ann: Visitor) -> None:
        self.house = house
        self.olga, self.bob, self.eve, self.ann = olga, bob, eve, ann

    async def lists(self, seller: Visitor, **more: Any) -> str:
        return (await seller.api("POST", "/seller/products", 201, CUP | more))["offer_id"]

    async def puts(self, offer_id: str, quantity: int = 1) -> None:
        await self.ann.api("POST", "/cart/items", 200, {"offer_id": offer_id, "quantity": quantity})

    async def lives(self, **place: str) -> str:
        return (await self.ann.api("POST", "/addresses", 201, HOME | place))["address_id"]

    async def methods(self, address_id: str) -> dict[str, Any]:
        found = await self.ann.api("GET", f"/shipping-methods?address_id={address_id}", 200)
        return {method["code"]: method for method in found["methods"]}

    async def quote(self, address_id: str, method: str = "standard", status: int = 200) -> Any:
        asked = {"shipping_address_id": address_id, "shipping_method": method}
        answer = await self.ann.http.post(f"{PREFIX}/quotes", json=asked)
        assert answer.status_code in (status, 201 if status == 200 else status), answer.text
        return answer.json()

    async def tries(self, address_id: str, method: str = "standard") -> Any:
        card = await self.ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"})
        way = {
            "shipping_address_id": address_id,
            "payment_method_id": card["payment_method_id"],
            "shipping_method": method,
        }
        headers = {"idempotency-key": new_key()}
        return await self.ann.http.post(f"{PREFIX}/orders/checkout", json=way, headers=headers)

    async def buys(self, address_id: str, method: str = "standard") -> Any:
        answer = await self.tries(address_id, method)
        assert answer.status_code == 201, answer.text
        return await self.ann.api("GET", f"/orders/{answer.json()['order_id']}", 200)


async def trading(house: House) -> Trade:
    olga = await house.member(OLGA)
    me = await olga.api("GET", "/account", 200)
    await house.shop.accounts.grant(ids.parse(ids.UserId, me["user_id"]), "operator")
    sellers = []
    for who, name in ((BOB, "Bob's"), (EVE, "Eve's")):
        seller = await house.member(who)
        await seller.api("POST", "/sellers", 201, {"name": name})
        sellers.append(seller)
    bob, eve = sellers
    return Trade(house, olga, bob, eve, await house.member())


@pytest.fixture
async def trade(house: House) -> Trade:
    return await trading(house)
