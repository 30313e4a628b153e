"""A shop with one flash sale, moved on by hand."""

import itertools
from contextlib import AsyncExitStack
from datetime import timedelta

import msgspec
import pytest

from mercat import ids
from mercat.accounts import NewAddress
from mercat.app import build_shop
from mercat.audit import audit
from mercat.catalog import NewProduct
from mercat.checkout import Buy
from mercat.flashsale import NewSale
from mercat.inventory import Line
from mercat.kit import clock
from mercat.kit.rpc import Caller

HOME = NewAddress(name="Ann", line1="1 Lane", city="Boston", region="MA", postal_code="02110", country="US")
SALE = "tea"
OPERATOR = Caller(ids.UserId(1), frozenset({"operator"}), email="ops@example.com")


class Scene:
    def __init__(self, shop, settings, db):
        self.shop, self.sales, self.settings, self.db = shop, shop.flashsale, settings, db
        self.runner = shop.flashsale.runner
        self._numbers = itertools.count(1)

    async def lists(self, units=100):
        seller = ids.new(ids.SellerId)
        draft = NewProduct(title="Tea", description="", price=1_000, currency="USD")
        listed = await self.shop.catalog.create(seller, "Bob's", draft)
        await self.shop.inventory.receive(
            f"opening/{listed.offer_id}", [Line(listed.offer_id, units)], seller
        )
        return listed.offer_id

    async def opens(self, stock=100, starts_in=-1, **more):
        self.offer = await self.lists(stock)
        told = {"units": stock, "per_card": None, "per_address": None, "rate": 1_000} | more
        starts_at = clock.now() + timedelta(seconds=starts_in)
        await self.sales.create(NewSale(sale_id=SALE, offer_id=self.offer, starts_at=starts_at, **told))
        await self.tick()

    async def tick(self):
        """A second of the runner's work, and everybody sees it."""
        self.runner._ticked_at.clear()
        await self.runner.tick()
        self.look()

    def look(self):
        self.sales._sales.look_again()
        self.shop.checkout.gate._offers.forget()

    def person(self):
        n = next(self._numbers)
        return Caller(ids.new(ids.UserId), email=f"p{n}@example.org")

    async def crowd(self, n):
        people = [self.person() for _ in range(n)]
        return people, [await self.sales.join(each, SALE) for each in people]

    async def stands(self, person):
        return await self.sales.place(person, SALE)

    async def buys(self, person, flash_pass=None, *, key=None, token="tok_visa", home=HOME, quantity=1):
        if not (await self.shop.cart.basket(person.user_id)).lines:
            await self.shop.cart.add(person.user_id, self.offer, quantity)
        address = await self.shop.accounts.add_address(person.user_id, home)
        method = await self.shop.accounts.add_payment_method(person.user_id, token)
        ask = Buy(address, method, "standard", flash_pass=flash_pass)
        return await self.shop.checkout.buy(person, key or str(next(self._numbers)), ask)

    async def pass_of(self, person):
        return (await self.stands(person)).pass_

    async def sold(self):
        self.look()
        sale = await self.sales.sale(SALE)
        return sale.units - sale.left

    async def sound(self):
        async with self.db.acquire() as owner:
            assert not [finding for finding in await audit(owner) if finding.violations]


@pytest.fixture
async def scene(settings, db):
    settings = msgspec.structs.replace(settings, pool_size=8)
    async with AsyncExitStack() as stack:
        scene = Scene(await build_shop(settings, stack), settings, db)
        yield scene
        await scene.sound()
