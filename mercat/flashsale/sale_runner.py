"""What runs the sales. Once a second, for each: keeps who joined, opens at the start, takes back turns that
lapsed, settles what checkouts came to, releases the next turns, and brings back a line that Valkey lost.

One of all processes does this at a time, by an advisory lock that dies with its connection; and each
statement says what it read, so that two could do no harm. Nothing that matters is in this process: killed
at any point, the next one goes on from PostgreSQL.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog

from mercat.checkout import Checkout, CheckoutHealth
from mercat.flashsale import rules
from mercat.flashsale.draws import Draws
from mercat.flashsale.sale_store import SaleStore
from mercat.flashsale.sales import Sales
from mercat.flashsale.turns import IssuedTurns
from mercat.kit import clock, sql

queries = sql.load("mercat.flashsale")
log = structlog.get_logger("mercat.flashsale")
_LOCK = 7_264_003
_TICK_S = 0.5
_IDLE_S = 1.0
_PAGE = 5_000
_PAGES_A_TICK = 40
_LOOK_BACK_S = 5.0
_UNKNOWN = CheckoutHealth(answers=1, failed=1_000, p99_s=0, overdue=0)


class SaleRunner:
    """Run every sale that is not over, in the one process that holds the lock."""

    def __init__(
        self,
        db: asyncpg.Pool,
        store: SaleStore,
        checkout: Checkout,
        draws: Draws,
        turns: IssuedTurns,
        sales: Sales,
    ) -> None:
        self._sales = sales
        self._db = db
        self._store = store
        self._checkout = checkout
        self._draws = draws
        self._turns = turns
        self._allowance: dict[str, float] = {}
        self._ticked_at: dict[str, float] = {}
        self._last_units: list[str] = []

    async def keep_running(self) -> None:
        """Run the sales for as long as this process holds the lock; return where another has it."""
        async with self._db.acquire() as held:
            if not await held.fetchval("select pg_try_advisory_lock($1)", _LOCK):
                await asyncio.sleep(_TICK_S)
                return
            try:
                while True:
                    began = asyncio.get_running_loop().time()
                    busy = await self.tick()
                    await held.fetchval("select 1")
                    await self._rest(began + (_TICK_S if busy else _IDLE_S))
            finally:
                with contextlib.suppress(asyncpg.InterfaceError, asyncpg.PostgresError, OSError):
                    await held.execute("select pg_advisory_unlock($1)", _LOCK)

    async def tick(self) -> bool:
        """Run all sales once; one that fails delays no other. Answer whether anybody waits or shops."""
        await self._keep_priced()
        sales = [sale for sale in await self._db.fetch(queries.standing) if sale["state"] != "ended"]
        busy = any(rules.is_busy(sale) for sale in sales)
        self._last_units = [sale["sale_id"] for sale in sales if rules.all_promised(sale)]
        health = await self._health() if busy else None
        for sale in sales:
            try:
                await self._run(sale, health)
            except Exception as error:
                log.warning(
                    "a sale could not be served; again soon", sale=sale["sale_id"], reason=repr(error)[:300]
                )
        return busy

    async def _keep_priced(self) -> None:
        try:
            await self._sales.keep_priced()
        except Exception as error:
            log.warning("a sale's price could not be asked; again soon", reason=repr(error)[:300])

    async def _rest(self, until: float) -> None:
        """Wait for the next round; meanwhile count the last units of a sale as they are sold."""
        now = asyncio.get_running_loop().time
        while self._last_units and until - now() > rules.SOON_S:
            await asyncio.sleep(rules.SOON_S)
            for sale_id in self._last_units:
                await self._turns.settle(sale_id)
        await asyncio.sleep(max(0.05, until - now()))

    async def _run(self, sale: Any, health: CheckoutHealth | None) -> None:
        sale_id, now = sale["sale_id"], clock.now()
        joined = await self._keep_joined(sale) if sale["queue"] else sale["joined"]
        if sale["state"] == "planned":
            if sale["starts_at"] <= now:
                drawn = joined if sale["queue"] else 0
                await self._db.execute(
                    queries.open, sale_id, drawn, await self._draws.roll(sale_id, drawn), now
                )
            return
        pace = rules.pace(sale["pace"], health) if health else sale["pace"]
        if rules.is_busy(sale) or joined > sale["serving"]:
            await self._turns.settle(sale_id)
            await self._turns.lapse(sale_id, now)
        await self._db.execute(queries.keep, sale_id, pace, now)
        if not sale["queue"]:
            now_is = await self._read(queries.sale, sale_id)
            await self._store.set_left(sale_id, now_is["units"] - now_is["taken"])
        elif sale["state"] == "open" and joined > sale["serving"]:
            await self._release(sale_id, now)

    async def _keep_joined(self, sale: Any) -> int:
        """Write down who joined since the last look; answer how many numbers are kept."""
        sale_id, joined = sale["sale_id"], sale["joined"]
        last = await self._store.last_number(sale_id)
        if last is None or last < joined:
            await self._bring_back(sale_id, joined)
        for _ in range(_PAGES_A_TICK):
            users, numbers = await self._store.joined_after(sale_id, joined, _PAGE)
            if not users:
                break
            await self._db.execute(queries.keep_tickets, sale_id, joined, numbers[-1], numbers, users)
            joined = numbers[-1]
            if len(users) < _PAGE:
                break
        return joined

    async def _bring_back(self, sale_id: str, joined: int) -> None:
        """Restore the line as PostgreSQL has it; nobody joins before the counter is there, which is last."""
        if joined:
            log.warning("the line of a sale is brought back", sale=sale_id, joined=joined)
        await self._store.clear_line(sale_id)
        after = 0
        while page := await self._db.fetch(queries.tickets, sale_id, after, _PAGE):
            waiting = ((row["number"], row["owner_id"]) for row in page if not row["lapsed"])
            await self._store.bring_back(sale_id, waiting)
            after = page[-1]["number"]
        await self._store.restart_line(sale_id, joined)

    async def _release(self, sale_id: str, now: datetime) -> None:
        """Give the next in line their turns: as many as the rate, the ceiling and the units that nobody holds
        allow."""
        loop_time = asyncio.get_running_loop().time()
        since = min(loop_time - self._ticked_at.get(sale_id, loop_time - 1.0), 2.0)
        self._ticked_at[sale_id] = loop_time
        for _ in range(_PAGES_A_TICK):
            sale = await self._read(queries.sale, sale_id)
            allowance = rules.allowance(self._allowance.get(sale_id, 0.0), sale, since)
            self._allowance[sale_id] = allowance
            since = 0.0
            shopping = await self._read(queries.shopping, sale_id)
            places, units = rules.releasable(sale, int(allowance), shopping["issued"] + shopping["claimed"])
            places = min(places, _PAGE)
            if places <= 0:
                return
            serving = sale["serving"] + places
            draw = self._draws.draw(sale)
            turns = [(place, draw.number_of(place)) for place in range(sale["serving"] + 1, serving + 1)]
            until = now + timedelta(seconds=sale["window_s"])
            released = await self._db.fetchval(
                queries.release, sale_id, sale["serving"], serving, *sql.columns(turns), units, now, until
            )
            if released is None:
                return  # another process was here
            self._allowance[sale_id] -= released  # places of nobody cost nothing

    async def _read(self, statement: str, sale_id: str) -> Any:
        return await self._db.fetchrow(statement, sale_id)

    async def _health(self) -> CheckoutHealth:
        try:
            async with asyncio.timeout(2):
                return await self._checkout.health(_LOOK_BACK_S)
        except Exception as error:  # whoever cannot be asked how it does, does not do well
            log.warning("checkout does not say how it does", reason=repr(error)[:200])
            return _UNKNOWN
