"""What invoices promise: numbers without gaps whoever asks at once or dies, and papers that add up."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import msgspec
import pytest
from scene import Scene

from mercat import ids
from mercat.app import build_shop
from mercat.checkout import CancelAsk, RefundAsk
from mercat.events import AnyEvent, OrderLine, OrderPlaced
from mercat.invoices import Invoices
from mercat.invoices.service import queries
from mercat.kit import clock, codec
from mercat.kit.event_log import deliver
from mercat.kit.rpc import Caller
from mercat.orders import LineQuantity, costs_as_placed
from mercat.payments.refunds import queries as money
from mercat.payments.rules import CAME_BACK

OPS = Caller(ids.UserId(1), frozenset({"operator"}))


class PaperScene(Scene):
    """Two tins of tea that are bought."""

    async def bought(self, key="bought"):
        await self.checkout.buy(self.ann, key, await self.ask())
        [order] = await self.orders()
        self.order_id = order.order_id
        return self

    async def another(self):
        scene = await PaperScene(self.shop, self.db).open()
        return await scene.bought()

    async def again(self):
        """Another order of the same seller's, by another shopper."""
        scene = PaperScene(self.shop, self.db)
        scene.tea, scene.seller = self.tea, self.seller
        scene.ann = Caller(ids.new(ids.UserId), email="eve@example.org")
        await self.shop.cart.add(scene.ann.user_id, scene.tea, 1)
        return await scene.bought()

    async def papers(self):
        return await self.shop.invoices.papers_of(self.order_id)

    async def cancels(self, units):
        order = await self.shop.orders.order(self.order_id, None)
        ask = CancelAsk([LineQuantity(order.lines[0].order_line_id, units)], once=str(ids.new(ids.LinkId)))
        await self.checkout.cancel(self.ann, self.order_id, ask)

    async def gives_back(self, amount):
        ask = RefundAsk(amount=amount, reason="Sorry.", once=str(ids.new(ids.LinkId)))
        await self.checkout.refund(OPS, self.order_id, ask, "operator")

    async def numbers(self, kind="invoice"):
        rows = await self.db.fetch(
            "select number from invoices.paper where seller_id = $1 and kind = $2 order by number",
            self.seller,
            kind,
        )
        return [row["number"] for row in rows]


@pytest.fixture
async def scene(settings, db):
    async with AsyncExitStack() as stack:
        scene = await PaperScene(await build_shop(settings, stack), db).open()
        yield await scene.bought()


def placed(seller_id, lines=1, order_id=None):
    """What is told of an order of a seller's, of so many lines at 10.00."""
    total = 1_000 * lines
    return OrderPlaced(
        order_id=order_id or ids.new(ids.OrderId),
        checkout_id=ids.new(ids.CheckoutId),
        cart_id=ids.new(ids.CartId),
        user_id=ids.UserId(7),
        email="ann@example.org",
        total=total,
        subtotal=total,
        currency="USD",
        placed_at=clock.now(),
        lines=[
            OrderLine(
                order_line_id=ids.new(ids.LineId),
                product_id=ids.ProductId(1),
                offer_id=ids.OfferId(1),
                seller_id=seller_id,
                title="Tea",
                quantity=1,
                unit_price=1_000,
                total=1_000,
            )
            for _ in range(lines)
        ],
    )


async def test_an_order_has_an_invoice_a_seller_and_asked_again_the_same(scene):
    [invoice] = await scene.papers()
    order = await scene.shop.orders.order(scene.order_id, None)
    assert (invoice.kind, invoice.number, invoice.total, invoice.currency) == (
        "invoice",
        1,
        order.total,
        "USD",
    )
    assert (invoice.price, invoice.tax, invoice.shipping) == (order.subtotal, order.tax, order.shipping)
    assert await scene.papers() == [invoice]
    eve = await scene.again()
    assert [paper.number for paper in await eve.papers()] == [2]
    other = await scene.another()
    assert [paper.number for paper in await other.papers()] == [1]


async def test_each_refund_has_a_credit_note_and_what_is_left_is_what_was_kept(scene):
    [invoice] = await scene.papers()
    await scene.cancels(1)
    await scene.gives_back(100)
    _, first, second = await scene.papers()
    assert [(each.kind, each.number, each.cause) for each in (first, second)] == [
        ("credit_note", 1, "cancel"),
        ("credit_note", 2, "refund"),
    ]
    assert [unit.quantity for unit in first.units] == [1]
    assert second.units == []
    assert second.total == 100
    [payment] = await scene.shop.payments.of_order(scene.order_id)
    assert invoice.total - first.total - second.total == payment.amount - payment.refunded
    await scene.gives_back(payment.amount - payment.refunded)
    invoice, *credits_ = await scene.papers()
    for name in ("price", "discount", "tax", "shipping"):
        assert getattr(invoice, name) == sum(getattr(each, name) for each in credits_), name
    await scene.settled()


