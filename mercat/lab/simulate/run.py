"""Real purchases on real engines, broken off where a seed says, recovered, and held to the laws.

A seed is one shop with little stock and a handful of shoppers with good and bad cards, in two processes that
sell the same shelves. Statements, commits and Valkey calls are broken off: the process dies, an answer is
lost, or a worker falls asleep and wakes up when others have taken over. Banks ask their customers and send
notices about it, prices change, the clock moves past the lease, a third process recovers, the shoppers ask
again with their keys; then orders are cancelled, sent and returned in the same way, and the laws must hold.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from time import perf_counter
from typing import Any, TypeVar

import asyncpg
import msgspec

from mercat import settings
from mercat.accounts import NewAddress
from mercat.app import build_shop
from mercat.audit import audit
from mercat.catalog import NewProduct
from mercat.checkout import Buy, CheckoutAnswer, Confirmed, Pending, Return, Ship, purchases
from mercat.embedded import engines, temporary
from mercat.flashsale import ADMIT, REMOVE, Act, NewSale, gate_key
from mercat.ids import CheckoutId, OfferId, OrderId, SellerId, UserId, parse
from mercat.inventory import Line
from mercat.kit import batching
from mercat.kit.batching import AWAY
from mercat.kit.clock import clock
from mercat.kit.refusals import Overloaded, Refusal, Unavailable
from mercat.kit.rpc import Caller
from mercat.lab.simulate.faults import MOMENTS, Crash, Plan, Point, Process, Turns
from mercat.lab.simulate.followers import Back
from mercat.lab.simulate.mutations import PLANTS, Plant
from mercat.migrations import migrate
from mercat.orders import LineQuantity, Order
from mercat.payments import ChallengeOutcome, Webhook
from mercat.settings import Secret, Settings

T = TypeVar("T")
_SHOPPERS = 8
_CARDS = (
    *("tok_visa", "tok_visa", "tok_visa", "tok_3ds", "tok_3ds"),
    *("tok_declined", "tok_timeout_charged", "tok_timeout_uncharged"),
)
_FLASH = 0.5
"""Of the shoppers so many want what is on sale."""
_LEASE_OVER = timedelta(seconds=20)
_TOO_LATE = timedelta(seconds=80)
_WALKED_AWAY = timedelta(seconds=1_000)
_HOME = NewAddress(name="Ann", line1="1 Long Street", city="Springfield", postal_code="62701", country="US")
_ENOUGH_S = 60
_CONSTRAINT = (
    "select pg_get_constraintdef(oid) from pg_constraint where conrelid = $1::text::regclass and conname = $2"
)


_KEPT = {
    "cancelled": "select status = 'cancelled' from orders.orders where order_id = $1",
    "shipped": "select bool_and(shipped = quantity) from orders.line where order_id = $1",
    "returned": "select bool_and(returned > 0) from orders.line where order_id = $1",
}
_BACK = """
select count(*) from orders.orders o
where o.order_id = any($1::bigint[]) and o.status <> 'refused' and (
    (select coalesce(sum(u), 0) from inventory.movement m, unnest(m.quantities) u
    where m.kind = 'returned' and (
        m.reference = 'cancel/' || o.order_id or m.reference in (
            select h.reference from orders.history h where h.order_id = o.order_id and h.what = 'returned')))
    <> (select sum(case when o.status = 'cancelled' then l.quantity else l.returned end)
        from orders.line l where l.order_id = o.order_id)
    or (select p.refunded from payments.payment p where p.order_id = o.order_id and p.status = 'captured')
    <> case when o.status = 'cancelled' then o.total else (
        select coalesce(sum(l.unit_price * l.returned), 0) + coalesce((
            select sum((h.detail->>'tax')::bigint - (h.detail->>'discount')::bigint) from orders.history h
            where h.order_id = o.order_id and h.what = 'returned'), 0)
        from orders.line l where l.order_id = o.order_id) end)
