"""The purchase, as the business says it, for many at once. The rules that make a crash harmless:

- `begin` committed all that is needed here: no step reads a cart, a price or the catalogue.
- Every step answers a second asking as it did the first. Refusals are answers too.
- The direction is decided once, by whoever holds the fence, before anything is made or undone.
- A shopper is told only what a commit already says.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import structlog

from mercat.cart import Spent
from mercat.checkout.customer_limits import CustomerLimits, refusal_of
from mercat.checkout.messages import (
    CheckoutAnswer,
    CheckoutInProgress,
    CheckoutOutcome,
    Confirmed,
    Pending,
    PendingOrder,
    Present,
    PriceChanged,
    Refused,
)
from mercat.checkout.neighbours import Neighbours
from mercat.checkout.purchase import Purchase
from mercat.ids import GiftCardId
from mercat.inventory import Hold, OutOfStock, Short
from mercat.kit import clock, codec, metrics, sql, tracing
from mercat.kit.batching import Sets, set_verb, through
from mercat.kit.refusals import NotFound, Overloaded, Refusal, Unavailable
from mercat.orders import NewOrder, NotCancellable, SomeNotPlaced
from mercat.payments import (
    Charge,
    GiftCardSpent,
    NextAction,
    PaymentDeclined,
    PaymentUnavailable,
    TenderHold,
    VoidedPurchase,
)
from mercat.promotions import Redeem, UsedUp
from mercat.settings import Settings

queries = sql.load("mercat.checkout")
log = structlog.get_logger("mercat.checkout")
Decision = tuple[int, int, str, str | None]
"""A checkout, its fence, the direction, and the refusal that is answered after undoing."""
Ending = tuple[int, int, int, bytes, str | None, datetime]
"""A checkout, its fence, the final answer as it is presented, the refusal if it is one, and when."""
_UNDOING_AT_ONCE = 20
"""Sets: more than of those that buy, for a void may wait for its bank."""


class Saga:
    """Carries purchases out, forward or back; each step may be asked again at any time."""

    def __init__(
        self,
        db: asyncpg.Pool,
        neighbours: Neighbours,
        settings: Settings,
        present: Present,
        limits: CustomerLimits,
    ) -> None:
        self._db = db
        self._limits = limits
        self._accounts = neighbours.accounts
        self._inventory = neighbours.inventory
        self._payments = neighbours.payments
        self._promotions = neighbours.promotions
        self._orders = neighbours.orders
        self._cart = neighbours.cart
        self._settings = settings
        self._present = present
        self.lease = timedelta(seconds=settings.lease_s)
        self._buying: Sets[Purchase] = Sets(self.buy, at_once=settings.purchase_sets)
        self._undoing: Sets[Purchase] = Sets(self.undo, at_once=_UNDOING_AT_ONCE)

    async def buy(self, purchases: list[Purchase]) -> None:
        """Carry purchases out from where they stand, each step once for all of them.

        Who is refused, has to see a bank, hangs or was asked before leaves and goes on alone."""
        unpaid = [each for each in purchases if not each.paid]
        await through(unpaid, self._count, self._reserve, self._redeem, self._hold, self._charge)
        await through(purchases, self._decide, self._create, self._hand_over, self._finish)

    async def undo(self, purchases: list[Purchase]) -> None:
        """Undo purchases that are refused: give money and goods back, and say why."""
        await through(purchases, self._decide, self._void, self._release, self._finish)

    async def carry_out(self, purchase: Purchase) -> CheckoutAnswer:
        """Carry on a purchase that goes alone, from where it stands; CheckoutInProgress where somebody else
        has its lease by now."""
        return await (self._undoing if purchase.refusal else self._buying)(purchase)

    async def turn(self, purchase: Purchase, refusal: Refused) -> CheckoutAnswer:
        """Decide to undo, and undo."""
        purchase.refusal = refusal
        return await self.carry_out(purchase)

    def answer(self, outcome: CheckoutOutcome) -> CheckoutAnswer:
        """Present an outcome."""
        return CheckoutAnswer(outcome, *self._present(outcome))

    # -- the steps of a set

    async def _count(self, purchases: list[Purchase]) -> None:
        """Count what customers may buy so many of in all; few purchases have such goods."""
        limited = [each for each in purchases if each.record.limited]
        if not limited:
            return
        later, refused = await self._limits.take(limited)
        for purchase in later:
            purchase.go_on(self.carry_out)
        for purchase, beyond in refused:
            purchase.go_on(self.turn, Refused.by(refusal_of(beyond)))

    async def _reserve(self, purchases: list[Purchase]) -> None:
        holds = [Hold(each.checkout_id, each.goods, each.again) for each in purchases]
        for purchase, short in zip(purchases, await self._inventory.reserve_many(holds), strict=True):
            if short:
                refusal = Refused.by(_out_of_stock(purchase.order, short))
                purchase.go_on(self.turn, refusal)

    async def _redeem(self, purchases: list[Purchase]) -> None:
        """Count the uses of promotions that are limited; most purchases have none, and ask nothing."""
        limited = [each for each in purchases if each.record.uses]
        if not limited:
            return
        redeemed = await self._promotions.redeem_many([_redeem_of(each) for each in limited])
        for purchase, used_up in zip(limited, redeemed, strict=True):
            if used_up:
                purchase.go_on(self.turn, Refused.by(_used_up(used_up)))

    async def _hold(self, purchases: list[Purchase]) -> None:
        """Hold what gift cards and store credit pay; of who pays by card alone nothing is asked."""
        tendered = [each for each in purchases if each.tenders]
        if tendered:
            holds = [TenderHold(each.checkout_id, each.tenders) for each in tendered]
            for purchase, held in zip(tendered, await self._payments.hold_many(holds), strict=True):
                if not held:
                    purchase.go_on(self.turn, Refused.by(GiftCardSpent()))

    async def _charge(self, purchases: list[Purchase]) -> None:
        charges = [_charge_of(each) for each in purchases]
        for purchase, paid in zip(purchases, await self._payments.charge_many(charges), strict=True):
            purchase.paid = paid
            if not paid:
                purchase.go_on(self._charge_alone)

    async def _decide(self, purchases: list[Purchase]) -> None:
        asks: list[Decision] = [
            (each.checkout_id, each.fence, *_direction(each.refusal)) for each in purchases
        ]
        _part(purchases, await self._decide_many(asks), CheckoutInProgress)

    async def _create(self, purchases: list[Purchase]) -> None:
        new = [each for each in purchases if not each.placed]
        try:
            if tracing.tracer is not None:
                await tracing.remember_orders(each.order.order_id for each in new)
            placed = await self._orders.create_many([each.order for each in new])
        except SomeNotPlaced as some:  # the others go on
            placed = some.facts["answers"]
            for purchase, made in zip(new, placed, strict=True):
                if made is None:
                    purchase.fail(Unavailable())
        except Overloaded:
            raise  # it may be stored in a moment
        except Exception:
            if len(purchases) > 1:
                raise
            log.exception("a paid order cannot be stored", order=str(new[0].order.order_id))
            new[0].go_on(self.give_up)
            return
        for purchase, made in zip(new, placed, strict=True):
            if made is False:
                purchase.go_on(self._turn_back)

    async def _hand_over(self, purchases: list[Purchase]) -> None:
        """Take the goods from the shelf, and beside that out of the cart; keep new cards that have paid."""
        carts = [
            (each.order.user_id, each.order.cart_id, each.goods, _gift_cards(each.record))
            for each in purchases
        ]
        sold, _ = await asyncio.gather(
            self._inventory.confirm_many([each.checkout_id for each in purchases]),
            self._cart.spend_many([Spent(*cart) for cart in carts]),
        )
        _part(purchases, sold, NotFound)
        if cards := [(each.order.user_id, card) for each in purchases if (card := each.record.kept_card)]:
            await self._accounts.list_payment_methods(cards)

    async def _void(self, purchases: list[Purchase]) -> None:
        async def void(purchase: Purchase) -> None:
            try:
                await self._give_back(purchase)
            except Exception as error:  # its bank may be away: nobody else waits for that
                purchase.fail(error)

        await asyncio.gather(*(void(each) for each in purchases))

    async def _give_back(self, purchase: Purchase) -> None:
        checkout_id, order = purchase.checkout_id, purchase.order
        if not purchase.tenders:
            await self._payments.void(checkout_id, order.order_id)
            return
        by_card = order.total > sum(tender.amount for tender in purchase.tenders)
        voided = VoidedPurchase(checkout_id, order.order_id, purchase.tenders, by_card)
        await self._payments.void_tendered(voided)

    async def _release(self, purchases: list[Purchase]) -> None:
        limited = [_redeem_of(each) for each in purchases if each.record.uses]
        await asyncio.gather(
            self._inventory.release_many([each.checkout_id for each in purchases]),
            self._promotions.release_many(limited),
        )
        await self._limits.give_back(purchases)

    async def _finish(self, purchases: list[Purchase]) -> None:
        """Store the final answers, then give them."""
        now = clock.now()
        answers = [self.answer(each.refusal or confirmed(each.record)) for each in purchases]
        endings: list[Ending] = [
            (each.checkout_id, each.fence, answer.status, answer.body, _direction(each.refusal)[1], now)
            for each, answer in zip(purchases, answers, strict=True)
        ]
        _part(purchases, await self._finish_many(endings), CheckoutInProgress)
        for purchase, answer in zip(purchases, answers, strict=True):
            if not purchase.left:
                purchase.answer(answer)
                if purchase.refusal:
                    metrics.checkouts_refused.labels(purchase.refusal.code).inc()

    # -- what somebody does alone

    async def _charge_alone(self, purchase: Purchase) -> CheckoutAnswer:
        try:
            charged = await self._payments.charge(_charge_of(purchase))
        except (PaymentDeclined, PaymentUnavailable) as refusal:
            return await self.turn(purchase, Refused.by(refusal))
        if charged.next_action:
            return await self._wait(purchase, charged.next_action)
        purchase.paid = True
        return await self.carry_out(purchase)

    async def _wait(self, purchase: Purchase, next_action: NextAction) -> CheckoutAnswer:
        """Let go of the lease while the shopper has to act: fifteen minutes from the beginning."""
        order = purchase.order
        until = order.placed_at + timedelta(seconds=self._settings.reservation_s)
        await self._db.fetchval(queries.wait, order.checkout_id, purchase.fence, until, clock.now())
        url = next_action.url
        if url.startswith("/"):  # a page of ours; a bank's has its whole address
            url = self._settings.link(url)
        return self.answer(Pending(order.order_id, NextAction(next_action.type, url)))

    async def give_up(self, purchase: Purchase) -> CheckoutAnswer:
        """Refuse a paid order for good, for it cannot be stored: the money goes back."""
        try:
            await self._orders.refuse(purchase.order)
        except NotCancellable:  # it was stored after all
            purchase.placed = True
            return await self.carry_out(purchase)
        return await self._turn_back(purchase)

    async def _turn_back(self, purchase: Purchase) -> CheckoutAnswer:
        """Undo what was decided forward: its order was given up for good, so the money goes back."""
        words = "Your order could not be stored, so your money was given back."
        refusal = Refused.by(PaymentUnavailable(words))
        reason = codec.text(refusal)
        order = purchase.order
        told = order.order_id, order.user_id, order.email, order.total, order.currency
        if not await self._db.fetchval(
            queries.turn_back, purchase.checkout_id, purchase.fence, reason, *told
        ):
            raise CheckoutInProgress
        return await self.turn(purchase, refusal)

    # A set may hold who has the lease of a checkout, and who lost it.

    @set_verb()
    async def _decide_many(self, asks: list[Decision]) -> list[bool]:
        rows = await self._db.fetch(queries.decide_many, *sql.columns(asks))
        decided = {(row[0], row[1]) for row in rows}
        return [ask[:2] in decided for ask in asks]

    @set_verb()
    async def _finish_many(self, endings: list[Ending]) -> list[bool]:
        rows = await self._db.fetch(queries.finish_many, *sql.columns(endings))
        ended = {(row[0], row[1]) for row in rows}
        return [ending[:2] in ended for ending in endings]


def _part(purchases: list[Purchase], went_well: list[bool], otherwise: type[Refusal]) -> None:
    """Let those leave of whom a step was not true: somebody else has their lease, and will answer."""
    for purchase, well in zip(purchases, went_well, strict=True):
        if not well:
            purchase.fail(otherwise())


def _direction(refusal: Refused | None) -> tuple[str, str | None]:
    return ("undo", codec.text(refusal)) if refusal else ("forward", None)


def _charge_of(purchase: Purchase) -> Charge:
    order = purchase.order
    return Charge(
        checkout_id=order.checkout_id,
        order_id=order.order_id,
        amount=order.total,
        currency=order.currency,
        token=purchase.record.token,
        sellers=purchase.record.sellers,
        shipping=0 if order.parts else order.shipping,
        tax=order.tax,
        user_id=order.user_id,
        again=purchase.again,
        tenders=purchase.tenders,
    )


def _redeem_of(purchase: Purchase) -> Redeem:
    order = purchase.order
    return Redeem(order.checkout_id, order.order_id, order.user_id, order.email, purchase.record.uses)


def _used_up(used_up: UsedUp) -> PriceChanged:
    name = used_up.code or used_up.name or "A promotion of this purchase"
    became = "is for a first order" if used_up.why == "not_for_you" else "was used up meanwhile"
    facts = {"promotion_code": used_up.code} if used_up.code else {}
    return PriceChanged(
        f"{name} {became}, so the total is another one. Nothing was charged.",
        why=used_up.why,
        promotion_id=str(used_up.promotion_id),
        **facts,
    )


def _gift_cards(record: PendingOrder) -> list[GiftCardId]:
    return [tender.value_id for tender in record.tenders if tender.kind == "gift_card"]


def _out_of_stock(order: NewOrder, short: Short) -> OutOfStock:
    for n, line in enumerate(order.lines):
        if line.offer_id == short.offer_id:
            left = short.available
            words = f"Only {left} of {line.title} left." if left else f"{line.title} is sold out."
            return OutOfStock(
                f"{words} Nothing was charged.",
                offer_id=short.offer_id,
                available=left,
                pointer=f"/items/{n}",
                product=line.title,
            )
    return OutOfStock("It is sold out.", offer_id=short.offer_id, available=short.available)


def confirmed(record: PendingOrder) -> Confirmed:
    """Make the value of a purchase that is done."""
    order = record.order
    return Confirmed(order.order_id, order.total, order.currency, order.estimated_delivery)


def stored_answer(row: Any) -> CheckoutAnswer:
    """Read a final answer again. Of a refusal that a process of release 0.1.0 stored beside newer ones, only
    the presented bytes are known."""
    if row["confirmed"]:
        outcome = confirmed(codec.decode(row["record"], PendingOrder))
    else:
        outcome = decided(row["refusal"]) or Refused("refused", "This order was not placed.")
    return CheckoutAnswer(outcome, row["status"], row["body"], replayed=True)


def decided(reason: str | None) -> Refused | None:
    """Read the refusal that a checkout is undone for; None for what release 0.1.0 wrote there, which was
    bytes for programs."""
    try:
        return codec.decode(reason, Refused) if reason else None
    except msgspec.ValidationError:
        return None
