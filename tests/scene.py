"""A shop with one thing to buy and somebody who wants it, and what must be true of it afterwards."""

from mercat import ids
from mercat.accounts import NewAddress
from mercat.audit import audit
from mercat.catalog import NewProduct
from mercat.checkout import Buy
from mercat.inventory import Line
from mercat.kit.rpc import Caller

HOME = NewAddress(name="Ann", line1="1 Lane", city="Boston", region="MA", postal_code="02110", country="US")
LAPSED = 20  # seconds after which nobody holds a lease of now
GIVEN_UP = 80
WALKED_AWAY = 1_000


class Scene:
    """A shop with ten tins of tea, and a shopper with two of them in the cart."""

    def __init__(self, shop, db):
        self.shop, self.checkout, self.db = shop, shop.checkout, db
        self.seller = ids.new(ids.SellerId)

    async def open(self):
        draft = NewProduct(title="Tea", description="", price=1_000, currency="USD")
        listed = await self.shop.catalog.create(self.seller, "Bob's", draft)
        self.tea = listed.offer_id
        await self.shop.inventory.receive(f"opening/{self.tea}", [Line(self.tea, 10)], self.seller)
        self.ann = Caller(ids.new(ids.UserId), email="ann@example.org")
        await self.shop.cart.add(self.ann.user_id, self.tea, 2)
        return self

    async def another(self):
        """The same shop with other tea, and another shopper."""
        return await Scene(self.shop, self.db).open()

    async def ask(self, token="tok_visa", **more):
        address = await self.shop.accounts.add_address(self.ann.user_id, HOME)
        method = await self.shop.accounts.add_payment_method(self.ann.user_id, token)
        return Buy(address, method, "standard", **more)

    async def left(self):
        stock = (await self.shop.inventory.stock([self.tea]))[self.tea]
        return stock.on_hand, stock.reserved

    async def charged(self):
        """How many charges stand at the provider, not given back."""
        return await self.db.fetchval(
            "select count(*) from payments.sandbox_charge p join checkout.checkout c on c.checkout_id = p.key"
            " where c.user_id = $1 and p.state = 'charged' and p.refunded < p.amount",
            self.ann.user_id,
        )

    async def orders(self):
        return (await self.shop.orders.list_of([self.ann.user_id])).orders

    async def in_cart(self):
        return sum(line.quantity for line in (await self.shop.cart.basket(self.ann.user_id)).lines)

    async def answers(self):
        return await self.db.fetch(
            "select a.status, a.body from checkout.answer a join checkout.checkout c using (checkout_id) "
            "where c.user_id = $1",
            self.ann.user_id,
        )

    async def settled(self, apart_from=()):
        """Nothing runs, and every law holds but those `apart_from`, which the scene breaks on purpose."""
        assert await self.db.fetchval("select count(*) from checkout.running") == 0
        async with self.db.acquire() as db:
            broken = [law for law in await audit(db) if law.violations and law.law not in apart_from]
            assert broken == []

    async def must_have_bought(self, units=2):
        assert [(order.status, order.total) for order in await self.orders()] == [("confirmed", 2_624)]
        assert await self.left() == (10 - units, 0)
        assert await self.charged() == 1
        assert await self.in_cart() == 0
        assert [row["status"] for row in await self.answers()] == [201]
        await self.settled()

    async def must_have_bought_nothing(self):
        assert await self.orders() == []
        assert await self.left() == (10, 0)
        assert await self.charged() == 0
        assert await self.in_cart() == 2
        await self.settled()
