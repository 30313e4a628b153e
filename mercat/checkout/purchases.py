"""Buying: one purchase a key, begun once, carried on by whoever asks again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import blake2b
from typing import Any, TypeVar

import asyncpg
import structlog
from msgspec import structs

from mercat.accounts import NewAddress, is_same_address
from mercat.cart import Spent
from mercat.checkout.cards import SavedCards
from mercat.checkout.messages import (
    AdmissionGate,
    Buy,
    BuyWith,
    CartEmpty,
    ChallengedPurchase,
    CheckoutAnswer,
    CheckoutInProgress,
    Explained,
    Pending,
    PendingOrder,
    Refused,
    WaitingPurchase,
)
from mercat.checkout.neighbours import Neighbours
from mercat.checkout.preparation import Preparation, explained
from mercat.checkout.purchase import Purchase, Wanted
from mercat.checkout.saga import Saga, decided, stored_answer
from mercat.ids import AddressId, CheckoutId, UserId
from mercat.inventory import Line
from mercat.kit import clock, codec, sql
from mercat.kit.batching import Sets, set_verb, through
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import BadRequest, Invalid, KeyReused, NotFound, Overloaded, Refusal
from mercat.kit.rpc import Caller
from mercat.payments import ChallengeOutcome, PaymentDeclined
from mercat.settings import Settings

T = TypeVar("T")
queries = sql.load("mercat.checkout")
log = structlog.get_logger("mercat.checkout")
_KEY_MAX = 255
_PATIENCE_S = 10.0
_UNUSED = b',"use_store_credit":false,"expected_by_card":null}'
_NO_GIFT = b',"gift_to":null}'


class Purchases:
    """Begins purchases, and says what became of them."""

    def __init__(
        self,
        db: asyncpg.Pool,
        preparation: Preparation,
        saga: Saga,
        cards: SavedCards,
        neighbours: Neighbours,
        settings: Settings,
    ) -> None:
        self._db = db
        self._preparation = preparation
        self._saga = saga
        self._cards = cards
        self._accounts = neighbours.accounts
        self._cart = neighbours.cart
        self._payments = neighbours.payments
        self._promotions = neighbours.promotions
        self.gate: AdmissionGate | None = None
        self._sets: Sets[Purchase] = Sets(self._buy_many, at_once=settings.purchase_sets)

    async def buy(self, caller: Caller, key: str, ask: Buy) -> CheckoutAnswer:
        """Buy what is in the caller's cart, once a key. A key's answer never changes once it is final.

        Programs buy so, pages by `buy_with`: by that reports tell what came by the API."""
        _check_key(key)
        return await self._buy(Wanted(caller, key, ask, _fingerprint(ask), channel="api"))

    async def buy_with(self, caller: Caller, key: str, ask: BuyWith) -> CheckoutAnswer:
        """Save what is new of the address and the card, then buy what is in the cart with them, once a key.

        After a crash in between the same address and card are found, not saved again; what was saved stays
        when the purchase is refused. A card that is not taken is Invalid, and points to /token."""
        _check_key(key)
        fingerprint = _fingerprint(ask)
        if (ask.new_address or ask.new_card) and (existing := await self._existing(caller.user_id, key)):
            return await self._again(existing, fingerprint)
        card = ask.payment_method_id
        if ask.new_card:
            card = await self._cards.keep_card(
                caller, ask.new_card.token, once=ask.new_card.single_use, listed=False
            )
        address = await self._address(caller, ask.shipping_address_id, ask.new_address)
        buy = Buy(
            address,
            card,
            ask.shipping_method,
            ask.quote_id,
            ask.email,
            ask.flash_pass,
            ask.expected_total,
            ask.use_store_credit,
            ask.expected_by_card,
            ask.gift_to,
        )
        keep = ask.new_card is not None and not ask.new_card.single_use and not caller.guest
        return await self._buy(Wanted(caller, key, buy, fingerprint, keep))

    async def _address(self, caller: Caller, known: AddressId | None, new: NewAddress | None) -> AddressId:
        if new:
            for each in await self._accounts.addresses(caller.user_id):
                if is_same_address(each, new):
                    return each.address_id
            return await self._accounts.add_address(caller.user_id, new)
        if known is None:
            raise Invalid("Choose an address.", pointer="/shipping_address_id")
        return known

    async def _buy(self, wanted: Wanted) -> CheckoutAnswer:
        return await self._patiently(self._sets, Purchase.new(wanted))

    async def _buy_many(self, purchases: list[Purchase]) -> None:
        """Carry purchases from the cart to the answer, each step once for all of them."""
        new = [each for each in purchases if not each.fence]
        await through(new, self._prepare, self._admit, self._begin)
        await through(purchases, self._saga.buy)

    async def _prepare(self, purchases: list[Purchase]) -> None:
        records = await self._preparation.prepare([each.wanted for each in purchases])
        for purchase, record in zip(purchases, records, strict=True):
            if isinstance(record, Refusal):
                purchase.go_on(self._not_begun, record)
            else:
                purchase.record = record

    async def _admit(self, purchases: list[Purchase]) -> None:
        """Ask the gate for those who buy what not everybody may buy at the moment."""
        gate = self.gate
        if gate is None or not (watched := await gate.watched()):
            return

        async def admit(purchase: Purchase) -> None:
            wanted = purchase.wanted
            try:
                purchase.flash_pass = await gate.admit(
                    purchase.order, paid_with(purchase.record), wanted.ask.flash_pass
                )
            except Refusal as refusal:
                purchase.go_on(self._not_begun, refusal)

        asking = [each for each in purchases if any(line.offer_id in watched for line in each.goods)]
        await asyncio.gather(*(admit(each) for each in asking))

    async def _begin(self, purchases: list[Purchase]) -> None:
        for purchase, begun in zip(purchases, await self._begin_many(purchases), strict=True):
            if begun:
                purchase.fence = 1
            else:
                purchase.go_on(self._taken)

    @set_verb()
    async def _begin_many(self, purchases: list[Purchase]) -> list[bool]:
        asks = [
            (
                each.checkout_id,
                each.order.user_id,
                each.wanted.key,
                each.wanted.fingerprint,
                each.order.cart_id,
                codec.inner_text(each.record),
                each.order.placed_at,
                each.flash_pass,
            )
            for each in purchases
        ]
        rows = await self._db.fetch(queries.begin_many, *sql.columns(asks), self._saga.lease)
        begun = {row[0] for row in rows}
        return [each.checkout_id in begun for each in purchases]

    async def _not_begun(self, purchase: Purchase, refusal: Refusal) -> CheckoutAnswer:
        """Refuse what has not begun; where its key has a purchase already, that one's answer counts."""
        wanted = purchase.wanted
        if isinstance(refusal, Overloaded):
            raise refusal
        if existing := await self._existing(wanted.caller.user_id, wanted.key):
            return await self._again(existing, wanted.fingerprint)
        if isinstance(refusal, CheckoutInProgress):  # another purchase has the pass
            return await self._cart_is_taken(purchase)
        raise refusal

    async def _taken(self, purchase: Purchase) -> CheckoutAnswer:
        """Say what became of the purchase that has this key or this cart."""
        wanted = purchase.wanted
        if self.gate is not None and purchase.flash_pass is not None:
            await self.gate.give_back(purchase.flash_pass, purchase.checkout_id)
        if existing := await self._existing(wanted.caller.user_id, wanted.key):
            return await self._again(existing, wanted.fingerprint)
        return await self._cart_is_taken(purchase)

    async def challenge(self, ticket: str, outcome: ChallengeOutcome) -> CheckoutAnswer:
        """Take in what the shopper told their bank; the purchase goes on from there."""
        checkout_id = await self._payments.answer_challenge(ticket, outcome)
        return await self.resume(checkout_id)

    async def challenged(self, ticket: str) -> ChallengedPurchase:
        """Answer what a bank asks about; NotFound for a ticket that we did not give."""
        row = await self._db.fetchrow(queries.by_id, await self._payments.challenged(ticket))
        if row is None:
            raise NotFound("There is no such purchase.")
        record = codec.decode(row["record"], PendingOrder)
        came_to = stored_answer(row).outcome if row["status"] is not None else None
        outcome = None if isinstance(came_to, Pending) else came_to
        by_card = record.order.total - sum(tender.amount for tender in record.tenders)
        return ChallengedPurchase(by_card, record.order.currency, record.token, outcome)

    async def resume(self, checkout_id: CheckoutId) -> CheckoutAnswer:
        """Carry on a checkout that waits, or say what it came to."""
        existing = await self._db.fetchrow(queries.by_id, checkout_id)
        if existing is None:
            raise NotFound("There is no such purchase.")
        return await self._again(existing, existing["fingerprint"])

    async def follow(self, caller: Caller, key: str) -> CheckoutAnswer:
        """Answer what asking again with this key would; NotFound for one that began nothing."""
        existing = await self._known(caller, key)
        return await self._again(existing, existing["fingerprint"])

    async def abandon(self, caller: Caller, key: str) -> CheckoutAnswer:
        """End a purchase that waits for its shopper at once, and answer as it does then.

        One that is over stays as it is; CheckoutInProgress for one that somebody works on."""
        existing = await self._known(caller, key)
        return await self._again(existing, existing["fingerprint"], _abandoned())

    async def waiting(self, user_id: UserId) -> list[WaitingPurchase]:
        """List the purchases of somebody that wait until they act, and hold goods for them."""
        rows = await self._db.fetch(queries.waiting_of, user_id)
        orders = [codec.decode(row["record"], PendingOrder).order for row in rows]
        return [
            WaitingPurchase(row["key"], [Line(line.offer_id, line.quantity) for line in order.lines])
            for row, order in zip(rows, orders, strict=True)
        ]

    async def adopt(self, guest_id: UserId, user_id: UserId) -> None:
        """Let the purchases of a guest answer to the member they became, by the same keys: what waits for its
        bank is followed and left as before, and nothing is bought twice. Again changes nothing."""
        while True:
            with suppress(asyncpg.UniqueViolationError):  # the member used one of the keys meanwhile
                await self._db.execute(queries.adopt, guest_id, user_id)
                return

    async def explain(self, checkout_id: CheckoutId) -> list[Explained]:
        """List the promotions that were looked at for a purchase, and what came of each."""
        row = await self._db.fetchrow(queries.by_id, checkout_id)
        tried = codec.decode(row["record"], PendingOrder).tried if row else []
        names = await self._promotions.names([each.promotion_id for each in tried])
        return [explained(each, names) for each in tried]

    async def _known(self, caller: Caller, key: str) -> Any:
        existing = await self._existing(caller.user_id, key)
        if existing is None:
            raise NotFound("There is no such purchase.", pointer="/key")
        return existing

    async def _again(
        self, existing: Any, fingerprint: bytes, refusal: Refused | None = None
    ) -> CheckoutAnswer:
        """Answer the same key again: what is stored, or the purchase carried on where nobody works on it.

        `refusal`: it is undone where it was not decided."""
        if existing["fingerprint"] != fingerprint:
            raise KeyReused
        if existing["status"] is not None:
            return stored_answer(existing)
        checkout_id, fence = existing["checkout_id"], existing["fence"]
        taken = fence and await self._db.fetchrow(
            queries.take_over, checkout_id, clock.now(), self._saga.lease, fence
        )
        if not taken:
            if answer := await self._stored(checkout_id):
                return answer
            raise CheckoutInProgress
        record = codec.decode(existing["record"], PendingOrder)
        purchase = Purchase.standing(record, taken["fence"], taken["direction"], decided(taken["reason"]))
        if taken["direction"] is None:
            purchase.refusal = refusal
        return await self._patiently(self._saga.carry_out, purchase)

    async def _patiently(
        self, work: Callable[[Purchase], Awaitable[CheckoutAnswer]], purchase: Purchase
    ) -> CheckoutAnswer:
        """Carry on a purchase; while a part of the shop restarts, ask again: the steps may be repeated."""
        until = asyncio.get_running_loop().time() + _PATIENCE_S
        try:
            return await work(purchase)
        except Overloaded:
            if not purchase.fence:
                raise
        except CheckoutInProgress:
            if purchase.fence and (answer := await self._stored(purchase.checkout_id)):
                return answer
            raise
        except Refusal:
            raise
        except Exception:
            if not purchase.fence:
                raise
            # It has begun, so money may have moved: recovery goes on with it, and the shopper looks again.
            log.exception("a purchase broke off", order=str(purchase.order.order_id))
            return self._saga.answer(Pending(purchase.order.order_id))
        left = until - asyncio.get_running_loop().time()
        if left > 0:  # else a provider that hangs has used it up: recovery goes on, the shopper looks again
            try:
                return await patiently(lambda: self._take_up(purchase), left)
            except Overloaded:
                pass
        return self._saga.answer(Pending(purchase.order.order_id))

    async def _take_up(self, purchase: Purchase) -> CheckoutAnswer:
        """Go on where we stopped. The database is asked where, for the answer to our last step may have been
        lost."""
        try:
            if answer := await self._stored(purchase.checkout_id):
                return answer
            row = await self._db.fetchrow(queries.by_id, purchase.checkout_id)
        except AWAY as error:
            raise Overloaded from error
        if row is None or row["fence"] != purchase.fence:
            raise CheckoutInProgress
        standing = Purchase.standing(
            purchase.record, purchase.fence, row["direction"], decided(row["reason"])
        )
        return await self._saga.carry_out(standing)

    async def _stored(self, checkout_id: CheckoutId) -> CheckoutAnswer | None:
        row = await self._db.fetchrow(queries.answer, checkout_id)
        return stored_answer(row) if row else None

    async def _cart_is_taken(self, purchase: Purchase) -> CheckoutAnswer:
        """Refuse a cart that another checkout stands for: it runs, or it has bought it (and the cart came
        back from an old copy, so its id is spent once more). One that waits for its shopper is ended."""
        order = purchase.order
        other = await self._db.fetchrow(queries.of_cart, order.cart_id)
        if other and other["waits"]:
            await self._again(other, other["fingerprint"], _abandoned())
            return await self._buy(purchase.wanted)
        if other and other["confirmed"]:
            bought = codec.decode(other["record"], PendingOrder).order
            lines = [Line(line.offer_id, line.quantity) for line in bought.lines]
            await self._cart.spend_many([Spent(order.user_id, order.cart_id, lines)])
            raise CartEmpty("What was in this cart has been bought already.")
        raise CheckoutInProgress

    async def _existing(self, user_id: UserId, key: str) -> Any:
        return await self._db.fetchrow(queries.by_key, user_id, key)


async def patiently(step: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Ask again while a part of the shop restarts; its asks are idempotent, so nothing is done twice."""
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + seconds, 0.05
    while True:
        try:
            return await step()
        except Overloaded:
            if loop.time() + pause > until:
                raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)


def paid_with(record: PendingOrder) -> str:
    """Name what a purchase is paid with, for who counts by it: the card, or what pays without one."""
    return record.token or "".join(str(tender.value_id) for tender in record.tenders)


def _abandoned() -> Refused:
    return Refused.by(PaymentDeclined("You left the payment. Nothing was charged.", reason="abandoned"))


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= _KEY_MAX or not key.isprintable():
        raise BadRequest("Idempotency-Key must be 1 to 255 printable characters.", pointer="/Idempotency-Key")


def _fingerprint(ask: Buy | BuyWith) -> bytes:
    """Hash what a key was used for; the pass is not a part of it, for it may be another at the next try."""
    what = ask if ask.flash_pass is None else structs.replace(ask, flash_pass=None)
    said = codec.encode(what)
    for unused in (_NO_GIFT, _UNUSED):  # a key of the release before stays the same key
        if said.endswith(unused):
            said = said.removesuffix(unused) + b"}"
    return blake2b(said, digest_size=16).digest()
