"""The crash simulator: real purchases on real engines, broken off at statements that a seed chooses.

A seed is one shop with little stock and a handful of shoppers with good and bad cards. At some statement of
checkout, inventory, payments or orders the process dies: before the statement, or after it and before anybody
heard its answer. Then the clock moves past the lease, another process recovers, the shoppers ask again with
their keys, and the laws must hold. The seed decides who buys what with which card and where it dies.
"""

import asyncio
import random
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from mercat import settings
from mercat.accounts import NewAddress
from mercat.audit import audit
from mercat.catalog import NewProduct
from mercat.checkout import Buy, CheckoutInProgress, Said
from mercat.embedded import Connection, engines, temporary
from mercat.ids import OfferId
from mercat.inventory import Line
from mercat.kit import sql
from mercat.kit.clock import clock
from mercat.kit.refusals import Refusal
from mercat.kit.web import Caller
from mercat.main import Shop, assemble
from mercat.migrate import migrate
from mercat.settings import Settings

_SHOPPERS = 6
_CARDS = ("tok_visa", "tok_visa", "tok_visa", "tok_declined", "tok_timeout_charged", "tok_timeout_uncharged")
_BROKEN = ("checkout", "inventory", "payments", "orders")
_LEASE_OVER = timedelta(seconds=20)
_HOME = NewAddress(name="Ann", line1="1 Long Street", city="Springfield", postal_code="62701", country="US")
_READS = (
    "stock",
    "owned",
    "trial_balance",
    "of_order",
    "list_of",
    "count_of",
    "newest",
    "order",
    "prune",
    "parked",
    *("attempts", "attempt_many", "attempts_left", "close_attempt", "refer_many"),
    *("hear", "heard", "unheard", "forget_notices", "waiting_too_long", "unpark", "undoing_unpark"),
    *("ours", "ours_captured", "open_case", "cases", "resolve", "sandbox_listed", "undoing_park", "park"),
)


class Crash(Exception):
    """The process died here."""


class Plan:
    """Where a process dies: at the how manieth statement of a name, before or after. `met`: where it did."""

    def __init__(self, dice: random.Random, names: list[str]) -> None:
        chosen = dice.sample(names, k=dice.randint(2, 6))
        self._at = {name: (dice.choice(("before", "after")), dice.randint(1, 2)) for name in chosen}
        self._seen: dict[str, int] = {}
        self.met: set[tuple[str, str]] = set()

    def moment(self, name: str) -> str | None:
        if name not in self._at:
            return None
        moment, which = self._at[name]
        self._seen[name] = self._seen.get(name, 0) + 1
        if self._seen[name] != which:
            return None
        self.met.add((name, moment))
        return moment


class Mortal:
    """A pool whose statements may be the last thing that a process does."""

    def __init__(self, pool: asyncpg.Pool, plan: Plan) -> None:
        self._pool = pool
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        work = getattr(self._pool, name)
        if name not in ("fetch", "fetchrow", "fetchval", "execute"):
            return work

        async def perhaps_the_last(statement: str, *args: Any) -> Any:
            moment = self._plan.moment(statement[3:].split(" ", 1)[0])
            if moment == "before":
                raise Crash
            answer = await work(statement, *args)
            if moment == "after":
                raise Crash
            return answer

        return perhaps_the_last


def statements() -> list[str]:
    """Every statement of buying, by its name: each is a place to die before and after."""
    return [
        f"mercat.{service}.{name}"
        for service in _BROKEN
        for name in vars(sql.load(f"mercat.{service}"))
        if name not in _READS
    ]


def make_mortal(shop: Shop, plan: Plan) -> None:
    parts: list[Any] = [shop.checkout, shop.checkout.saga, shop.inventory, shop.payments, shop.orders]
    parts.append(vars(shop.payments)["_provider"])
    for part in parts:
        setattr(part, "_db", Mortal(vars(part)["_db"], plan))  # noqa: B010


async def simulate(seed: int, seeds: int) -> dict[str, Any]:
    """Runs seeds one after another; stops at the first that breaks a law, and names it."""
    met: set[tuple[str, str]] = set()
    bought = refused = 0
    with temporary() as home, engines(home) as connection:
        told = await _prepared(connection)
        for number in range(seed, seed + seeds):
            run = Run(told, number)
            broken = await run.through()
            met |= run.plan.met
            bought, refused = bought + run.bought, refused + run.refused
            if broken:
                return {
                    "seeds": number - seed + 1,
                    "crash_points": len(met),
                    "violations": len(broken),
                    "seed": number,
                    "broken": broken,
                }
    return {
        "seeds": seeds,
        "crash_points": len(met),
        "violations": 0,
        "bought": bought,
        "refused": refused,
        "possible_crash_points": 2 * len(statements()),
    }


