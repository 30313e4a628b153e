"""The verbs of inventory."""

import json
from collections.abc import Sequence
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from mercat.events import OffersListed
from mercat.ids import CheckoutId, OfferId, SellerId
from mercat.inventory.messages import (
    Hold,
    Line,
    LowMark,
    ShelfCount,
    ShelfCounts,
    ShelfSort,
    Short,
    Stock,
    StockCount,
    Uncounted,
)
from mercat.inventory.rules import ReservationAsk, Share, ShelfKey, share_out
from mercat.kit import sql
from mercat.kit.batching import Coalescer, set_verb
from mercat.kit.event_log import on
from mercat.kit.refusals import Invalid, NotFound, Overloaded, Refusal, Stale

queries = sql.load("mercat.inventory")
_ROUNDS_MAX = 100


class Inventory:
    """Stock, written in sets: what is asked at the same time is one statement."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._stock: Coalescer[Sequence[OfferId], dict[OfferId, Stock]] = Coalescer(
            self._stock_many, batch_max=2_000, weigh=len
        )

    async def stock(self, offer_ids: list[OfferId]) -> dict[OfferId, Stock]:
        """Answer what stands on the shelf now; offers without one are left out."""
        return await self._stock(offer_ids)

    @set_verb(weigh=lambda hold: len(hold.lines))
    async def reserve_many(self, holds: list[Hold]) -> list[Short | None]:
        """Hold every line of each checkout, or none of it and answer what it is short of."""
        asks = [_ask(hold) for hold in holds]
        again = [hold.checkout_id for hold in holds if hold.again]
        answers = await self._answers(again) if again else {}
        waiting = [ask for ask in asks if ask.checkout_id not in answers]
        for _ in range(_ROUNDS_MAX):
            if not waiting:
                return [answers[ask.checkout_id] for ask in asks]
            answers |= await self._round(waiting)
            waiting = [ask for ask in waiting if ask.checkout_id not in answers]
        raise Overloaded

    @set_verb()
    async def confirm_many(self, checkout_ids: list[CheckoutId]) -> list[bool]:
        """Sell what was held for each: it leaves the shelf. False where nothing was held."""
        rows = await self._db.fetch(queries.confirm, checkout_ids)
        sold = {row[0] for row in rows if row[1] == "sold"}
        return [checkout_id in sold for checkout_id in checkout_ids]

    @set_verb()
    async def release_many(self, checkout_ids: list[CheckoutId]) -> list[None]:
        """Free what is held for each; a reserve that comes later is refused. What was sold stays sold."""
        await self._db.execute(queries.release, checkout_ids)
        return [None] * len(checkout_ids)

    async def receive(self, reference: str, items: list[Line], seller_id: SellerId | None = None) -> None:
        """Take goods in, once a reference."""
        await self._come_in("received", reference, items, seller_id)

    @on(OffersListed)
    async def follow_listings(self, db: PoolConnectionProxy, events: list[OffersListed]) -> None:
        """Receive the stock of new offers, once a reference: whoever listed them may have died before."""
        for event in events:
            offers, quantities = zip(*((each.offer_id, each.quantity) for each in event.offers), strict=True)
            await db.execute(
                queries.receive, "received", event.reference, offers, quantities, event.seller_id
            )

    async def put_back(self, reference: str, items: list[Line]) -> None:
        """Put sold goods back on the shelf, once a reference."""
        await self._come_in("returned", reference, items, None)

    async def _come_in(self, kind: str, reference: str, items: list[Line], seller_id: int | None) -> None:
        offers, quantities = [line.offer_id for line in items], [line.quantity for line in items]
        await self._db.execute(queries.receive, kind, reference, offers, quantities, seller_id)

    async def count(self, seller_id: SellerId, offer_id: OfferId, version: int, count: StockCount) -> Stock:
        """Set what a seller counted, if nobody changed the shelf since (Stale otherwise)."""
        asked = ShelfCount(count.quantity, offer_id=offer_id, version=version)
        return (await self.count_all(seller_id, [asked]))[0]

    async def count_all(self, seller_id: SellerId, counts: list[ShelfCount]) -> list[Stock]:
        """Set what a seller counted of several offers: of all, or of none where somebody changed one since
        (Stale), where more is held than was counted (Invalid), or where one is another's (NotFound)."""
        asked = sql.columns([(each.offer_id, each.quantity, each.version) for each in counts], 3)
        found = {
            row["offer_id"]: _stock(row) for row in await self._db.fetch(queries.count, seller_id, *asked)
        }
        if len(found) < len(counts):
            raise await self._uncounted(seller_id, counts)
        return [found[each.offer_id] for each in counts]

    async def _uncounted(self, seller_id: SellerId, counts: list[ShelfCount]) -> Refusal:
        """Say why counts were not taken: by the first of which that is so."""
        shelves = {
            each.offer_id: each for each in await self.owned(seller_id, [each.offer_id for each in counts])
        }
        for each in counts:
            now = shelves.get(each.offer_id)
            if now is None:
                return NotFound("You have no such offer.")
            if now.version != each.version:
                return Stale(version=now.version, on_hand=now.on_hand, reserved=now.reserved)
            if now.reserved > each.quantity:
                words = f"{now.reserved} are held for orders that are being paid: it cannot be fewer."
                return Invalid(words, pointer="/quantity")
        return Stale()

    async def recount(self, reference: str, seller_id: SellerId, lines: list[Line]) -> list[OfferId]:
        """Set what a seller's file says of many shelves, once a reference; answer those that it changed.

        What is held for orders that are being paid stays on its shelf."""
        quantities = {line.offer_id: line.quantity for line in lines}
        offers = sorted(quantities)
        wanted = [quantities[offer] for offer in offers]
        try:
            rows = await self._db.fetch(queries.recount, reference, seller_id, offers, wanted)
        except asyncpg.UniqueViolationError:  # it was taken at the same moment
            return []
        return [OfferId(row["offer_id"]) for row in rows]

    async def uncount(self, start: str) -> Uncounted:
        """Take back what counts under references that begin so made of shelves, once each: the difference, so
        that what was sold since stays sold. A shelf that was counted again since is left as it is."""
        for row in await self._db.fetch(queries.counted_under, start):
            await self._db.execute(queries.uncount, row["reference"], f"undo/{row['reference']}")
        counts: Any = await self._db.fetchrow(queries.uncounted, start)
        return sql.row(Uncounted, counts)

    async def owned(self, seller_id: SellerId, offer_ids: list[OfferId]) -> list[Stock]:
        """List the shelves of these offers that belong to this seller."""
        return [_stock(row) for row in await self._db.fetch(queries.owned, offer_ids, seller_id)]

    async def lying(self, seller_id: SellerId | None, sold: list[OfferId], most: int) -> list[Stock]:
        """List the shelves with something on them but those of what sold, the oldest offers first: of a
        seller, or of all."""
        return [_stock(row) for row in await self._db.fetch(queries.lying, seller_id, sold, most)]

    async def set_low_mark(self, seller_id: SellerId, offer_id: OfferId, low_mark: LowMark) -> Stock:
        """Say from how many down a seller's offer is low; NotFound for another's."""
        row = await self._db.fetchrow(queries.set_low_mark, seller_id, offer_id, low_mark)
        if row is None:
            raise NotFound("You have no such offer.")
        return _stock(row)

    async def shelves(
        self,
        seller_id: SellerId,
        only_low: bool = False,
        sort: ShelfSort = "available",
        after: OfferId | None = None,
        limit: int = 50,
    ) -> list[Stock]:
        """List a seller's shelves, all or those that are low; the emptiest first, or as asked."""
        way = -1 if sort.startswith("-") else 1
        asked = seller_id, only_low, sort.endswith("available"), way, after, limit
        return [_stock(row) for row in await self._db.fetch(queries.shelves, *asked)]

    async def shelf_counts(self, seller_id: SellerId) -> ShelfCounts:
        """Count a seller's shelves, and those that are low."""
        row: Any = await self._db.fetchrow(queries.shelf_counts, seller_id)
        return sql.row(ShelfCounts, row)

    async def _round(self, asks: list[ReservationAsk]) -> dict[int, Short | None]:
        """One read, one decision, one write; asks whose rows changed meanwhile stay unanswered."""
        offers = list({offer for ask in asks for offer, _ in ask.lines})
        rows = await self._db.fetch(queries.look, offers)
        available: dict[ShelfKey, int] = {(row[0], row[1]): row[2] for row in rows}
        versions: dict[ShelfKey, int] = {(row[0], row[1]): row[3] for row in rows}
        shares = share_out(asks, available)

        units: dict[ShelfKey, int] = {}
        for share in shares:
            for place, quantity in share.taken:
                units[place] = units.get(place, 0) + quantity
        touched = [(place[0], place[1], versions[place], quantity) for place, quantity in units.items()]
        written = [_written(ask, share) for ask, share in zip(asks, shares, strict=True)]
        placed = {
            row[0]
            for row in await self._db.fetch(queries.reserve, *sql.columns(touched, 4), *sql.columns(written))
        }
        answers: dict[int, Short | None] = {
            ask.checkout_id: _short(share.short_offer, share.short_left) if share.refused else None
            for ask, share in zip(asks, shares, strict=True)
            if ask.checkout_id in placed
        }
        if len(placed) < len(asks):
            answers |= await self._answers([ask.checkout_id for ask in asks if ask.checkout_id not in placed])
        return answers

    async def _answers(self, checkout_ids: Sequence[int]) -> dict[int, Short | None]:
        answers: dict[int, Short | None] = {}
        for checkout_id, state, refusal in await self._db.fetch(queries.answers, checkout_ids):
            if state in ("held", "sold"):
                answers[checkout_id] = None
            else:
                facts: dict[str, int] = json.loads(refusal) if refusal else {}
                answers[checkout_id] = _short(facts.get("offer_id", 0), facts.get("available", 0))
        return answers

    async def _stock_many(self, asks: list[Sequence[OfferId]]) -> list[dict[OfferId, Stock] | Exception]:
        rows = await self._db.fetch(queries.stock, list({offer for ask in asks for offer in ask}))
        stock = {row["offer_id"]: _stock(row) for row in rows}
        return [{offer: stock[offer] for offer in ask if offer in stock} for ask in asks]