"""


_OVERSOLD = """
select count(*) from inventory.stock where offer_id = any($1::bigint[]) and reserved not between 0 and on_hand
"""
_TOLD = """
with told as (
    select id, kind, body::json->>'order_id' as order_id from events.log
    where id > $2 and kind in ('OrderPlaced', 'OrderCancelled')
)
select count(*) from orders.orders o where o.order_id = any($1::bigint[]) and o.status <> 'refused'
    and coalesce((select array_agg(kind order by id) from told where told.order_id = o.order_id::text), '{}')
    <> case when o.status = 'cancelled' then '{OrderPlaced,OrderCancelled}' else '{OrderPlaced}' end::text[]
"""
_SALE = """
select count(*) from flashsale.sale s
where s.sale_id = $1 and (s.taken <> s.sold or s.sold <> (
    select coalesce(sum(l.quantity), 0) from orders.line l join orders.orders o using (bucket, order_id)
    where l.offer_id = s.offer_id and o.status <> 'refused'))
"""
_FOLLOWED = """
select (select count(*) from events.parked)
    + (select count(*) from events.position p, events.relayed r where p.at <> r.last_id)
    + (select count(*) from orders.orders o
    where o.order_id = any($1::bigint[]) and o.status <> 'refused' and (
        (select count(*) from notifications.mail m
        where m.subject_id = o.order_id and m.kind = 'order_confirmed') <> 1
        or (select array_agg(s.status) from fulfilment.seller_order s where s.order_id = o.order_id)
        is distinct from array[case o.status when 'confirmed' then 'to_ship' else o.status end]))
