"""Orders on several databases: each has the buckets that it says, and an `Orders` of its own here.

Which has which bucket is a hint for this process. The database decides: it is asked whether it has the bucket
before anything else, and refuses to write what it does not have. Then the hint is read anew and the right one
is asked. A shop with one database has a plain `Orders`, and nothing of this.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast

import asyncpg
import structlog

from mercat.ids import BUCKETS, OrderId, UserId
from mercat.kit import metrics
from mercat.kit.db_errors import AWAY, unavailable_where_away
from mercat.kit.refusals import Unavailable
from mercat.kit.verbs import Verb
from mercat.orders.api import API
from mercat.orders.here import ELSEWHERE, all_own, own, stands
from mercat.orders.messages import (
    EndedPart,
    NewOrder,
    Order,
    OrderPage,
    OrderStatus,
    OrderSummary,
    SoldOrder,
    SomeNotPlaced,
)
from mercat.orders.service import COUNT_MAX, Orders

Answer = TypeVar("Answer")
Item = TypeVar("Item")
log = structlog.get_logger("mercat.orders")
_ANSWERS_WITHIN_S = 10.0
_CREATES_WITHIN_S = 5.0
_LISTS_WITHIN_S = 2.0
"""An operator's list is shown without a database that takes longer, and says so."""
_ASKED_AGAIN_S = 0.2
_TRIES = 20
_TRIED_AGAIN_S = 0.05


class Shard:
    """One of the databases: asked as long as it answers, then left alone until it does again."""

    def __init__(self, name: str, orders: Orders, db: asyncpg.Pool) -> None:
        self.name = name
        self.orders = orders
        self.db = db
        self._returning: asyncio.Task[None] | None = None

    async def ask(
        self, work: Callable[[Orders], Awaitable[Answer]], within_s: float = _ANSWERS_WITHIN_S
    ) -> Answer:
        """Ask something; Unavailable while it does not answer: then it may have happened, or not."""
        if self._away:
            raise Unavailable
        try:
            with unavailable_where_away():
                async with asyncio.timeout(within_s):
                    return await work(self.orders)
        except Unavailable as away:
            if not self._away:  # else another ask has found it so meanwhile
                log.warning(
                    "a database of orders is away", shard=self.name, reason=repr(away.__cause__)[:200]
                )
                metrics.orders_away.labels(self.name).set(1)
                self._returning = asyncio.create_task(self._until_it_answers())
            raise

    async def has(self, buckets: Iterable[int], within_s: float = _ANSWERS_WITHIN_S) -> set[int]:
        """Return those of these buckets that it has."""
        return await self.ask(lambda _: own(self.db, buckets), within_s)

    def close(self) -> None:
        """Look no more whether it answers again."""
        if self._returning:
            self._returning.cancel()

    @property
    def _away(self) -> bool:
        return self._returning is not None and not self._returning.done()

    async def _until_it_answers(self) -> None:
        while True:
            await asyncio.sleep(_ASKED_AGAIN_S)
            with suppress(*AWAY, asyncpg.PostgresError):
                async with asyncio.timeout(_LISTS_WITHIN_S):
                    await all_own(self.db)
                    metrics.orders_away.labels(self.name).set(0)
                    return


