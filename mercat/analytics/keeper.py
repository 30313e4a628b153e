"""The one process that has the engine's file: it follows the log, answers questions, adds up days for the
audit, and reads everything anew where facts are missing. Everything that waits for the disk is in threads."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args
from urllib.parse import urlencode

import asyncpg
import structlog

from mercat import ids
from mercat.analytics import periods, reports
from mercat.analytics.engine import Batch, EngineAway, FactEngine, ProductNamed
from mercat.analytics.engines.in_step import CopyPlace, InStepEngines
from mercat.analytics.experiments import arms_of, guard, mark
from mercat.analytics.facts import KnownShelves, Whose, facts_of, look_rows, named_by
from mercat.analytics.messages import Arm, ArmName, Experiment, Rebuilt, ReportAnswer, ReportAsk, SavedView
from mercat.catalog import Catalog
from mercat.events import (
    AccountErased,
    OrderCancelled,
    OrderPlaced,
    ProductChanged,
    RefundFailed,
    RefundPaid,
    ReportWeekOver,
    ReturnClosed,
    ReturnRefunded,
    ThingsLookedAt,
    UnitsCancelled,
)
from mercat.ids import LearntId, OfferId, OrderId, ProductId, SellerId
from mercat.inventory import Inventory
from mercat.kit import clock, codec, sql
from mercat.kit.event_log import on
from mercat.kit.host import Standing
from mercat.kit.refusals import Refusal, Unavailable
from mercat.orders import Orders, SoldOrder, sold_as_placed
from mercat.payments import BookedOrder, Payments
from mercat.search import CHOICES_MAX, Choice, LearntOrder, Search
from mercat.sellers import Sellers
from mercat.settings import Settings

Answer = TypeVar("Answer")
queries = sql.load("mercat.analytics")
log = structlog.get_logger("mercat.analytics")
_ASKED_AT_ONCE = 2
_OPENED_WITHIN_S = 20
_DIGEST_S = 2.0
_EVERY_DIGEST_S = 3_600
_GUARD_S = 30.0
_LEARNS_FIRST_S, _LEARNS_EVERY_S = 3_600, 86_400
_LEARNT_DAYS, _LEARNT_SEARCHES, _LEARNT_CLICKS, _LEARNT_PLACES = 60, 500, 20, 24
"""What is learnt from: so many days and searches, each clicked so often, and so many places of a list."""
_VIEWS_AT_ONCE = 100
_TOLD_AGAIN = timedelta(hours=1)
_TOLD_SUMS = ("orders", "units", "gross", "discount", "refunds", "net")
_ORDERS_A_PAGE = 500
_COPIED_AT_ONCE = 2_000
_PRODUCTS_A_PAGE = 1_000


class FactSources(NamedTuple):
    """Whom facts are read from."""

    orders: Orders
    payments: Payments
    catalog: Catalog
    sellers: Sellers
    inventory: Inventory
    search: Search


class Keeper:
    """Keep the facts of a shop."""

    def __init__(
        self,
        db: asyncpg.Pool,
        settings: Settings,
        sources: FactSources,
        standing: Callable[[], Awaitable[Standing]],
        open_engine: Callable[[Path], FactEngine],
    ) -> None:
        self._db = db
        self._folder = settings.data / "analytics"
        self._currency = settings.currency
        self._kept_days = settings.analytics_looks_days
        self._sources = sources
        self._standing = standing
        self._open_engine = open_engine
        self._whose = Whose(settings.key("analytics"))
        self._held: FactEngine | None = None
        """What is open, ready or not: of the thread that writes alone."""
        self._engine: FactEngine | None = None
        self._opened = asyncio.Event()
        self._writing = asyncio.Lock()
        self._write = ThreadPoolExecutor(1, "analytics")
        self._read = ThreadPoolExecutor(_ASKED_AT_ONCE, "reports")
        self._shelves = KnownShelves()
        self._changed: set[date] = set()
        self._every = True
        self._digested_at = self._guarded_at = float("-inf")
        self._guard_s = _GUARD_S
        self._learns = settings.search_learns
        self._learns_at: float | None = None

    @property
    def is_open(self) -> bool:
        return self._opened.is_set()

    # -- what others ask

    async def report(self, ask: ReportAsk) -> ReportAnswer:
        """Answer a report, with how far it is behind what happens."""
        standing = await self._standing()
        engine = self._opened_engine()
        made = await self._in(self._read, lambda: reports.make(engine, ask, standing.now))
        if ask.name == "stock":
            made = await self._with_stock(await self._with_unsold(made, ask, standing.now))
        names = await self._sources.sellers.names([SellerId(each) for each in made.sellers])
        made = made.named({int(seller_id): name for seller_id, name in names.items()})
        as_of = min(standing.oldest or standing.now, standing.now)
        return ReportAnswer(
            rows=made.rows,
            totals=made.totals,
            compared=made.compared,
            as_of=as_of.astimezone(UTC),
            behind_s=round((standing.now - as_of).total_seconds(), 3),
        )

    async def arms(self, experiments: list[Experiment]) -> list[Arm]:
        """Count what came of the ways of experiments so far."""
        if not experiments:
            return []
        engine = self._opened_engine()
        named = {
            mark(each.experiment_id, arm): (each.experiment_id, arm)
            for each in experiments
            for arm in get_args(ArmName)
        }
        first = min(each.started_at for each in experiments)
        since = first.astimezone(UTC).replace(tzinfo=None, microsecond=0)  # looks know whole seconds
        asked = {"arms": list(named), "since": since}
        rows = await self._in(self._read, lambda: engine.ask("arms", asked))
        return [
            Arm(*named[row["arm"]], row["visitors"], row["bought"], row["answers"], row["latency_ms"])
            for row in rows
        ]

    async def rebuild(self) -> Rebuilt:
        """Read all facts of money anew from the services that own them; reports go on as they were until it
        is done, and what happens meanwhile is read from the log afterwards."""
        return await self._rebuild(self._opened_engine())

    async def _rebuild(self, engine: FactEngine) -> Rebuilt:
        async with self._writing:
            position = max(
                (await self._standing()).position, await self._in(self._write, engine.position) or 0
            )
            await self._in(self._write, engine.start_anew)
            try:
                orders = facts = 0
                after: OrderId | None = None
                while page := await self._sources.orders.sold_after(after, _ORDERS_A_PAGE):
                    batch = await self._batch(page, await self._booked([each.order_id for each in page]))
                    await self._in(self._write, lambda batch=batch: engine.add(batch))
                    orders, facts, after = orders + len(page), facts + len(batch.facts), page[-1].order_id
                await self._name_products(engine)
            except BaseException:
                await self._in(self._write, engine.give_up)
                raise
            await self._in(self._write, lambda: engine.finish(position))
            await self._db.execute(queries.set_engine_position, position)
            self._every = True
        return Rebuilt(orders, facts)

    async def learn(self) -> LearntOrder | None:
        """Let searches learn from what shoppers chose of late; None where nothing was chosen often enough."""
        today = (await self._standing()).now.astimezone(UTC).date()
        asked: dict[str, Any] = {
            "since": today - timedelta(days=_LEARNT_DAYS),
            "until": today - timedelta(days=1),
            "clicks": _LEARNT_CLICKS,
            "most": _LEARNT_SEARCHES,
            "places": _LEARNT_PLACES,
            "looked": "learnt_days",
            "looked_after": "learnt_days",
        }
        engine = self._opened_engine()
        words = await self._in(self._read, lambda: engine.ask("asked_most", asked))
        if not words:
            return None
        asked |= {"words": [row["words"] for row in words], "most": CHOICES_MAX}

        async def choices(*, held_out: bool) -> list[Choice]:
            given = asked | {"held_out": held_out}
            rows = await self._in(self._read, lambda: engine.ask("choices", given))
            return [Choice(**row) for row in rows]

        taught = await choices(held_out=False)
        return await self._sources.search.learn(taught, await choices(held_out=True), ids.new(LearntId, 0))

    # -- while the shop moves from one engine to the other

    async def begin_copy(self) -> None:
        """Empty the file of this machine, where it is what is to be filled: it may have what is old."""
        both = self._in_step()
        async with self._writing:
            await self._in(self._write, both.begin_copy)

    async def copy_on(self, place: CopyPlace) -> CopyPlace:
        """Copy some of what was there before into the other engine; answer where to go on."""
        both = self._in_step()
        async with self._writing:
            return await self._in(self._write, lambda: both.copy(place, _COPIED_AT_ONCE))

    async def compare_copy(self) -> list[str]:
        """Compare both engines while nothing is written, and say what differs."""
        both = self._in_step()
        async with self._writing:
            return await self._in(self._write, both.differences)

    def _in_step(self) -> InStepEngines:
        engine = self._opened_engine()
        if not isinstance(engine, InStepEngines):
            raise EngineAway("this process does not keep two engines in step")
        return engine

    # -- what it does by itself

    @on(
        AccountErased,
        OrderPlaced,
        OrderCancelled,
        UnitsCancelled,
        RefundPaid,
        RefundFailed,
        ReturnRefunded,
        ReturnClosed,
        ProductChanged,
        ThingsLookedAt,
        numbered=True,
    )
    async def follow(self, events: Sequence[tuple[int, Any]]) -> None:
        """Take in what events tell of: all facts of their orders that are not here yet, with the position.
        Who is to be forgotten has no saved reports any more."""
        await self._wait_until_open()
        engine = self._opened_engine()
        erased = [each for _, event in events if isinstance(event, AccountErased) for each in event.people]
        if erased:
            await self._db.execute(queries.forget_views, erased)
        async with self._writing:
            batch = await self._told(events)
            position = max(await self._in(self._write, engine.position) or 0, events[-1][0])
            self._changed |= await self._in(self._write, lambda: engine.append(batch, position))
            await self._db.execute(queries.set_engine_position, position)

    async def keep(self) -> None:
        """Open the engine and keep the days added up, for ever: a duty of the process that owns the file."""
        await self.open()
        while True:
            await self.digest()
            await self.guard()
            await self.tell_weeks()
            await self._learn_daily()
            await asyncio.sleep(_DIGEST_S)

    async def open(self) -> None:
        """Open the engine, and read everything anew where facts are missing: it is new, or older than what
        was read once. Until that is done nothing is answered; what fails is tried again."""
        if self.is_open:
            return
        engine = await self._in(self._write, self._hold)
        here = await self._in(self._write, engine.position)
        known = await self._db.fetchval(queries.engine_position)
        if here is None or (known is not None and here < known):
            log.info("facts are read anew", here=here, known=known)
            await self._rebuild(engine)
        self._engine = engine
        self._opened.set()

    async def digest(self) -> None:
        """Write what the days come to whose facts changed, from time to time of all days."""
        engine = self._opened_engine()
        standing = await self._standing()
        async with self._writing:
            now = asyncio.get_running_loop().time()
            every = self._every or now - self._digested_at > _EVERY_DIGEST_S
            changed, self._changed, self._every = self._changed, set(), False
        if every or changed:
            try:
                await self._put_days(engine, changed, every=every)
            except BaseException:
                self._changed |= changed
                self._every = self._every or every
                raise
            if every:
                await self._settle(standing.now.astimezone(UTC).date())
                self._digested_at = now
        await self._db.execute(queries.set_reached, standing.position, standing.oldest or standing.now)

    async def guard(self) -> None:
        """Stop the experiments that do harm: B sells less, or is much slower; looked at from time to time."""
        now = asyncio.get_running_loop().time()
        if now - self._guarded_at < self._guard_s:
            return
        self._guarded_at = now
        rows = await self._db.fetch(queries.running_experiments)
        running = sql.rows(Experiment, rows)
        found = await self.arms(running)
        for each in running:
            if because := guard(*arms_of(each.experiment_id, found)):
                log.warning("an experiment was stopped", experiment=each.name, reason=because)
                await self._db.execute(queries.stop_experiment, each.experiment_id, because, clock.now())

    async def _learn_daily(self) -> None:
        """Let searches learn once a day, and not in the hour in which the shop was opened."""
        now = asyncio.get_running_loop().time()
        self._learns_at = self._learns_at or now + _LEARNS_FIRST_S
        if not self._learns or now < self._learns_at:
            return
        self._learns_at = now + _LEARNS_EVERY_S
        try:
            await self.learn()
        except (Unavailable, ConnectionError) as away:
            log.warning("searches could not learn", reason=repr(away))

    async def tell_weeks(self) -> None:
        """Tell of the weeks that are over of reports that people have saved; each once, whoever dies when. Of
        several weeks that passed unseen only the last is told."""
        now = clock.now()
        for row in await self._db.fetch(queries.due_views, now, _VIEWS_AT_ONCE):
            try:
                await self._tell_week(row, now)
            except Refusal as refused:  # one that cannot be made keeps no other waiting
                log.warning("a saved report cannot be made", view=row["view_id"], reason=refused.code())
                later = now + _TOLD_AGAIN
                await self._db.execute(queries.put_off_view, row["view_id"], row["next_at"], later)

    async def _tell_week(self, row: asyncpg.Record, now: datetime) -> None:
        view = sql.row(SavedView, row)
        zone = periods.zone_of(view.tz)
        until = periods.monday_of(now, zone)
        ask = ReportAsk(
            name=view.report,
            since=until - timedelta(days=7),
            until=until,
            by=view.by,
            compare="previous",
            tz=view.tz,
            seller_id=row["seller_id"],
            limit=1,
        )
        answer = await self.report(ask)
        event = _week_over(view, dict(row), ask, answer, self._currency)
        told = type(event).__name__, codec.inner_text(event)
        next_at = periods.next_letter(now, zone)
        await self._db.execute(queries.tell_view, view.view_id, view.next_at, next_at, *told)

    async def close(self) -> None:
        """Give the engine back."""
        self._engine = None
        self._opened.clear()
        await asyncio.to_thread(self._read.shutdown)  # the engine is not closed under a report
        await self._in(self._write, self._let_go)
        self._write.shutdown()

    # -- details

    async def _settle(self, today: date) -> None:
        """Write down what came of the searches of days that are over, and forget looks that are too old."""
        engine = self._opened_engine()
        async with self._writing:
            await self._in(self._write, lambda: engine.settle(today - timedelta(days=1)))
            forgotten = today - timedelta(days=self._kept_days)
            await self._in(self._write, lambda: engine.forget_looks(forgotten))

    async def _name_products(self, engine: FactEngine) -> None:
        after = ProductId(0)
        while page := await self._sources.catalog.documents(after, _PRODUCTS_A_PAGE):
            named = [known for each in page if (known := named_by(each))]
            await self._in(self._write, lambda named=named: engine.add(Batch(products=named)))
            after = page[-1].product_id

    async def _put_days(self, engine: FactEngine, changed: set[date], *, every: bool) -> None:
        asked = {"every": every, "days": sorted(changed)}
        rows = await self._in(self._read, lambda: engine.ask("days", asked))
        columns = sql.columns([tuple(row.values()) for row in rows], 11)
        await self._db.execute(queries.put_days, every, *columns, sorted(changed))

    async def _told(self, events: Sequence[tuple[int, Any]]) -> Batch:
        """Read what events tell of. An order that was only placed is all in its event; what was taken back of
        one is read from who owns it, with all that came before."""
        every = [event for _, event in events]
        changed = [each for each in every if isinstance(each, ProductChanged)]
        self._shelves.learn(changed)
        placed = {each.order_id: each for each in every if isinstance(each, OrderPlaced)}
        touched = {
            OrderId(order_id)
            for each in every
            if not isinstance(each, OrderPlaced) and (order_id := getattr(each, "order_id", None))
        }
        booked = {order_id: told for order_id in placed if (told := _told_of(placed[order_id]))}
        booked |= await self._booked([*(placed.keys() - booked.keys()), *touched])
        touched |= {order_id for order_id in placed if order_id in booked and booked[order_id].refunds}
        orders = [sold_as_placed(placed[order_id]) for order_id in placed if order_id not in touched]
        orders += await self._sources.orders.sold(sorted(touched)) if touched else []
        of_orders = await self._batch(orders, booked)
        named = [known for each in changed if (known := named_by(each))]
        looks = [row for each in every if isinstance(each, ThingsLookedAt) for row in look_rows(each)]
        return Batch(of_orders.facts, [*of_orders.products, *named], looks)

    async def _booked(self, order_ids: Sequence[OrderId]) -> dict[OrderId, BookedOrder]:
        found = await self._sources.payments.booked(list(order_ids)) if order_ids else []
        return {each.order_id: each for each in found}

    async def _batch(self, orders: Sequence[SoldOrder], booked: Mapping[OrderId, BookedOrder]) -> Batch:
        """Make the facts of orders, and name the products that were not known here."""
        products = {line.product_id for order in orders for line in order.lines}
        unknown = sorted(self._shelves.unknown(products))
        shelved = await self._sources.catalog.shelved(unknown) if unknown else []
        shelves = self._shelves.of(products, shelved)
        facts = [
            fact
            for order in orders
            for fact in facts_of(order, booked.get(order.order_id), shelves, self._whose)
        ]
        names = [
            ProductNamed(
                product=int(each.product_id),
                title=each.title,
                category=each.category,
                category_name=each.category_name,
            )
            for each in shelved
        ]
        return Batch(facts, names)

    async def _with_unsold(self, made: reports.Made, ask: ReportAsk, now: datetime) -> reports.Made:
        """Add what stands on shelves and did not sell in the period, as far as rows are asked for."""
        most = ask.limit - len(made.rows)
        if most <= 0:  # more sold than is shown: what is not here may have sold
            return made
        sold = [OfferId(row["offer_id"]) for row in made.rows]
        lying = await self._sources.inventory.lying(ask.seller_id, sold, most)
        offers = await self._sources.catalog.offers([each.offer_id for each in lying]) if lying else {}
        rows = [
            reports.unsold(int(offer.offer_id), int(offer.product_id), int(offer.seller_id), offer.title, now)
            for each in lying
            if (offer := offers.get(each.offer_id))
        ]
        return made._replace(rows=[*made.rows, *rows])

    async def _with_stock(self, made: reports.Made) -> reports.Made:
        offers = [OfferId(row["offer_id"]) for row in made.rows]
        standing = await self._sources.inventory.stock(offers) if offers else {}
        shelves = {int(offer_id): (each.on_hand, each.available) for offer_id, each in standing.items()}
        return reports.with_stock(made, shelves)

    def _hold(self) -> FactEngine:
        """Open the engine; one that was opened and never got ready is closed first."""
        self._let_go()
        self._held = self._open_engine(self._folder)
        return self._held

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()

    async def _wait_until_open(self) -> None:
        try:
            async with asyncio.timeout(_OPENED_WITHIN_S):
                await self._opened.wait()
        except TimeoutError:
            raise EngineAway("the engine of analytics is not open here") from None

    def _opened_engine(self) -> FactEngine:
        if self._engine is None:
            raise EngineAway("the engine of analytics is not open here")
        return self._engine

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(threads, work)


def _told_of(placed: OrderPlaced) -> BookedOrder | None:
    """Answer what was booked for an order that was just placed, where its event says it. What was paid back
    since is told after it."""
    if placed.commissions is None:
        return None
    commissions = {each.seller_id: each.amount for each in placed.commissions}
    return BookedOrder(
        order_id=placed.order_id, commission=sum(commissions.values()), commissions=commissions
    )


def _week_over(
    view: SavedView, row: Mapping[str, Any], ask: ReportAsk, answer: ReportAnswer, currency: str
) -> ReportWeekOver:
    assert ask.since
    assert ask.until
    assert answer.compared
    asked = {"from": ask.since, "to": ask.until, "by": ask.by, "compare": ask.compare, "tz": ask.tz}
    query = urlencode({name: value for name, value in asked.items() if value})
    return ReportWeekOver(
        view_id=view.view_id,
        user_id=row["user_id"],
        seller_id=row["seller_id"],
        name=view.name,
        path=f"/reports/{view.report}?{query}",
        since=str(ask.since),
        week=ask.since.toordinal(),
        currency=currency,
        totals={name: answer.totals[name] for name in _TOLD_SUMS},
        before={name: answer.compared.totals[name] for name in _TOLD_SUMS},
    )
