"""Real purchases on real engines, broken off where a seed says, recovered, and held to the laws.

A seed is one shop with little stock and a handful of shoppers with good and bad cards, in two processes that
sell the same shelves. Statements, commits and Valkey calls are broken off: the process dies, an answer is
lost, or a worker falls asleep and wakes up when others have taken over. Prices change, the clock moves past
the lease, a third process recovers, the shoppers ask again with their keys, and the laws must hold.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from time import perf_counter
from typing import Any, TypeVar

import asyncpg
import msgspec

from mercat import settings
from mercat.accounts import NewAddress
from mercat.audit import audit
from mercat.catalog import NewProduct
from mercat.checkout import Buy, CheckoutInProgress, Said, service
from mercat.embedded import engines, temporary
from mercat.ids import OfferId, SellerId
from mercat.inventory import Line
from mercat.kit import coalesce
from mercat.kit.clock import clock
from mercat.kit.refusals import Overloaded, Refusal, Unavailable
from mercat.kit.web import Caller
from mercat.main import assemble
from mercat.migrate import migrate
from mercat.settings import Settings
from mercat.simulate.dying import MOMENTS, Crash, Plan, Point, Process, Turns
from mercat.simulate.plants import PLANTS, Plant

T = TypeVar("T")
_SHOPPERS = 8
_CARDS = ("tok_visa", "tok_visa", "tok_visa", "tok_declined", "tok_timeout_charged", "tok_timeout_uncharged")
_LEASE_OVER = timedelta(seconds=20)
_TOO_LATE = timedelta(seconds=80)
_HOME = NewAddress(name="Ann", line1="1 Long Street", city="Springfield", postal_code="62701", country="US")
_ENOUGH_S = 60
_CONSTRAINT = (
    "select pg_get_constraintdef(oid) from pg_constraint where conrelid = $1::text::regclass and conname = $2"
)
NAMES = [
    *("checkout.begin_many", "checkout.standing", "checkout.of_cart", "checkout.take_over", "checkout.by_id"),
    *("checkout.take_over_lapsed", "checkout.decide_many", "checkout.finish_many", "checkout.answers"),
    *("inventory.look", "inventory.answers", "inventory.reserve", "inventory.confirm", "inventory.release"),
    *("payments.record_many", "payments.of_checkouts", "payments.bury", "payments.abandon"),
    *("payments.found_charged", "payments.lock_payment", "payments.refund_known", "payments.given_back"),
    *("payments.begin_refund", "payments.begin_refund.commit", "payments.finish_refund"),
    *(
        "payments.sandbox_charge",
        "payments.sandbox_look",
        "payments.sandbox_cancel",
        "payments.sandbox_refund",
    ),
    *("orders.create_many", "orders.states", "store.show", "store.spend", "catalog.offers"),
]


async def simulate(seed: int, seeds: int, plant: str | None = None) -> dict[str, Any]:
    """Runs seeds one after another on engines of its own; stops at the first that breaks a law."""
    with temporary() as home, engines(home) as connection:
        told = settings.load(connection.environment())
        owner = await asyncpg.connect(**connection.postgres())
        try:
            await migrate(owner, told)
            async with without_constraints(owner, plant):
                return await sweep(told, seed, seeds, plant)
        finally:
            await owner.close()


@asynccontextmanager
async def without_constraints(owner: Any, plant: str | None) -> AsyncGenerator[None]:
    """The simulator's own database, without what would stop this bug by itself; new rows obey it again
    afterwards."""
    dropped = [drop.split() for drop in (PLANTS[plant].drops if plant else ())]
    said = [await owner.fetchval(_CONSTRAINT, table, name) for table, name in dropped]
    for table, name in dropped:
        await owner.execute(f"alter table {table} drop constraint {name}")
    try:
        yield
    finally:
        for (table, name), definition in zip(dropped, said, strict=True):
            await owner.execute(f"alter table {table} add constraint {name} {definition} not valid")


async def sweep(told: Settings, seed: int, seeds: int, plant: str | None = None) -> dict[str, Any]:
    """The same in a database that is there."""
    told = msgspec.structs.replace(told, sandbox_hang_s=0.0)
    met: set[Point] = set()
    bought = refused = ran = 0
    found: dict[str, Any] = {}
    digest = blake2b(digest_size=8)
    since = perf_counter()
    async with AsyncExitStack() as stack, Stage.set(told, stack, PLANTS[plant] if plant else None) as stage:
        for number in range(seed, seed + seeds):
            run = Run(stage, number)
            broken = await run.through()
            met |= run.plan.met
            ran, bought, refused = ran + 1, bought + run.bought, refused + run.refused
            digest.update("\n".join(stage.turns.trace).encode())
            if broken:
                found = {"found_at_seed": number, "broken": broken}
                break
    return {
        "seeds": ran,
        "crash_points": len(met),
        "violations": len(found.get("broken", ())),
        **found,
        "plant": plant,
        "bought": bought,
        "refused": refused,
        "possible_crash_points": len(NAMES) * len(MOMENTS),
        "points": len({point.name for point in met}),
        "possible_points": len(NAMES),
        "seconds": round(perf_counter() - since, 2),
        "run": digest.hexdigest(),
    }


class Stage:
    """Two processes that sell and one that recovers, for all seeds: opening them takes longer than a seed."""

    def __init__(
        self, told: Settings, turns: Turns, processes: list[Process], reader: asyncpg.Connection
    ) -> None:
        self.told = told
        self.turns = turns
        self.one, self.two, self.recovery = processes
        self.processes = processes
        self.reader = reader

    @classmethod
    @asynccontextmanager
    async def set(cls, told: Settings, stack: AsyncExitStack, plant: Plant | None) -> AsyncGenerator["Stage"]:
        turns = Turns()
        turns.free = True
        processes: list[Process] = []
        for name in ("one", "two", "recovery"):
            shop = await assemble(told, stack)
            if not processes:
                await shop.building.lease_worker()
            process = Process(name, shop, turns, plant)
            guest = (await shop.accounts.guest()).user_id  # its first cart teaches a Valkey the scripts
            await shop.cart.spend(guest, (await shop.cart.basket(guest)).cart_id, [])
            processes.append(process)
        reader = await asyncpg.connect(
            **told.database(), user="mercat_audit", password=told.secret("mercat_audit")
        )
        stack.push_async_callback(reader.close)
        # Turns are given here by the seed; who sleeps must not keep others from working.
        turnstiles = vars(coalesce)["_turnstiles"]
        turnstiles[asyncio.get_running_loop()] = coalesce.Turnstile(1_000)
        patiently = service.patiently

        async def at_once(step: Callable[[], Awaitable[T]], seconds: float) -> T:
            for _ in range(4):
                try:
                    return await step()
                except Overloaded:
                    continue
            return await step()

        setattr(service, "patiently", at_once)  # noqa: B010
        try:
            yield cls(told, turns, processes, reader)
        finally:
            setattr(service, "patiently", patiently)  # noqa: B010
            clock.drive(None)


class Run:
    """One seed, from the first purchase to the laws."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.told = stage.told
        self.dice = random.Random(seed)
        self.seed = seed
        self.plan = Plan(self.dice, NAMES)
        self.now = datetime.now(UTC)
        self.bought = self.refused = 0
        self.heard: dict[str, bytes] = {}
        self.wrong: list[str] = []
        self.fences: dict[int, int] = {}
        self.asks: dict[str, tuple[Caller, Buy]] = {}
        self.offers: list[tuple[SellerId, OfferId]] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def through(self) -> list[str]:
        """What was broken: laws, and promises to shoppers."""
        stage, turns = self.stage, self.stage.turns
        turns.dice, turns.trace = self.dice, []
        random.seed(self.seed)  # ids take their bucket from here
        clock.drive(lambda: self.now)
        for process in stage.processes:
            process.begin(self.plan)
            process.seen = [self._watch]
        try:
            async with asyncio.timeout(_ENOUGH_S):
                turns.free = True
                await self._furnish()
                turns.free = False
                await self._play()
        except TimeoutError:
            self.wrong.append("a run comes to an end")
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            turns.free = True
        return self.wrong + await self._laws()

    async def _play(self) -> None:
        stage, dice = self.stage, self.dice
        for key in self.asks:
            self._start(self._buy(stage.one if dice.random() < 0.5 else stage.two, key))
            if dice.random() < 0.3:  # the same key in another tab
                self._start(self._buy(stage.two, key))
        await stage.turns.until_quiet()

        await self._change_prices()
        self.now += dice.choice((_LEASE_OVER, _TOO_LATE))
        stage.one.dead = stage.two.dead = False
        self._start(self._recover())
        for key in self.asks:
            if dice.random() < 0.3:
                self._start(self._buy(stage.two, key))
        if dice.random() < 0.5:  # who slept wakes up while others recover
            self._wake()
        await stage.turns.until_quiet()
        while any(process.asleep for process in stage.processes):
            self._wake()
            await stage.turns.until_quiet()

        self.plan.over = True
        for process in stage.processes:
            process.dead = False
        self.now += _TOO_LATE
        self._start(self._recover())
        await stage.turns.until_quiet()
        for key in self.asks:
            self._start(self._buy(stage.one, key))
        await stage.turns.until_quiet()
        if any(not task.done() for task in self.tasks):
            self.wrong.append("everybody is answered")

    def _start(self, work: Any) -> None:
        self.tasks.append(asyncio.create_task(work))

    def _wake(self) -> None:
        for process in self.stage.processes:
            process.wake.set()
            process.wake = asyncio.Event()

    async def _recover(self) -> None:
        try:
            while await self.stage.recovery.shop.checkout.saga.recover():
                pass
        except (Crash, Unavailable, asyncpg.ConnectionDoesNotExistError):
            return  # the next round sees to what is left

    async def _change_prices(self) -> None:
        turns = self.stage.turns
        turns.free = True
        for seller_id, offer_id in self.offers:
            await self.stage.one.shop.catalog.change_offer(seller_id, offer_id, self.dice.randint(500, 5_000))
        turns.free = False

    async def _furnish(self) -> None:
        """Shoppers with carts and cards, and less stock than they want."""
        shop, dice = self.stage.one.shop, self.dice
        seller_id = await shop.sellers.by_name(f"Seller {self.seed}")
        for n in range(2):
            draft = NewProduct(
                title=f"Thing {n}", category="things", price=1_999, currency=self.told.currency
            )
            offer_id = (await shop.catalog.create(seller_id, "Seller", draft)).offer_id
            stock = dice.randint(2, 7)
            await shop.inventory.receive(f"simulation/{offer_id}", [Line(offer_id, stock)], seller_id)
            self.offers.append((seller_id, offer_id))
        for n in range(_SHOPPERS):
            user_id = (await shop.accounts.guest()).user_id
            for _, offer_id in self.offers[: dice.choice((1, 1, 2))]:  # all want the first
                await shop.cart.add(user_id, offer_id, dice.randint(1, 2))
            address_id = await shop.accounts.add_address(user_id, _HOME)
            method_id = await shop.accounts.add_payment_method(user_id, dice.choice(_CARDS))
            ask = Buy(address_id, method_id, "standard", email="ann@example.com")
            self.asks[f"{self.seed}/{n}"] = (Caller(user_id), ask)

    async def _buy(self, process: Process, key: str) -> None:
        caller, ask = self.asks[key]
        try:
            said = await process.shop.checkout.buy(caller, key, ask)
        except (Crash, CheckoutInProgress, asyncpg.ConnectionDoesNotExistError):
            return  # nobody was told anything; the shopper asks again later
        except Refusal:
            return  # refused before it began, or overloaded: nothing to remember
        if not process.dead:  # a dead process tells nobody anything
            await self._listen(key, caller, said)

    async def _listen(self, key: str, caller: Caller, said: Said) -> None:
        """A final answer is stored before it is heard, and the same for ever."""
        if said.status == 202:
            return
        async with self.stage.turns.turn("shopper hears"):
            stored = await self.stage.reader.fetchval(
                "select a.body from checkout.checkout c join checkout.answer a using (checkout_id)"
                " where c.user_id = $1 and c.key = $2",
                caller.user_id,
                key,
            )
        if stored != said.body:
            self.wrong.append("an answer is given after its commit")
        if key in self.heard and self.heard[key] != said.body:
            self.wrong.append("a final answer never changes")
        if key not in self.heard:
            self.bought += said.status == 201
            self.refused += said.status != 201
        self.heard[key] = said.body

    def _watch(self, name: str, args: tuple[Any, ...], answer: Any) -> None:
        """Who lost the lease of a checkout writes nothing more to it."""
        if name == "checkout.take_over" and answer:
            self.fences[args[0]] = answer["fence"]
        elif name == "checkout.take_over_lapsed":
            self.fences |= {row["checkout_id"]: row["fence"] for row in answer}
        elif name in ("checkout.decide_many", "checkout.finish_many"):
            asked = set(zip(args[0], args[1], strict=True))
            for row in answer:
                if (row[0], self.fences.get(row[0], 1)) not in asked:
                    self.wrong.append("who lost the lease writes nothing")

    async def _laws(self) -> list[str]:
        reader = self.stage.reader
        broken = [finding.law for finding in await audit(reader) if finding.violations]
        if await reader.fetchval("select count(*) from checkout.running"):
            broken.append("nothing is left undecided")
        if await reader.fetchval("select count(*) from inventory.reservation where state = 'held'"):
            broken.append("nothing is left held")
        return broken