class OrdersOverShards:
    """The verbs of `Orders`, each asked where its orders are."""

    def __init__(self, shards: Sequence[Shard], hint: Mapping[int, str]) -> None:
        """`shards`: the shop's own database first; `hint`: the name of each bucket's."""
        self.main = shards[0].orders  # its parts follow events, and it has what belongs to no bucket
        self.take_old = self.main.take_old
        self.old_of = self.main.old_of
        self.find_old = self.main.find_old
        self.shards = list(shards)
        named = {shard.name: shard for shard in shards}
        self._of = {bucket: named[name] for bucket, name in hint.items()}
        self._reading = asyncio.Lock()
        self._read = 0

    # -- what has a bucket

    async def at(self, bucket: int, ask: Callable[[Orders], Awaitable[Answer]]) -> Answer:
        """Ask the database that has a bucket."""
        for _ in range(_TRIES):
            read, shard = self._read, self._of[bucket]
            with suppress(ELSEWHERE):
                if await shard.has([bucket]):
                    return await shard.ask(ask)
            await self._read_anew(read)
        raise Unavailable

    async def of_each(
        self,
        items: Iterable[Item],
        bucket_of: Callable[[Item], int],
        ask: Callable[[Orders, list[Item]], Awaitable[Answer]],
    ) -> list[Answer]:
        """Ask each database for those of these things that it has; Unavailable where one does not answer."""
        answers: list[Answer] = []
        left = list(items)

        async def of_one(shard: Shard, those: list[Item]) -> list[Item]:
            has = await shard.has(bucket_of(each) for each in those)
            if mine := [each for each in those if bucket_of(each) in has]:
                answers.append(await shard.ask(lambda orders: ask(orders, mine)))
            return [each for each in those if bucket_of(each) not in has]

        for _ in range(_TRIES):
            read = self._read
            groups = self._grouped(left, bucket_of)
            foreign = await asyncio.gather(*(of_one(shard, those) for shard, those in groups.items()))
            if not (left := [each for group in foreign for each in group]):
                return answers
            await self._read_anew(read)
        raise Unavailable

    async def create_many(self, orders: list[NewOrder]) -> list[bool]:
        """Place paid orders, one set a database, each once; False for one that was given up before.

        SomeNotPlaced, with `answers` that are null for those, where some databases do not answer."""
        answers: list[bool | None] = [None] * len(orders)
        left = [*range(len(orders))]
        for _ in range(_TRIES):
            read = self._read
            if not (left := await self._create(orders, left, answers)):
                break
            await self._read_anew(read)
        sure = [answer for answer in answers if answer is not None]
        if len(sure) == len(orders):
            return sure
        raise SomeNotPlaced(answers=answers) if sure else Unavailable

    async def _create(
        self, orders: list[NewOrder], which: list[int], answers: list[bool | None]
    ) -> list[int]:
        """Place those of these orders; return which are not where they were thought to be."""

        async def at(shard: Shard, those: list[int]) -> list[int]:
            for n, made in zip(
                those,
                await shard.ask(
                    lambda there: there.create_many([orders[n] for n in those]), _CREATES_WITHIN_S
                ),
                strict=True,
            ):
                answers[n] = made
            return []

        async def of_one(shard: Shard, those: list[int]) -> list[int]:
            with suppress(Unavailable):
                with suppress(ELSEWHERE):
                    return await at(shard, those)
                has = await shard.has(orders[n].order_id.bucket for n in those)
                mine = [n for n in those if orders[n].order_id.bucket in has]
                with suppress(ELSEWHERE):
                    await at(shard, mine)
                return [n for n in those if answers[n] is None]
            return []  # away

        groups = self._grouped(which, lambda n: orders[n].order_id.bucket)
        foreign = await asyncio.gather(*(of_one(shard, those) for shard, those in groups.items()))
        return _all(foreign)

    async def refuse(self, order: NewOrder) -> None:
        """Give an order up before it is made."""
        await self.at(order.order_id.bucket, lambda orders: orders.refuse(order))

    async def list_of(
        self, user_ids: list[UserId], page: int = 1, limit: int = 20, cursor: str | None = None
    ) -> OrderPage:
        """List these people's orders, the newest first, from all databases that have some of them."""

        async def of_one(orders: Orders, theirs: list[UserId]) -> OrderPage:
            if len(theirs) == len(user_ids):
                return await orders.list_of(theirs, page, limit, cursor)
            rows = limit if cursor else page * limit
            return await orders.list_of(theirs, 1, rows, cursor)

        pages = await self.of_each(user_ids, lambda user_id: user_id.bucket, of_one)
        if len(pages) == 1:
            return pages[0]
        skipped = 0 if cursor else (page - 1) * limit
        return _merged(pages, skipped, limit, sum(each.total for each in pages))

    async def ended_parts(self, order_ids: list[OrderId]) -> list[EndedPart]:
        """List the sellers' parts of these orders that nothing more is sent of."""
        return _all(await self.of_each(order_ids, _bucket, lambda orders, those: orders.ended_parts(those)))

    async def paid_back(self, order_ids: list[OrderId]) -> list[OrderId]:
        """List those of these orders of which every unit was paid back."""
        return _all(await self.of_each(order_ids, _bucket, lambda orders, those: orders.paid_back(those)))

    async def sold(self, order_ids: list[OrderId]) -> list[SoldOrder]:
        """Answer these orders by line."""
        return _all(await self.of_each(order_ids, _bucket, lambda orders, those: orders.sold(those)))

    # -- what is of all of them

    async def find(self, number: int, email: str) -> None:
        """Tell that somebody wants the letter of an order again, wherever it is."""
        said = [
            shard.ask(lambda orders: orders.find(number, email), _LISTS_WITHIN_S) for shard in self.shards
        ]
        _answers(await asyncio.gather(*said, return_exceptions=True))

    async def counts(self) -> dict[str, int]:
        """Count everybody's orders by status; nothing while a database does not answer."""
        found = await self._of_those_that_answer(lambda orders: orders.counts())
        if len(found) < len(self.shards):
            return {}
        sums = {status: sum(each.get(status, COUNT_MAX + 1) for each in found) for status in found[0]}
        return {status: orders for status, orders in sums.items() if orders <= COUNT_MAX}

    async def newest(
        self,
        before: OrderId | None = None,
        limit: int = 50,
        status: OrderStatus | None = None,
        since: OrderId | None = None,
    ) -> OrderPage:
        """List everybody's orders, the newest first, of those databases that answer."""
        pages = await self._of_those_that_answer(lambda orders: orders.newest(before, limit, status, since))
        return _merged(pages, 0, limit, sum(each.total for each in pages))

    async def among(
        self,
        order_ids: list[OrderId],
        number: int | None = None,
        status: OrderStatus | None = None,
        since: OrderId | None = None,
    ) -> list[OrderSummary]:
        """List those of these orders, and the one with this number, that are as asked; the newest first."""
        found = _all(
            await self._of_those_that_answer(lambda orders: orders.among(order_ids, number, status, since))
        )
        return sorted(found, key=lambda each: each.order_id, reverse=True)

    async def missing(self) -> list[str]:
        """List the databases that do not answer at the moment."""
        said = await asyncio.gather(
            *(shard.has([], _LISTS_WITHIN_S) for shard in self.shards), return_exceptions=True
        )
        return [
            shard.name
            for shard, each in zip(self.shards, said, strict=True)
            if isinstance(each, BaseException)
        ]

    async def exported(self, before: OrderId | None = None, limit: int = 200) -> list[Order]:
        """Answer everybody's orders with their lines, the newest first; all, or Unavailable."""
        found = _all(await self._of_all(lambda orders: orders.exported(before, limit)))
        return sorted(found, key=lambda each: each.order_id, reverse=True)[:limit]

    async def sold_after(self, after: OrderId | None = None, limit: int = 500) -> list[SoldOrder]:
        """Answer every order, a page at a time; all, or Unavailable.

        A page ends where the first database's does, for what comes then in that one is not known yet."""
        pages = [page for page in await self._of_all(lambda orders: orders.sold_after(after, limit)) if page]
        if not pages:
            return []
        end = min(_place(page[-1].order_id) for page in pages)
        found = sorted(_all(pages), key=lambda each: _place(each.order_id))
        return [each for each in found if _place(each.order_id) <= end][:limit]

    # -- whom to ask

    def _grouped(self, items: Iterable[Item], bucket_of: Callable[[Item], int]) -> dict[Shard, list[Item]]:
        groups: dict[Shard, list[Item]] = defaultdict(list)
        for each in items:
            groups[self._of[bucket_of(each)]].append(each)
        return groups

    async def _of_those_that_answer(self, ask: Callable[[Orders], Awaitable[Answer]]) -> list[Answer]:
        async def answered() -> list[Answer]:
            said = await asyncio.gather(
                *(shard.ask(ask, _LISTS_WITHIN_S) for shard in self.shards), return_exceptions=True
            )
            return _answers(said)

        found, _ = await self._while_nothing_moves(answered)
        return found

    async def _of_all(self, ask: Callable[[Orders], Awaitable[Answer]]) -> list[Answer]:
        async def answered() -> list[Answer]:
            return await asyncio.gather(*(shard.ask(ask) for shard in self.shards))

        found, whole = await self._while_nothing_moves(answered)
        if not whole:
            raise Unavailable
        return found

    async def _while_nothing_moves(
        self, ask: Callable[[], Awaitable[list[Answer]]]
    ) -> tuple[list[Answer], bool]:
        """Ask all databases, again where a bucket was handed over meanwhile: its orders are in one answer,
        not in two or none. Say whether that is so."""
        answers: list[Answer] = []
        for _ in range(_TRIES):
            before = await self._stands()
            answers = await ask()
            whole = len(before) < len(self.shards) or sum(buckets for _, buckets in before) == BUCKETS
            if whole and before == await self._stands():
                return answers, True
            await asyncio.sleep(_TRIED_AGAIN_S)
        return answers, False

    async def _stands(self) -> list[tuple[str, int]]:
        said = await asyncio.gather(
            *(shard.ask(lambda _, shard=shard: stands(shard.db), _LISTS_WITHIN_S) for shard in self.shards),
            return_exceptions=True,
        )
        return _answers(said)

    async def _read_anew(self, read: int) -> None:
        """Ask each database what it has, unless that was done since. One that is away keeps what it had."""
        async with self._reading:
            if self._read > read:
                return
            await asyncio.sleep(_TRIED_AGAIN_S)
            said = await asyncio.gather(
                *(shard.ask(lambda _, shard=shard: all_own(shard.db)) for shard in self.shards),
                return_exceptions=True,
            )
            for shard, each in zip(self.shards, said, strict=True):
                if not isinstance(each, BaseException):
                    self._of |= dict.fromkeys(each, shard)
            self._read += 1


