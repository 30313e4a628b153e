"""The waiting room: joining the line once, where somebody stands, and the pass when it is their turn."""

from typing import Any

import asyncpg
from msgspec.structs import replace

from mercat.flashsale import rules
from mercat.flashsale.draws import Draws
from mercat.flashsale.messages import NotPossible, Pass, QueuePlace, SaleOver, SoldOut
from mercat.flashsale.sale_store import SaleStore
from mercat.flashsale.sales import Sales
from mercat.flashsale.turns import IssuedTurns
from mercat.ids import UserId
from mercat.kit import clock, signing, sql
from mercat.kit.limits import Limit, Limits
from mercat.kit.refusals import NotFound, SignInFirst, TooManyRequests
from mercat.kit.rpc import Caller
from mercat.settings import Settings

queries = sql.load("mercat.flashsale")


class WaitingRoom:
    """Keep people's places; a pass is sealed with the secret that `Passes` reads it by."""

    def __init__(
        self,
        db: asyncpg.Pool,
        store: SaleStore,
        sales: Sales,
        draws: Draws,
        turns: IssuedTurns,
        limits: Limits,
        settings: Settings,
    ) -> None:
        self._db = db
        self._store = store
        self._sales = sales
        self._draws = draws
        self._turns = turns
        self._limits = limits
        self._neighbourhood = Limit(settings.flash_rate, settings.flash_burst)
        self._limit_loopback = settings.limit_loopback
        self._secret = settings.key("flash sales")

    async def join(self, caller: Caller, sale_id: str, address: str = "") -> QueuePlace:
        """Put somebody into the line, once a person: again answers with the same place.

        `address`: where they ask from; from one neighbourhood only so many may join."""
        row = await self._sales.row(sale_id)
        state = rules.state_of(row)
        if row["members_only"] and caller.guest:
            raise SignInFirst("Only people with an account of their own may join this sale.")
        if state == "ended":
            raise SaleOver
        if state == "sold_out":
            raise SoldOut
        if not row["queue"]:
            raise NotPossible("This sale has no queue: whoever is first at the till buys.")
        if self._limit_loopback or not rules.local(address):
            await self._not_too_many(address)
        number, new = await self._store.join(sale_id, caller.user_id)
        place = await self._place(row, caller.user_id, number)
        if place.state == "lapsed" and await self._has_lapsed(sale_id, caller.user_id, number):
            # Whoever lapsed it died before Valkey was told.
            await self._store.remove(sale_id, [(int(caller.user_id), number)])
            return await self.join(caller, sale_id, address)
        return replace(place, joined_now=new)

    async def place(self, caller: Caller, sale_id: str) -> QueuePlace:
        """Answer where somebody stands, and their pass when it is their turn."""
        row = await self._sales.row(sale_id)
        number = await self._store.number_of(sale_id, caller.user_id)
        if number == 0:
            turn = await self._db.fetchrow(queries.turn_of, sale_id, caller.user_id)
            if turn is None:
                raise NotFound("You are not in this queue. Join it first.")
            number = turn["number"]
        return await self._place(row, caller.user_id, number)

    async def adopt(self, guest: UserId, member: UserId) -> None:
        """Give a guest's places to the account that they signed in to, where it has none."""
        for sale_id, row in (await self._sales.rows()).items():
            if row["state"] != "ended" and row["queue"]:
                number = await self._store.adopt(sale_id, guest, member)
                if number:
                    await self._db.execute(queries.adopt, sale_id, number, member)

    async def _has_lapsed(self, sale_id: str, user_id: UserId, number: int) -> bool:
        turn = await self._db.fetchrow(queries.turn_of, sale_id, user_id)
        return turn is not None and turn["state"] == "lapsed" and turn["number"] == number

    async def _not_too_many(self, address: str) -> None:
        bucket = f"flash:{rules.neighbourhood(address)}"
        [verdict] = await self._limits.take((bucket, self._neighbourhood))
        if not verdict.allowed:
            wait = int(verdict.retry_after_s) + 1
            raise TooManyRequests("Many people join from where you are. Wait a moment.", retry_after=wait)

    async def _place(self, row: Any, user_id: UserId, number: int) -> QueuePlace:
        here = rules.undrawn_place(row["sale_id"], number)
        if row["drawn"] is None:
            return here
        place = self._draws.draw(row).place_of(number)
        if place > row["serving"]:
            return rules.waiting_place(here, row, place)
        turn = await self._turn(row["sale_id"], user_id)
        state = rules.turn_state(turn, clock.now())
        here = replace(here, state=state, position=0, ahead=0, place=place)
        if state != "your_turn":
            return here
        until = turn["until"]
        content = Pass(row["sale_id"], int(user_id), turn["place"], int(until.timestamp()))
        return replace(here, eta_s=0, pass_=signing.seal(self._secret, content), pass_until=until)

    async def _turn(self, sale_id: str, user_id: UserId) -> Any:
        """Read somebody's latest turn; one that is claimed is settled first, if its checkout has ended."""
        turn: Any = await self._db.fetchrow(queries.turn_of, sale_id, user_id)
        if turn and turn["state"] == "claimed" and await self._turns.settle(sale_id, turn["place"]):
            turn = await self._db.fetchrow(queries.turn_of, sale_id, user_id)
        return turn