def _written(ask: ReservationAsk, share: Share) -> tuple[Any, ...]:
    """Make the columns of an ask: arrays as literals, for a batch's arrays differ in length."""
    if share.refused:
        refusal = json.dumps({"offer_id": int(share.short_offer), "available": share.short_left})
        return (ask.checkout_id, "{}", "{}", "{}", refusal, _literal(offer for offer, _ in ask.lines))
    return (
        ask.checkout_id,
        _literal(place[0] for place, _ in share.taken),
        _literal(place[1] for place, _ in share.taken),
        _literal(quantity for _, quantity in share.taken),
        None,
        "{}",
    )


def _literal(numbers: Any) -> str:
    return "{" + ",".join(map(int.__repr__, numbers)) + "}"


def _ask(hold: Hold) -> ReservationAsk:
    wanted: dict[int, int] = {}
    for line in hold.lines:
        wanted[line.offer_id] = wanted.get(line.offer_id, 0) + line.quantity
    return ReservationAsk(hold.checkout_id, tuple(wanted.items()))


def _short(offer_id: int, available: int) -> Short:
    return Short(OfferId(offer_id), available)


def _stock(row: Any) -> Stock:
    kept = ("on_hand", "reserved", "available", "version", "low_mark")
    return Stock(OfferId(row["offer_id"]), *(row[name] for name in kept))
