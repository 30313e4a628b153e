"""The one who lets people in. Once a second, for each sale: keeps who joined, opens at the start, takes back
turns that lapsed, hears what checkouts came to, releases the next, and brings back a line that Valkey lost.

One of all processes does this at a time, by an advisory lock that dies with its connection; and each
statement says what it found, so that two could do no harm. Nothing that matters is in this process: killed
at any point, the next one goes on from PostgreSQL.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import asyncpg
import structlog

from mercat.checkout import Checkout
from mercat.flashsale import rules
from mercat.ids import CheckoutId
from mercat.kit import clock, sql
from mercat.kit.valkey import Store

queries = sql.load("mercat.flashsale")
log = structlog.get_logger("mercat.flashsale")
_LOCK = 7_264_003
_TICK_S = 0.5
SOON_S = 0.2
"""How often it is asked what checkouts came to once every unit is promised: sold out is told within 2 s."""
_IDLE_S = 1.0
_PAGE = 5_000
_PAGES_A_TICK = 40
_GRACE = timedelta(seconds=2)
"""A pass shown in its last moment is settled before it lapses."""
_NEVER_BEGUN = timedelta(seconds=30)
"""A turn claimed for so long by a checkout that nobody knows: its process died in between, or sleeps. Not
sooner: it may yet begin (10 s in its coalescer, 15 s of a statement). Afterwards it never may, for it would
buy what the next was promised."""
_LOOK_BACK_S = 5.0
OUT = """
for n = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[n]) == ARGV[n + 1] then redis.call('ZREM', KEYS[1], ARGV[n]) end
end
"""


def queue_key(sale_id: str) -> str:
    return f"flash_queue:{sale_id}"


def numbers_key(sale_id: str) -> str:
    return f"flash_numbers:{sale_id}"


def gate_key(sale_id: str) -> str:
    return f"flash_gate:{sale_id}"


class Ended(NamedTuple):
    """What the claim of a place by a checkout came to; `died`: it never began."""

    place: int
    checkout_id: int
    bought: bool
    died: bool = False


class Releaser:
    def __init__(self, db: asyncpg.Pool, store: Store, checkout: Checkout) -> None:
        self._db = db
        self._store = store
        self._checkout = checkout
        self._allowance: dict[str, float] = {}
        self._draws: dict[str, rules.Draw] = {}
        self._ticked_at: dict[str, float] = {}
        self._last_units: list[str] = []

    async def keep_releasing(self) -> None:
        """For as long as this process holds the lock; ends where another has it."""
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

    async def _rest(self, until: float) -> None:
        """Until the next round; meanwhile the last units of a sale are counted as they are sold."""
        now = asyncio.get_running_loop().time
        while self._last_units and until - now() > SOON_S:
            await asyncio.sleep(SOON_S)
            for sale_id in self._last_units:
                await self.settle(sale_id)
        await asyncio.sleep(max(0.05, until - now()))

    async def tick(self) -> bool:
        """One round over all sales; a sale that cannot be served delays no other. Answers whether anybody
        waits or shops."""
        sales = [sale for sale in await self._db.fetch(queries.standing) if sale["state"] != "ended"]
        busy = any(_busy(sale) for sale in sales)
        self._last_units = [sale["sale_id"] for sale in sales if all_promised(sale)]
        health = await self._health() if busy else None
        for sale in sales:
            try:
                await self._serve(sale, health)
            except Exception as error:
                log.warning(
                    "a sale could not be served; again soon", sale=sale["sale_id"], reason=repr(error)[:300]
                )
        return busy

    async def _serve(self, sale: Any, health: rules.Health | None) -> None:
        sale_id, now = sale["sale_id"], clock.now()
        if sale["queue"]:
            joined = await self._keep_joined(sale)
        else:
            joined = sale["joined"]
        if sale["state"] == "planned":
            if sale["starts_at"] <= now:
                await self._open(sale_id, joined if sale["queue"] else 0, now)
            return
        pace = rules.pace(sale["pace"], health) if health else sale["pace"]
        if _busy(sale) or joined > sale["serving"]:
            await self._mind_turns(sale_id, now)
        await self._db.execute(queries.keep, sale_id, pace, now)
        if not sale["queue"]:
            now_is = await self._read(queries.sale, sale_id)
            await self._store.do("SET", gate_key(sale_id), now_is["units"] - now_is["taken"])
        elif sale["state"] == "open" and joined > sale["serving"]:
            await self._release(sale_id, now)

    async def _mind_turns(self, sale_id: str, now: datetime) -> None:
        """What checkouts came to, and whose time is over."""
        await self.settle(sale_id)
        gone = await self._db.fetch(queries.lapse, sale_id, now, _GRACE)
        await self._out_of_line(sale_id, gone)

    # -- the line

    async def _keep_joined(self, sale: Any) -> int:
        """Writes down who joined since the last look; answers how many numbers are kept."""
        sale_id, joined = sale["sale_id"], sale["joined"]
        counter = await self._store.do("GET", numbers_key(sale_id))
        if counter is None or int(counter) < joined:
            await self._bring_back(sale_id, joined)
        for _ in range(_PAGES_A_TICK):
            found = await self._store.do(
                "ZRANGEBYSCORE", queue_key(sale_id), f"({joined}", "+inf", "WITHSCORES", "LIMIT", 0, _PAGE
            )
            if not found:
                break
            users, numbers = _pairs(found)
            await self._db.execute(queries.keep_tickets, sale_id, joined, numbers[-1], numbers, users)
            joined = numbers[-1]
            if len(users) < _PAGE:
                break
        return joined

    async def _bring_back(self, sale_id: str, joined: int) -> None:
        """The line as PostgreSQL has it. Nobody joins before the counter is there, which comes last."""
        if joined:
            log.warning("the line of a sale is brought back", sale=sale_id, joined=joined)
        await self._store.do("DEL", numbers_key(sale_id), queue_key(sale_id))
        after = 0
        while page := await self._db.fetch(queries.tickets, sale_id, after, _PAGE):
            scores = [part for row in page if not row["lapsed"] for part in (row["number"], row["owner_id"])]
            if scores:
                await self._store.do("ZADD", queue_key(sale_id), *scores)
            after = page[-1]["number"]
        await self._store.do("SET", numbers_key(sale_id), joined)

    async def _out_of_line(self, sale_id: str, lapsed: Sequence[Any]) -> None:
        """Whose turn lapsed may join again, at the end; who has done so already stays."""
        for at in range(0, len(lapsed), _PAGE // 5):
            pairs = [part for row in lapsed[at : at + _PAGE // 5] for part in (row["user_id"], row["number"])]
            await self._store.run(OUT, [queue_key(sale_id)], pairs)

    # -- the start

    async def _open(self, sale_id: str, joined: int, now: datetime) -> None:
        await self._db.execute(queries.open, sale_id, joined, await self.roll(sale_id, joined), now)

    async def roll(self, sale_id: str, joined: int) -> bytes:
        """The hash of the list of those who joined before the start."""
        hashed = sha256()
        after = 0
        while page := await self._db.fetch(queries.tickets, sale_id, after, _PAGE):
            for row in page:
                if row["number"] > joined:
                    return hashed.digest()
                hashed.update(b"%d:%d\n" % (row["number"], row["user_id"]))
            after = page[-1]["number"]
        return hashed.digest()

    # -- turns

    async def settle(self, sale_id: str, place: int | None = None) -> int:
        """What became of the checkouts that turns (or this one) were claimed for; answers how many ended."""
        now = clock.now()
        claimed = await self._db.fetch(queries.claimed, sale_id, place)
        if not claimed:
            return 0
        asked = {CheckoutId(row["checkout_id"]): row for row in claimed}
        came_to = await self._checkout.outcomes(list(asked))
        late = [c for c, row in asked.items() if c not in came_to and now - row["claimed_at"] > _NEVER_BEGUN]
        if late:
            await self._checkout.never_begin(late)
            came_to |= await self._checkout.outcomes(late)
        ended = [
            Ended(row["place"], row["checkout_id"], bought=outcome == "bought", died=outcome == "never")
            for checkout_id, row in asked.items()
            if (outcome := came_to.get(checkout_id)) in ("bought", "refused", "never")
        ]
        await self.end(sale_id, ended)
        return len(ended)

    async def end(self, sale_id: str, ended: list[Ended]) -> None:
        if ended:
            settled = await self._db.fetch(queries.settle, sale_id, *sql.columns(ended), clock.now())
            await self._out_of_line(sale_id, [row for row in settled if row["state"] == "lapsed"])

    async def _release(self, sale_id: str, now: datetime) -> None:
        """The next in line, as many as the rate, the ceiling and the units that nobody holds allow."""
        loop_time = asyncio.get_running_loop().time()
        since = min(loop_time - self._ticked_at.get(sale_id, loop_time - 1.0), 2.0)
        self._ticked_at[sale_id] = loop_time
        for _ in range(_PAGES_A_TICK):
            sale = await self._read(queries.sale, sale_id)
            a_second = sale["rate"] * sale["pace"]
            before = self._allowance.get(sale_id, 0.0)
            allowance = self._allowance[sale_id] = min(before + a_second * since, max(1.0, 2 * a_second))
            since = 0.0
            shopping = await self._read(queries.shopping, sale_id)
            free = sale["units"] - sale["taken"]
            units = min(sale["per_person"], free)
            places = min(
                int(allowance),
                sale["ceiling"] - shopping["issued"] - shopping["claimed"],
                free // units if units else 0,
                sale["joined"] - sale["serving"],
                _PAGE,
            )
            if places <= 0:
                return
            serving = sale["serving"] + places
            draw = self.draw(sale)
            turns = [(place, draw.number_of(place)) for place in range(sale["serving"] + 1, serving + 1)]
            until = now + timedelta(seconds=sale["window_s"])
            released = await self._db.fetchval(
                queries.release, sale_id, sale["serving"], serving, *sql.columns(turns), units, now, until
            )
            if released is None:
                return  # somebody else was here
            self._allowance[sale_id] -= released  # places of nobody cost nothing

    async def _read(self, statement: str, sale_id: str) -> Any:
        return await self._db.fetchrow(statement, sale_id)

    def draw(self, sale: Any) -> rules.Draw:
        """Who has which place, once it is drawn; made once a sale, for it stays."""
        if sale["sale_id"] not in self._draws:
            self._draws[sale["sale_id"]] = rules.Draw(sale["seed"], sale["roll"], sale["drawn"])
        return self._draws[sale["sale_id"]]

    async def _health(self) -> rules.Health | None:
        try:
            async with asyncio.timeout(2):
                said = await self._checkout.health(_LOOK_BACK_S)
                return rules.Health(said.answers, said.failed, said.p99_s, said.overdue)
        except Exception as error:  # whoever cannot be asked how it does, does not do well
            log.warning("checkout does not say how it does", reason=repr(error)[:200])
            return rules.Health(1, 1_000, 0, 0)


def _busy(sale: Any) -> bool:
    """Somebody waits, or has a turn that is not settled."""
    return sale["taken"] > sale["sold"] or sale["joined"] > sale["serving"]


def all_promised(sale: Any) -> bool:
    """Each unit is somebody's, or held for somebody; not all are sold."""
    return sale["state"] != "ended" and sale["sold"] < sale["units"] <= sale["taken"]


def _pairs(found: list[Any]) -> tuple[list[int], list[int]]:
    return [int(user) for user in found[::2]], [int(float(score)) for score in found[1::2]]