"""


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
    told = msgspec.structs.replace(told, variables={"sandbox_hang_s": Secret("0")})
    met: set[Point] = set()
    passed: set[str] = set()
    bought = refused = ran = 0
    promised: Counter[str] = Counter()
    found: dict[str, Any] = {}
    digest = blake2b(digest_size=8)
    since = perf_counter()
    async with AsyncExitStack() as stack, Stage.set(told, stack, PLANTS[plant] if plant else None) as stage:
        for number in range(seed, seed + seeds):
            run = Run(stage, number)
            broken = await run.through()
            met |= run.plan.met
            passed |= run.plan.passed
            promised.update(what for _, what in run.promised)
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
        **{what: promised[what] for what in _KEPT},
        "possible_crash_points": len(passed) * len(MOMENTS),
        "points": len({point.name for point in met}),
        "possible_points": len(passed),
        "seconds": round(perf_counter() - since, 2),
        "run": digest.hexdigest(),
    }


class Stage:
    """Two processes that sell and one that recovers, for all seeds: opening them takes longer than a seed."""

    def __init__(
        self,
        told: Settings,
        turns: Turns,
        processes: list[Process],
        backs: list[Back],
        reader: asyncpg.Connection,
    ) -> None:
        self.told = told
        self.backs = backs
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
            shop = await build_shop(told, stack)
            if not processes:
                await shop.host.lease_worker()
            process = Process(name, shop, turns, plant)
            guest = (await shop.accounts.guest()).user_id  # its first cart teaches a Valkey the scripts
            await shop.cart.spend(guest, (await shop.cart.basket(guest)).cart_id, [])
            await shop.host.store.run(ADMIT, [gate_key("nobody")], [1])
            await shop.host.store.run(REMOVE, [gate_key("nobody")], [])
            processes.append(process)
        backs = [await Back.of(process) for process in reversed(processes[1:])]
        reader = await asyncpg.connect(
            **told.database(), user="mercat_audit", password=told.secret("mercat_audit")
        )
        stack.push_async_callback(reader.close)
        # Turns are given here by the seed; who sleeps must not keep others from working.
        turnstiles = vars(batching)["_turnstiles"]
        turnstiles[asyncio.get_running_loop()] = batching.Turnstile(1_000)
        patiently = purchases.patiently

        async def at_once(step: Callable[[], Awaitable[T]], seconds: float) -> T:
            for _ in range(4):
                try:
                    return await step()
                except Overloaded:
                    continue
            return await step()

        setattr(purchases, "patiently", at_once)  # noqa: B010
        try:
            yield cls(told, turns, processes, backs, reader)
        finally:
            setattr(purchases, "patiently", patiently)  # noqa: B010
            clock.drive(None)


class Run:
    """One seed, from the first purchase to the laws."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.told = stage.told
        self.dice = random.Random(seed)
        self.seed = seed
        self.plan = Plan(seed)
        self.now = datetime.now(UTC)
        self.bought = self.refused = 0
        self.heard: dict[str, bytes] = {}
        self.wrong: list[str] = []
        self.fences: dict[int, int] = {}
        self.asks: dict[str, tuple[Caller, Buy]] = {}
        self.offers: list[tuple[SellerId, OfferId]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.tickets: dict[str, tuple[str, CheckoutId]] = {}
        """Of those whose bank asks them first."""
        self.names: dict[OrderId, str] = {}
        self.sale = ""
        """The flash sale, without a waiting room: whoever is first at the till."""
        self.told_before = 0
        self.promised: list[tuple[OrderId, str]] = []
        """What shoppers and sellers were told of an order."""

    async def through(self) -> list[str]:
        """What was broken: laws, and promises to shoppers."""
        stage, turns = self.stage, self.stage.turns
        turns.dice, turns.trace = self.dice, []
        random.seed(self.seed)  # ids take their bucket from here
        clock.drive(lambda: self.now)
        for process in stage.processes:
            process.begin(self.plan)
            process.seen = [self._watch]
            process.sorts = self._sorts
        try:
            async with asyncio.timeout(_ENOUGH_S):
                turns.free = True
                self.told_before = await stage.reader.fetchval("select last_id from events.relayed")
                await self._furnish()
                turns.free = False
                await self._play()
                turns.free = True
                await self._end_the_sale()
        except TimeoutError:
            self.wrong.append("a run comes to an end")
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            turns.free = True
        return self.wrong + await self._laws()

    async def _play(self) -> None:
        for part in (self._buying, self._taking_over, self._afterwards):
            await part()
            await self._look_at_the_shelves()
        await self._all_is_well_again()

    async def _look_at_the_shelves(self) -> None:
        """Goods that come back would hide that too many were sold."""
        offers = [offer_id for _, offer_id in self.offers]
        if await self.stage.reader.fetchval(_OVERSOLD, offers):
            self.wrong.append("stock is never oversold")

    async def _buying(self) -> None:
        """Everybody buys; then banks ask, and tell what they were answered: early, twice, in any order."""
        dice = self.dice
        for key in self.asks:
            self._start(self._buy(self._either(), key))
            if dice.random() < 0.3:  # the same key in another tab
                self._start(self._buy(self.stage.two, key))
        await self.stage.turns.until_quiet()
        if dice.random() < 0.4:  # who slept for a moment only still has the lease
            self._wake()
            await self.stage.turns.until_quiet()
        for key in sorted(self.tickets):
            for n in range(dice.choice((0, 0, 1, 2))):
                self._start(self._tell(self._either(), key, f"{key}/{n}"))
            if dice.random() < 0.7:  # the others walk away
                outcome = "approve" if dice.random() < 0.8 else "fail"
                self._start(self._answer_bank(self._either(), key, ChallengeOutcome(outcome)))
        await self.stage.turns.until_quiet()

    async def _taking_over(self) -> None:
        """Time passes, and a third process takes over what is left; shoppers ask again; late notices come."""
        stage, dice = self.stage, self.dice
        await self._change_prices()
        self.now += dice.choice((_LEASE_OVER, _TOO_LATE))
        stage.one.dead = stage.two.dead = False
        self._start(self._recover())
        self._spread_the_word()
        for key in self.asks:
            if dice.random() < 0.3:
                self._start(self._buy(stage.two, key))
        for key in sorted(self.tickets):
            if dice.random() < 0.3:  # the first one again, or one that is late
                self._start(self._tell(stage.two, key, f"{key}/0"))
        await self._quiet()

    async def _quiet(self) -> None:
        """Until nobody has anything to do; who slept wakes up while others work, or afterwards."""
        stage = self.stage
        if self.dice.random() < 0.5:
            self._wake()
        await stage.turns.until_quiet()
        while any(process.asleep for process in stage.processes):
            self._wake()
            await stage.turns.until_quiet()

    async def _afterwards(self) -> None:
        """Some orders are cancelled, some sent, some both at once; of those sent, some come back."""
        stage, dice = self.stage, self.dice
        stage.one.dead = stage.two.dead = stage.recovery.dead = False
        orders = await self._orders()
        for order in orders:
            for _ in range(dice.choice((0, 0, 1, 2))):
                self._start(self._cancel(self._either(), order))
            if dice.random() < 0.5:
                self._start(self._send(self._either(), order))
        self._spread_the_word()
        await self._quiet()
        for order in await self._orders():
            if any(line.shipped for line in order.lines):
                for _ in range(dice.choice((1, 1, 2))):
                    self._start(self._return(self._either(), order))
        await self._quiet()
        self.now += _LEASE_OVER
        stage.one.dead = stage.two.dead = False
        self._start(self._recover())
        await self._quiet()

    async def _all_is_well_again(self) -> None:
        """Nothing breaks off any more, who walked away has been away long enough, and all ask once more."""
        stage = self.stage
        self.plan.over = True
        for process in stage.processes:
            process.dead = False
        for passed in (_LEASE_OVER, _TOO_LATE):
            self.now += passed
            self._start(self._recover())
            await self._quiet()
        for _ in range(2):  # what becomes free when somebody has walked away may be had now
            for key in self.asks:
                self._start(self._buy(stage.one, key))
            await stage.turns.until_quiet()
            self.now += _WALKED_AWAY
            self._start(self._recover())
            await self._quiet()
        for back in stage.backs[:1]:
            self._start(back.relays())
            await stage.turns.until_quiet()
            self._start(back.follows())
            await stage.turns.until_quiet()
        if any(not task.done() for task in self.tasks):
            self.wrong.append("everybody is answered")
        self.wrong += [
            f"nobody meets a bug ({type(error).__name__})"
            for task in self.tasks
            if task.done() and (error := task.exception())
        ]

    def _spread_the_word(self) -> None:
        """One relay, and followers in two processes, one of which may not know yet that it was replaced."""
        for back in self.stage.backs:
            self._start(back.follows())
        self._start(self.stage.backs[0].relays())

    def _either(self) -> Process:
        return self.stage.one if self.dice.random() < 0.5 else self.stage.two

    def _start(self, work: Any) -> None:
        self.tasks.append(asyncio.create_task(work))

    def _wake(self) -> None:
        for process in self.stage.processes:
            process.wake.set()
            process.wake = asyncio.Event()

    async def _recover(self) -> None:
        checkout = self.stage.recovery.shop.checkout
        webhooks = checkout.webhooks.retry_waiting
        for work in (checkout.recovery.recover, webhooks, checkout.aftercare.recover):
            try:
                while await work():
                    if work == webhooks:
                        break  # one whose checkout is busy waits for the next round
            except (Crash, Unavailable, *AWAY):
                continue  # the next round sees to what is left
        with suppress(Crash, Unavailable, *AWAY):
            await self.stage.recovery.shop.flashsale.settle(self.sale)

    async def _tell(self, process: Process, key: str, event_id: str) -> None:
        """The bank's notice of a purchase that it asked its customer about."""
        checkout_id = self.tickets[key][1]
        provider = vars(process.shop.payments)["_provider"]
        body, signature = provider.webhook(checkout_id, f"{event_id}/{checkout_id}")
        await self._do(process, process.shop.checkout.receive_webhook(Webhook("sandbox", body, signature)))

    async def _answer_bank(self, process: Process, key: str, outcome: ChallengeOutcome) -> None:
        said = await self._do(process, process.shop.checkout.challenge(self.tickets[key][0], outcome))
        if said:
            await self._listen(key, self.asks[key][0], said)

    async def _cancel(self, process: Process, order: Order) -> None:
        caller = self.asks[self.names[order.order_id]][0]
        if await self._do(process, process.shop.checkout.cancel(caller, order.order_id)):
            self.promised.append((order.order_id, "cancelled"))

    async def _send(self, process: Process, order: Order) -> None:
        seller = Caller(UserId(1), frozenset({"seller"}), self.offers[0][0])
        lines = [LineQuantity(line.order_line_id, line.quantity) for line in order.lines]
        ask = Ship(order.order_id, lines, "Post", "T-1")
        if await self._do(process, process.shop.checkout.ship(seller, ask)):
            self.promised.append((order.order_id, "shipped"))

    async def _return(self, process: Process, order: Order) -> None:
        """One thing of each line comes back."""
        caller = self.asks[self.names[order.order_id]][0]
        goods = Return([LineQuantity(line.order_line_id, 1) for line in order.lines])
        if await self._do(process, process.shop.checkout.return_(caller, order.order_id, goods)):
            self.promised.append((order.order_id, "returned"))

    async def _do(self, process: Process, work: Coroutine[Any, Any, T]) -> T | None:
        """What was answered; None where nobody was told that it is done."""
        try:
            said = await work
        except (Crash, Refusal, *AWAY):
            return None  # whoever asked asks again, or recovery carries it on
        return None if process.dead else said

    async def _orders(self) -> list[Order]:
        """This seed's orders, in the order of its shoppers."""
        turns = self.stage.turns
        turns.free = True
        found: list[Order] = []
        for key, (caller, _) in self.asks.items():
            book = self.stage.one.shop.orders
            for summary in (await book.list_of([caller.user_id])).orders:
                found.append(await book.order(summary.order_id, [caller.user_id]))
                self.names[summary.order_id] = key
        turns.free = False
        return found

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
            stock = dice.choice((dice.randint(1, 5), dice.randint(5, 12)))
            await shop.inventory.receive(f"simulation/{offer_id}", [Line(offer_id, stock)], seller_id)
            self.offers.append((seller_id, offer_id))
        flash = await self._open_a_sale(seller_id)
        for n in range(_SHOPPERS):
            user_id = (await shop.accounts.guest()).user_id
            # Most want the first.
            wanted = [offer_id for _, offer_id in self.offers[: dice.choice((1, 1, 2))]]
            if dice.random() < _FLASH:
                wanted = [flash, *wanted[: dice.choice((0, 0, 1))]]
            for offer_id in wanted:
                await shop.cart.add(user_id, offer_id, dice.randint(1, 2))
            address_id = await shop.accounts.add_address(user_id, _HOME)
            method_id = await shop.accounts.add_payment_method(user_id, dice.choice(_CARDS))
            ask = Buy(address_id, method_id, "standard", email="ann@example.com")
            self.asks[f"{self.seed}/{n}"] = (Caller(user_id), ask)

    async def _open_a_sale(self, seller_id: SellerId) -> OfferId:
        """Of fewer units than are wanted, and than there are."""
        shop = self.stage.one.shop
        draft = NewProduct(title="Thing on sale", category="things", price=999, currency=self.told.currency)
        offer_id = (await shop.catalog.create(seller_id, "Seller", draft)).offer_id
        await shop.inventory.receive(f"simulation/{offer_id}", [Line(offer_id, 20)], seller_id)
        self.sale = f"s{int(offer_id)}"
        sale = NewSale(
            sale_id=self.sale,
            offer_id=offer_id,
            units=self.dice.randint(1, 3),
            starts_at=self.now,
            queue=False,
            per_person=2,
            per_card=None,
            per_address=None,
        )
        await shop.flashsale.create(sale)
        await shop.flashsale.runner.tick()
        await shop.host.store.do("DEL", gate_key(self.sale))  # so that PostgreSQL alone decides
        for process in self.stage.processes:
            await process.look_at_sales()
        return offer_id

    async def _end_the_sale(self) -> None:
        operator = Caller(UserId(0), frozenset({"operator"}), email="ops@example.com")
        await self.stage.one.shop.flashsale.act(operator, self.sale, Act("end", "It is over."))

    async def _buy(self, process: Process, key: str) -> None:
        caller, ask = self.asks[key]
        said = await self._do(process, process.shop.checkout.buy(caller, key, ask))
        if said:
            await self._listen(key, caller, said)

    async def _listen(self, key: str, caller: Caller, answer: CheckoutAnswer) -> None:
        """A final answer is stored before it is heard, and the same for ever."""
        if isinstance(answer.outcome, Pending):
            if step := answer.outcome.next_action:
                ticket = step.url.rsplit("/", 1)[1]
                self.tickets[key] = ticket, await self.stage.one.shop.payments.challenged(ticket)
            return
        async with self.stage.turns.turn("shopper hears"):
            stored = await self.stage.reader.fetchval(
                "select a.body from checkout.checkout c join checkout.answer a using (checkout_id)"
                " where c.user_id = $1 and c.key = $2",
                caller.user_id,
                key,
            )
        if stored != answer.body:
            self.wrong.append("an answer is given after its commit")
        if key in self.heard and self.heard[key] != answer.body:
            self.wrong.append("a final answer never changes")
        if key not in self.heard:
            self.bought += isinstance(answer.outcome, Confirmed)
            self.refused += not isinstance(answer.outcome, Confirmed)
        self.heard[key] = answer.body

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

    def _sorts(self, name: str, row: Any) -> Any:
        """Rows come as the database likes, and work begins so: ids are not of the seed, so others decide."""
        if name == "checkout.take_over_lapsed":
            return row["key"]
        if name == "payments.take_pending_webhooks":
            return row["event_id"]
        record = msgspec.json.decode(row["record"])
        order = record.get("order_id") or record["ask"]["order_id"]
        return self.names[parse(OrderId, order)], row["reference"].partition("/")[0], row["reference"]

    async def _laws(self) -> list[str]:
        reader = self.stage.reader
        broken = [finding.law for finding in await audit(reader) if finding.violations]
        if await reader.fetchval("select count(*) from checkout.running"):
            broken.append("nothing is left undecided")
        if await reader.fetchval("select count(*) from inventory.reservation where state = 'held'"):
            broken.append("nothing is left held")
        if await reader.fetchval("select count(*) from checkout.undoing where done_at is null"):
            broken.append("what was begun for an order is done")
        if await reader.fetchval("select count(*) from payments.notice where done_at is null"):
            broken.append("every notice is seen to")
        if await reader.fetchval("select count(*) from payments.payment where status = 'action_required'"):
            broken.append("no bank waits for who walked away")
        if await reader.fetchval(_BACK, list(self.names)):
            broken.append("what came back was put back and paid back, once")
        if await reader.fetchval(_TOLD, list(self.names), self.told_before):
            broken.append("every fact is told once, in its order")
        if await reader.fetchval(_FOLLOWED, list(self.names)):
            broken.append("followers have done once what they were told")
        if await reader.fetchval(_SALE, self.sale):
            broken.append("a flash sale sold what was ordered, and holds nothing for nobody")
        for order_id, promise in self.promised:
            if not await reader.fetchval(_KEPT[promise], order_id):
                broken.append(f"who was told that an order is {promise} can rely on it")
        return broken