def _where_its_order_is(verb: Verb) -> Callable[..., Awaitable[Any]]:
    async def ask(self: OrdersOverShards, order_id: OrderId, *more: Any, **named: Any) -> Any:
        return await self.at(
            order_id.bucket, lambda orders: getattr(orders, verb.name)(order_id, *more, **named)
        )

    return ask


for _verb in API:
    if list(_verb.signature.parameters)[1:2] == ["order_id"]:
        setattr(OrdersOverShards, _verb.name, _where_its_order_is(_verb))


def over_shards(shards: Sequence[Shard], hint: Mapping[int, str]) -> Orders:
    """Make the orders of a shop that has them on several databases."""
    return cast(Orders, OrdersOverShards(shards, hint))


def each_database(orders: Orders) -> dict[str, Orders]:
    """Return the orders of each database, by its name; of a shop with one, these, without a name."""
    over: Any = orders
    return (
        {shard.name: shard.orders for shard in over.shards}
        if isinstance(over, OrdersOverShards)
        else {"": orders}
    )


def _answers(said: Iterable[Answer | BaseException]) -> list[Answer]:
    """Return the answers of who answered, and raise what is no database that is away."""
    found: list[Answer] = []
    for each in said:
        if not isinstance(each, BaseException):
            found.append(each)
        elif not isinstance(each, Unavailable):
            raise each
    return found


def _bucket(order_id: OrderId) -> int:
    return order_id.bucket


def _place(order_id: OrderId) -> tuple[int, int]:
    return order_id.bucket, order_id


def _all(answers: Iterable[list[Answer]]) -> list[Answer]:
    return [each for answer in answers for each in answer]


def _merged(pages: Sequence[OrderPage], skipped: int, limit: int, total: int) -> OrderPage:
    """Make one page of those of several databases, each the newest that it has."""
    rows = sorted(_all(page.orders for page in pages), key=lambda each: each.order_id, reverse=True)
    shown = rows[skipped : skipped + limit]
    more = len(rows) > skipped + limit or any(page.next_cursor for page in pages)
    return OrderPage(shown, total, str(shown[-1].order_id) if shown and more else None)