async def _prepared(connection: Connection) -> Settings:
    told = msgspec.structs.replace(settings.load(connection.environment()), sandbox_hang_s=0.0)
    owner = await asyncpg.connect(**connection.postgres())
    await migrate(owner, told)
    await owner.close()
    return told


class Run:
    """One seed, from the first purchase to the laws."""

    def __init__(self, told: Settings, seed: int) -> None:
        self.told = told
        self.dice = random.Random(seed)
        self.seed = seed
        self.plan = Plan(self.dice, statements())
        self.bought = self.refused = 0
        self.heard: dict[str, bytes] = {}
        self.wrong: list[str] = []

    async def through(self) -> list[str]:
        """What was broken: laws, and promises to shoppers."""
        try:
            async with AsyncExitStack() as stack:
                shop = await assemble(self.told, stack)
                await shop.building.lease_worker()
                asks = await self._asks(shop)
                make_mortal(shop, self.plan)
                await asyncio.gather(*(self._buy(shop, key, *ask) for key, ask in asks.items()))
            clock.drive(lambda: datetime.now(UTC) + _LEASE_OVER)
            async with AsyncExitStack() as stack:
                shop = await assemble(self.told, stack)
                await shop.building.lease_worker()
                while await shop.checkout.saga.recover():
                    pass
                for key, ask in asks.items():
                    await self._buy(shop, key, *ask)
            return self.wrong + await self._laws()
        finally:
            clock.drive(None)

    async def _asks(self, shop: Shop) -> dict[str, tuple[Caller, Buy]]:
        """Shoppers with carts and cards, and less stock than they want."""
        seller_id = await shop.sellers.by_name(f"Seller {self.seed}")
        offers: list[OfferId] = []
        for n in range(2):
            draft = NewProduct(
                title=f"Thing {n}", category="things", price=1_999, currency=self.told.currency
            )
            offer_id = (await shop.catalog.create(seller_id, "Seller", draft)).offer_id
            stock = self.dice.randint(2, 6)
            await shop.inventory.receive(f"simulation/{self.seed}/{n}", [Line(offer_id, stock)], seller_id)
            offers.append(offer_id)
        asks: dict[str, tuple[Caller, Buy]] = {}
        for n in range(_SHOPPERS):
            user_id = (await shop.accounts.guest()).user_id
            for offer_id in self.dice.sample(offers, k=self.dice.randint(1, 2)):
                await shop.cart.add(user_id, offer_id, self.dice.randint(1, 2))
            address_id = await shop.accounts.add_address(user_id, _HOME)
            method_id = await shop.accounts.add_payment_method(user_id, self.dice.choice(_CARDS))
            ask = Buy(address_id, method_id, "standard", email="ann@example.com")
            asks[f"{self.seed}/{n}"] = (Caller(user_id), ask)
        return asks

    async def _buy(self, shop: Shop, key: str, caller: Caller, ask: Buy) -> None:
        try:
            said = await shop.checkout.buy(caller, key, ask)
        except (Crash, CheckoutInProgress):
            return  # nobody was told anything; the shopper asks again later
        except Refusal:
            return  # refused before it began, or overloaded: nothing to remember
        self._listen(key, said)

    def _listen(self, key: str, said: Said) -> None:
        """A final answer must be the same for ever."""
        if said.status == 202:
            return
        if key in self.heard and self.heard[key] != said.body:
            self.wrong.append(f"the answer to {key} changed")
        if key not in self.heard:
            self.bought, self.refused = (
                self.bought + (said.status == 201),
                self.refused + (said.status != 201),
            )
        self.heard[key] = said.body

    async def _laws(self) -> list[str]:
        reader = await asyncpg.connect(
            **self.told.database(), user="mercat_audit", password=self.told.secret("mercat_audit")
        )
        try:
            broken = [finding.law for finding in await audit(reader) if finding.violations]
            if await reader.fetchval("select count(*) from checkout.running"):
                broken.append("nothing is left undecided")
            if await reader.fetchval("select count(*) from inventory.reservation where state = 'held'"):
                broken.append("nothing is left held")
            return broken
        finally:
            await reader.close()
