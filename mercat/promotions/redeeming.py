"""Uses of promotions that are limited: counted before money moves, given back when the purchase is undone, or
its order cancelled or paid back whole.

A set of purchases is one transaction: what decides is read under locks that are taken in one order, decided
by `rules.grant`, and written by one statement, whose constraints refuse what must never be.
"""

from collections.abc import Mapping
from typing import Any

import asyncpg

from mercat.events import AccountErased, OrderCancelled, OrderForgotten, OrderPlaced, ProductsRefunded
from mercat.ids import CheckoutId, OrderId, PromotionId, UserId
from mercat.kit import clock, codec, sql
from mercat.kit.batching import set_verb
from mercat.kit.event_log import on
from mercat.kit.text import normal_code
from mercat.orders import Orders
from mercat.promotions import rules
from mercat.promotions.messages import Redeem, UsedUp

queries = sql.load("mercat.promotions")
_REDEEMED_AT_ONCE = 500


class Redeeming:
    """The redemptions, one a checkout."""

    def __init__(self, db: asyncpg.Pool, orders: Orders, key: bytes) -> None:
        self._db = db
        self._orders = orders
        self._key = key

    def persons(self, user_id: UserId, email: str | None) -> list[str]:
        """Answer as whom a buyer is counted."""
        return rules.persons(self._key, user_id, email)

    def _people_of(self, asks: list[Redeem]) -> dict[CheckoutId, list[str]]:
        return {ask.checkout_id: self.persons(ask.user_id, ask.email) for ask in asks}

    @set_verb(most=_REDEEMED_AT_ONCE)
    async def redeem_many(self, asks: list[Redeem]) -> list[UsedUp | None]:
        """Count what each purchase uses, all of it or nothing; once a checkout, also where asked again."""
        promotion_ids = sorted({use.promotion_id for ask in asks for use in ask.uses})
        codes = sorted({normal_code(use.code) for ask in asks for use in ask.uses if use.code})
        checkout_ids = [ask.checkout_id for ask in asks]
        async with self._db.acquire() as db, db.transaction():
            locked = await db.fetch(queries.lock, promotion_ids, codes)
            people_of = self._people_of(asks) if _counts_people(locked) else {}
            people = sorted({person for each in people_of.values() for person in each})
            seen = await db.fetch(queries.look, [rules.FIRST_ORDERS, *promotion_ids], people, checkout_ids)
            told = _told(seen)
            new = [ask for ask in asks if ask.checkout_id not in told]
            known = _known(locked, seen)
            granted = rules.grant(new, [people_of.get(ask.checkout_id, []) for ask in new], known)
            decided = {ask.checkout_id: each for ask, each in zip(new, granted, strict=True)}
            if new:
                written = await self._write(db, new, decided, known.promotions, people_of)
                if len(written) < len(new):  # given up at this moment, by who took it over
                    told |= _told(await db.fetch(queries.look, [rules.FIRST_ORDERS], [], checkout_ids))
        return [told[each] if each in told else decided[each] for each in checkout_ids]

    async def _write(
        self,
        db: Any,
        asks: list[Redeem],
        decided: dict[CheckoutId, UsedUp | None],
        counts: Mapping[PromotionId, rules.Counted],
        people_of: Mapping[CheckoutId, list[str]],
    ) -> list[Any]:
        rows: list[tuple[Any, ...]] = []
        by_person: list[tuple[Any, ...]] = []
        for ask in asks:
            refused, people = decided[ask.checkout_id], people_of.get(ask.checkout_id, [])
            counted = {} if refused else rules.person_counts(ask.uses, counts, people)
            rows.append(
                (
                    ask.checkout_id,
                    ask.order_id,
                    "refused" if refused else "used",
                    _array([int(use.promotion_id) for use in ask.uses]),
                    _array([use.amount for use in ask.uses]),
                    _texts([normal_code(use.code) for use in ask.uses]),
                    _texts(people),
                    _array([int(promotion_id) for _, promotion_id in counted]),
                    _texts([person for person, _ in counted]),
                    codec.text(refused) if refused else None,
                )
            )
            by_person += [
                (ask.checkout_id, promotion_id, person, most)
                for (person, promotion_id), most in counted.items()
            ]
        return await db.fetch(queries.redeem, *sql.columns(rows), clock.now(), *sql.columns(by_person, 4))

    @set_verb()
    async def release_many(self, asks: list[Redeem]) -> list[None]:
        """Give back what refused purchases used; a redemption that comes later is refused."""
        await self._db.execute(
            queries.give_back,
            [ask.checkout_id for ask in asks],
            [ask.order_id for ask in asks],
            "the purchase was refused",
            clock.now(),
        )
        return [None] * len(asks)

    @on(OrderCancelled)
    async def follow_cancellations(self, db: asyncpg.Connection, events: list[OrderCancelled]) -> None:
        """Give back what orders used of which nothing is left; they do not count as somebody's first."""
        order_ids = [event.order_id for event in events]
        await _give_back(db, order_ids, "the order was cancelled")
        await db.execute(queries.forget_buyers, order_ids)

    @on(ProductsRefunded, outside=True)
    async def follow_refunds(self, events: list[ProductsRefunded]) -> None:
        """Give back what orders used of which every unit was paid back."""
        order_ids = list(dict.fromkeys(event.order_id for event in events))
        used = [OrderId(row["order_id"]) for row in await self._db.fetch(queries.used_by, order_ids)]
        if used and (whole := await self._orders.paid_back(used)):
            await _give_back(self._db, whole, "all of the order was paid back")

    @on(OrderPlaced)
    async def follow_orders(self, db: asyncpg.Connection, events: list[OrderPlaced]) -> None:
        """Note who has bought, for what is for a first order."""
        rows = [
            (person, event.order_id)
            for event in events
            for person in self.persons(event.user_id, event.email)
        ]
        await db.execute(queries.note_buyers, *sql.columns(rows, 2))

    @on(AccountErased)
    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Drop whom uses were counted for, and who is in which group."""
        people = [person for event in events for person in event.people]
        persons = [
            person
            for event in events
            for user_id in event.people
            for person in self.persons(user_id, event.email)
        ]
        await db.execute(queries.forget_people, people, persons)

    @on(OrderForgotten)
    async def forget_orders(self, db: asyncpg.Connection, events: list[OrderForgotten]) -> None:
        """Drop for whom the uses of these orders were counted, and that these people bought them."""
        await db.execute(queries.forget_orders, [event.order_id for event in events])


async def _give_back(db: Any, order_ids: list[OrderId], because: str) -> None:
    rows = await db.fetch(queries.used_by, order_ids)
    await db.execute(
        queries.give_back,
        [row["checkout_id"] for row in rows],
        [row["order_id"] for row in rows],
        because,
        clock.now(),
    )


def _counts_people(locked: list[Any]) -> bool:
    """Say whether any of these promotions is limited by person; else it is not kept who used them."""
    return any(row["person_max"] is not None or row["first_order"] for row in locked)


def _told(rows: list[Any]) -> dict[CheckoutId, UsedUp | None]:
    """Answer what checkouts were told before. What was given back is refused: its purchase is undone."""
    told: dict[CheckoutId, UsedUp | None] = {}
    for row in rows:
        if row["kind"] == "redemption":
            given_back = UsedUp(PromotionId(0), "", "", "code_used_up")
            known = codec.decode(row["refusal"], UsedUp) if row["refusal"] else given_back
            told[CheckoutId(row["id"])] = None if row["name"] == "used" else known
    return told


def _known(locked: list[Any], seen: list[Any]) -> rules.UseCounts:
    counts: dict[PromotionId, rules.Counted] = {}
    codes: dict[str, CheckoutId | None] = {}
    for row in locked:
        if row["kind"] == "code":
            codes[row["name"]] = CheckoutId(row["id"]) if row["id"] else None
        else:
            counts[PromotionId(row["id"])] = rules.Counted(
                row["uses"],
                row["spent"],
                row["uses_max"],
                row["person_max"],
                row["budget"],
                row["first_order"],
            )
    used = {(PromotionId(row["id"]), row["name"]): row["uses"] for row in seen if row["kind"] == "person"}
    return rules.UseCounts(counts, codes, used, {row["name"] for row in seen if row["kind"] == "bought"})


def _array(numbers: list[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"


def _texts(texts: list[str]) -> str:
    """Write an array literal of texts."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"
