"""Gift cards and store credit: issued, held for a checkout, taken by its capture, given back.

A balance is what can be spent now. What is held has left it, and comes back unless it is taken. Values are
locked before tenders, in one sorted order.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import asyncpg

from mercat import gift_codes, ids
from mercat.ids import CheckoutId, GiftCardId, PaymentId, UserId
from mercat.kit import clock, sql
from mercat.kit.batching import set_verb
from mercat.kit.refusals import Invalid, NotFound, OtherCurrency
from mercat.payments.messages import (
    CreditTooSmall,
    GiftCard,
    GiftCardNotUsable,
    GiftCardUnknown,
    GrantedCredit,
    MadeGiftCard,
    NewGiftCard,
    Spendable,
    SpendableOf,
    StoreCredit,
    Tender,
    TenderHold,
    ValueEntry,
    ValueStatus,
)
from mercat.settings import Settings

queries = sql.load("mercat.payments")
_ENTRIES_MAX = 100


class _TenderRow(NamedTuple):
    checkout_id: int
    value_id: int
    payment_id: int
    place: int
    amount: int


def _reference(grant: GrantedCredit) -> GiftCardId:
    """Name what is granted once: the same again, and another for another person or amount."""
    asked = f"{int(grant.user_id)} {grant.amount} {grant.once}".encode()
    return GiftCardId(int.from_bytes(blake2b(asked, digest_size=8).digest()) >> 1)


class StoredValue:
    """What people may spend here besides money."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._currency = settings.currency
        self._key = settings.key("gift_cards")

    async def make_gift_card(self, card: NewGiftCard) -> MadeGiftCard:
        """Make a gift card; its code is known to who is answered, and to nobody afterwards but who asks again
        with the same key, who gets the same card."""
        self._check_currency(card.currency, "/currency")
        now = clock.now()
        if card.expires_at is not None and card.expires_at <= now:
            raise Invalid("It would have expired already.", pointer="/expires_at")
        asked = f"{card.once} {card.amount} {card.currency} {card.expires_at}"
        code = gift_codes.code_once(self._key, asked) if card.once else gift_codes.new_code()
        gift_card_id = await self._db.fetchval(
            queries.issue_gift_card,
            ids.new(GiftCardId),
            gift_codes.hash_of(code),
            gift_codes.last4_of(code),
            card.amount,
            card.currency,
            card.expires_at,
            now,
        )
        return MadeGiftCard(GiftCardId(gift_card_id), code)

    async def gift_cards(self, before: GiftCardId | None = None, limit: int = 50) -> list[GiftCard]:
        """List gift cards, the newest first."""
        return sql.rows(GiftCard, await self._db.fetch(queries.gift_cards, before, limit))

    async def set_gift_card_status(self, gift_card_id: GiftCardId, status: ValueStatus) -> GiftCard:
        """Disable a gift card, or let it be used again; what is on it stays."""
        row = await self._db.fetchrow(queries.set_gift_card_status, gift_card_id, status)
        if row is None:
            raise NotFound("There is no such gift card.")
        return sql.row(GiftCard, row)

    async def find_gift_card(self, code: str) -> Spendable:
        """Find the gift card of a code, as somebody typed it; raise why it cannot be used here."""
        row = await self._db.fetchrow(queries.gift_card_of, gift_codes.hash_of(code), clock.now())
        if row is None:
            raise GiftCardUnknown(pointer="/code")
        self._check_currency(row["currency"], "/code")
        if not row["usable"]:
            why = "was disabled" if row["status"] == "disabled" else "has expired"
            raise GiftCardNotUsable(f"This gift card {why}.", pointer="/code")
        if not row["balance"]:
            raise GiftCardNotUsable("Nothing is left on this gift card.", pointer="/code")
        return sql.row(Spendable, row)

    async def spendable(self, of: SpendableOf) -> list[Spendable]:
        """Look up what these gift cards, and these people's store credit, can pay now."""
        rows = await self._db.fetch(queries.spendable, of.gift_cards, of.people, clock.now())
        return sql.rows(Spendable, rows)

    async def grant_store_credit(self, grant: GrantedCredit) -> StoreCredit:
        """Give somebody store credit, or take some with a negative amount, once a key; CreditTooSmall beyond
        what is there."""
        if not grant.amount:
            raise Invalid("Say how much.", pointer="/amount")
        reference = _reference(grant) if grant.once else ids.new(GiftCardId)
        async with self._db.acquire() as db, db.transaction():
            await self._begin_credit(db, grant.user_id)
            try:
                await db.execute(
                    queries.grant_store_credit,
                    grant.user_id,
                    reference,
                    grant.amount,
                    grant.reason.strip(),
                    clock.now(),
                )
            except asyncpg.CheckViolationError:
                raise CreditTooSmall(pointer="/amount") from None
        return await self.store_credit(grant.user_id)

    async def store_credit(self, user_id: UserId) -> StoreCredit:
        """Say what somebody may spend, and how that came about."""
        row = await self._db.fetchrow(queries.store_credit, user_id)
        if row is None:
            return StoreCredit(0, self._currency, [])
        entries = await self._db.fetch(queries.store_credit_entries, user_id, _ENTRIES_MAX)
        return StoreCredit(row["balance"], row["currency"], sql.rows(ValueEntry, entries))

    # -- on the way of a purchase

    @set_verb()
    async def hold_many(self, holds: list[TenderHold]) -> list[bool]:
        """Hold what gift cards and store credit pay of purchases, all of one or nothing; again is the same
        answer. What was given back is never held."""
        rows = [row for hold in holds for row in _tender_rows(hold.checkout_id, hold.tenders)]
        found = await self._db.fetch(queries.hold_values, *sql.columns(rows, 5), clock.now())
        held: set[int] = {row["checkout_id"] for row in found}
        if others := [hold.checkout_id for hold in holds if hold.checkout_id not in held]:
            held |= {row["checkout_id"] for row in await self._db.fetch(queries.tenders_standing, others)}
        return [hold.checkout_id in held for hold in holds]

    async def take(self, db: Any, due: dict[int, int]) -> None:
        """Take what is held for checkouts, by the amounts that their captures book."""
        taken: dict[int, int] = {}
        for row in await db.fetch(queries.take_values, list(due)):
            taken[row["checkout_id"]] = taken.get(row["checkout_id"], 0) + row["amount"]
        if taken != due:
            raise RuntimeError(f"a capture found {taken} held of {due}")

    async def give_back(self, checkout_id: CheckoutId, tenders: Sequence[Tender] | None) -> None:
        """Give back what is held for a checkout that was given up, and see to it that nothing will be.

        None: what it is to be paid by is not known, so only what is held is given back."""
        if tenders is None:
            held = await self._db.fetch(queries.tenders_held, checkout_id)
            tenders = sql.rows(Tender, held)
        if tenders:
            rows = _tender_rows(checkout_id, tenders)
            await self._db.execute(queries.give_back_values, *sql.columns(rows, 5), clock.now())

    async def returned(self, db: Any, refund_id: int, back: dict[int, int]) -> None:
        """Put on gift cards and store credit what of a refund goes there."""
        if back:
            await db.execute(queries.return_values, refund_id, list(back), list(back.values()), clock.now())

    async def credit_of(self, db: Any, user_id: UserId) -> GiftCardId:
        """Return the store credit of a person, who may have none yet."""
        await self._begin_credit(db, user_id)
        return GiftCardId(await db.fetchval(queries.store_credit_id, user_id))

    async def _begin_credit(self, db: Any, user_id: UserId) -> None:
        value_id = ids.new(GiftCardId, user_id.bucket)
        await db.execute(queries.begin_store_credit, value_id, user_id, self._currency, clock.now())

    def _check_currency(self, currency: str, pointer: str) -> None:
        if currency != self._currency:
            raise OtherCurrency(
                f"This gift card is in {currency}, and this shop sells in {self._currency}.", pointer=pointer
            )


def _tender_rows(checkout_id: CheckoutId, tenders: Sequence[Tender]) -> list[_TenderRow]:
    return [
        _TenderRow(checkout_id, tender.value_id, ids.new(PaymentId, checkout_id.bucket), n, tender.amount)
        for n, tender in enumerate(tenders)
    ]
