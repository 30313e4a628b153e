"""Passes at the till: a checkout uses somebody's turn, or takes one where there is no waiting room."""

from typing import Any

import asyncpg
from msgspec.structs import replace

from mercat.checkout import CheckoutInProgress
from mercat.flashsale import rules
from mercat.flashsale.messages import (
    BuyerLimit,
    Claim,
    FlashPassExpired,
    FlashPassInvalid,
    FlashPassRequired,
    NotStarted,
    Pass,
    SoldOut,
)
from mercat.flashsale.sale_store import SaleStore
from mercat.flashsale.sales import Sales
from mercat.flashsale.turns import Ended, IssuedTurns
from mercat.ids import CheckoutId
from mercat.kit import clock, signing, sql
from mercat.kit.batching import Coalescer
from mercat.settings import Settings

queries = sql.load("mercat.flashsale")


class Passes:
    """Claim turns for checkouts, many in one transaction."""

    def __init__(
        self, db: asyncpg.Pool, store: SaleStore, sales: Sales, turns: IssuedTurns, settings: Settings
    ) -> None:
        self._db = db
        self._store = store
        self._sales = sales
        self._turns = turns
        self._secret = settings.key("flash sales")
        self._claims: Coalescer[Claim, str] = Coalescer(self._claim_many)

    async def claim(self, claim: Claim, flash_pass: str = "") -> str:
        """Use somebody's turn for a checkout; answer the name under which it is bought once, or nothing where
        the sale is over and the rest is sold as ever."""
        row = await self._sales.row(claim.sale_id)
        state = rules.state_of(row)
        if state == "ended":
            return ""
        if state == "planned":
            raise NotStarted(sale_id=claim.sale_id, starts_at=row["starts_at"])
        if not row["queue"]:
            return await self._claim_unqueued(row, claim)
        if not flash_pass:
            if state == "sold_out":
                raise SoldOut(sale_id=claim.sale_id)
            raise FlashPassRequired(sale_id=claim.sale_id)
        placed = replace(claim, place=self._place_of(flash_pass, claim))
        try:
            return await self._claims(placed)
        except CheckoutInProgress:
            # The purchase that has this pass may have been refused a moment ago: then it is free again.
            if await self._turns.settle(claim.sale_id, placed.place):
                return await self._claims(placed)
            raise

    async def give_back(self, name: str, checkout_id: CheckoutId) -> None:
        """Give a turn back to its owner, whose checkout did not begin after all."""
        sale_id, _, place = name.rpartition("/")
        await self._turns.end(sale_id, [Ended(int(place), int(checkout_id), bought=False)])

    def _place_of(self, flash_pass: str, claim: Claim) -> int:
        """Read the place of a pass; it is refused where it is another's or its time is over."""
        read = signing.unseal(self._secret, flash_pass, Pass)
        if read is None or read.sale != claim.sale_id or read.user != int(claim.user_id):
            raise FlashPassInvalid(sale_id=claim.sale_id)
        if read.until < clock.now().timestamp():
            raise FlashPassExpired(sale_id=claim.sale_id)
        return read.place

    async def _claim_unqueued(self, row: Any, claim: Claim) -> str:
        if rules.state_of(row) == "sold_out":
            raise SoldOut(sale_id=claim.sale_id)
        if claim.quantity > row["per_person"]:
            raise BuyerLimit(sale_id=claim.sale_id, most=row["per_person"])
        if not await self._store.admit(claim.sale_id, claim.quantity):
            raise SoldOut(sale_id=claim.sale_id)
        return await self._claims(claim)

    async def _claim_many(self, claims: list[Claim]) -> list[str | Exception]:
        """Claim with passes and without in one transaction; sales are locked where limits are counted."""
        counted = sorted({claim.sale_id for claim in claims if self._has_limits(claim)})
        queued = [claim for claim in claims if claim.place]
        unqueued = [claim for claim in claims if not claim.place]
        places: dict[int, int] = {}
        now = clock.now()
        async with self._db.acquire() as connection, connection.transaction():
            if counted:
                await connection.execute(queries.lock_sales, counted)
            for statement, asks in ((queries.claim, queued), (queries.rush, unqueued)):
                if asks:
                    rows = await connection.fetch(statement, *sql.columns(map(_columns, asks)), now)
                    places |= {row["checkout_id"]: row["place"] for row in rows}
        reasons = await self._reasons([claim for claim in claims if claim.checkout_id not in places])
        return [
            f"{claim.sale_id}/{places[claim.checkout_id]}"
            if claim.checkout_id in places
            else reasons[claim.checkout_id]
            for claim in claims
        ]

    def _has_limits(self, claim: Claim) -> bool:
        """Answer whether what others bought decides about a claim; so it does where a sale is not known."""
        sale = self._sales.known(claim.sale_id)
        return not claim.place or sale is None or bool(sale["per_card"] or sale["per_address"])

    async def _reasons(self, refused: list[Claim]) -> dict[int, Exception]:
        """Find the reason of each refusal, of all with one look: in a rush nearly all are refused."""
        if not refused:
            return {}
        asks = [(claim.sale_id, claim.place, claim.user_id, claim.checkout_id) for claim in refused]
        found = {row["checkout_id"]: row for row in await self._db.fetch(queries.why_not, *sql.columns(asks))}
        return {claim.checkout_id: _refusal(claim, found[claim.checkout_id]) for claim in refused}


def _refusal(claim: Claim, found: Any) -> Exception:
    facts = {"sale_id": claim.sale_id}
    if found["sale"] in (None, "ended"):
        return FlashPassInvalid("This sale is over.", **facts)
    if not claim.place:
        full = found["free"] < claim.quantity
        return SoldOut(**facts) if full and not found["has_turn"] else BuyerLimit(**facts)
    if found["user_id"] != claim.user_id:
        return FlashPassInvalid(**facts)
    if found["state"] == "lapsed" or found["until"] < clock.now():
        return FlashPassExpired(**facts)
    if found["state"] == "used":
        return FlashPassInvalid("This pass was used.", **facts)
    if found["state"] == "claimed":
        return CheckoutInProgress("A purchase with this pass is under way. Wait for it.")
    return BuyerLimit(**facts)


def _columns(claim: Claim) -> tuple[Any, ...]:
    return (
        claim.sale_id,
        claim.place,
        claim.user_id,
        claim.checkout_id,
        claim.quantity,
        claim.card,
        claim.address,
    )