async def test_a_refund_that_the_bank_takes_back_keeps_its_credit_note(scene):
    await scene.cancels(1)
    papers = await scene.papers()
    assert await scene.db.fetch(money.fail_refund, papers[1].refund_id, CAME_BACK)
    [payment] = await scene.shop.payments.of_order(scene.order_id)
    assert [refund.status for refund in payment.refunds] == ["failed"]
    assert await scene.papers() == papers, "it is owed still"
    await scene.settled()


async def test_many_who_ask_at_once_leave_no_gap_and_issue_each_once(scene):
    others = [await scene.again() for _ in range(6)]
    for each in others[:3]:
        await each.cancels(1)
    await asyncio.gather(*(each.papers() for each in others for _ in range(4)))
    assert await scene.numbers() == [1, 2, 3, 4, 5, 6]
    assert await scene.numbers("credit_note") == [1, 2, 3]
    await scene.papers()
    assert await scene.numbers() == [1, 2, 3, 4, 5, 6, 7]
    await scene.settled()


async def test_the_log_and_who_asks_issue_one_invoice(scene):
    invoices, sellers = scene.shop.invoices, [ids.SellerId(n) for n in (11, 12, 13)]
    told: list[AnyEvent] = [placed(seller) for _ in range(20) for seller in sellers]

    async def follows() -> None:
        await deliver(None, told, [invoices])

    await asyncio.gather(follows(), follows(), scene.papers(), follows())
    rows = await scene.db.fetch(
        "select seller_id, array_agg(order_id order by number) as orders, "
        "array_agg(number order by number) as n "
        "from invoices.paper where seller_id = any($1) group by 1 order by 1",
        sellers,
    )
    for row in rows:
        mine = [each.order_id for each in told if each.lines[0].seller_id == row["seller_id"]]  # type: ignore
        assert (row["orders"], row["n"]) == (mine, list(range(1, 21)))


class Dies:
    """A pool whose connection breaks after a statement was carried out, before its transaction ends."""

    def __init__(self, inside, statement):
        self._inside, self._statement = inside, statement

    @asynccontextmanager
    async def acquire(self):
        async with self._inside.acquire() as db:
            self._db = db
            yield self

    def transaction(self):
        return self._db.transaction()

    async def execute(self, query, *args):
        await self._db.execute(query, *args)
        if query == getattr(queries, self._statement):
            raise asyncpg.ConnectionDoesNotExistError

    async def fetch(self, *args):
        return await self._inside.fetch(*args)


@pytest.mark.parametrize("statement", ["begin_issuers", "lock_issuers", "issue"])
async def test_who_dies_at_any_statement_takes_no_number(scene, statement):
    eve, shop = await scene.again(), scene.shop
    dies = Invoices(Dies(shop.invoices._db, statement), shop.orders, shop.payments, shop.sellers)  # type: ignore
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await dies.papers_of(scene.order_id)
    assert await scene.numbers() == []
    assert [paper.number for paper in await eve.papers()] == [1]
    assert [paper.number for paper in await scene.papers()] == [2]
    await scene.settled()


async def test_a_batch_of_thousands_is_issued_in_the_order_of_the_log(scene):
    invoices = scene.shop.invoices
    sellers = [ids.new(ids.SellerId) for _ in range(700)]
    told: list[AnyEvent] = [placed(sellers[n % 700]) for n in range(2_000)]
    async with asyncio.timeout(5):
        await deliver(None, told, [invoices])
    assert await scene.db.fetchval("select count(*) from invoices.paper") == 2_000
    assert await scene.db.fetchval("select max(number) from invoices.paper") == 3


async def test_what_is_told_of_an_order_parts_it_as_its_rows_do(scene):
    bill = await scene.shop.orders.bill(scene.order_id)
    order = await scene.shop.orders.order(scene.order_id, None)
    event = OrderPlaced(
        order_id=order.order_id,
        checkout_id=order.checkout_id,
        cart_id=ids.CartId(1),
        user_id=order.user_id,
        email="",
        total=order.total,
        subtotal=order.subtotal,
        discount=order.discount,
        shipping=order.shipping,
        tax=order.tax,
        currency=order.currency,
        placed_at=order.created_at,
        lines=[
            OrderLine(**{n: getattr(line, n) for n in OrderLine.__struct_fields__ if hasattr(line, n)})
            for line in order.lines
        ],
    )
    assert costs_as_placed(event) == bill.parts


async def test_an_invoice_never_changes(scene):
    await scene.papers()
    own = scene.shop.invoices._db
    for statement in ("update invoices.paper set price = 1", "delete from invoices.paper"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await own.execute(statement)


async def test_what_a_seller_wants_said_is_said_from_then_on(scene):
    invoices = scene.shop.invoices
    [before] = await scene.papers()
    await invoices.set_details(scene.seller, "Bob's Bazaar Ltd\n1 Market Row\nVAT GB 123")
    eve = await scene.again()
    [after] = await eve.papers()
    assert (before.seller_details, after.seller_details) == ("", "Bob's Bazaar Ltd\n1 Market Row\nVAT GB 123")
    assert await scene.papers() == [before]
    assert msgspec.json.decode(codec.encode(after))["number"] == 2
