"""The durable copy of carts: written within five seconds of a change, read when Valkey has lost one."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from mercat import ids
from mercat.cart import scripts
from mercat.cart.scripts import CHANGED_CARTS, CODES, keys_of
from mercat.cart.stored import StoredLine, codes_of, split_fields
from mercat.events import AccountErased
from mercat.ids import CartId, UserId, parse
from mercat.kit import codec, sql
from mercat.kit.batching import Coalescer
from mercat.kit.event_log import on
from mercat.kit.valkey import Call, Store

queries = sql.load("mercat.cart")
_COPY_MAX = 500


class CartCopies:
    """Copies changed carts, and gives back those that are lost."""

    def __init__(self, db: asyncpg.Pool, store: Store, currency: str) -> None:
        self._db = db
        self._store = store
        self._currency = currency
        self._kept: Coalescer[UserId, Any] = Coalescer(self._kept_many)

    async def keep_copying(self) -> None:
        """Copy until nothing is left; the back process does this all the time, a second after a change at
        most."""
        while await self.copy_changed() == _COPY_MAX:
            pass
        await asyncio.sleep(1)

    async def copy_changed(self) -> int:
        """Copy carts that have changed, those first that wait longest; answer how many."""
        changed = await self._changed()
        if not changed:
            return 0
        users = [parse(UserId, user) for user, _, _ in changed]
        calls: list[Call] = [(keys_of(self._store, user), ()) for user in users]
        carts = await self._store.run_many(scripts.SHOW, calls)
        rows = [
            (
                int(user),
                int(cart[0]),
                self._lines_json(cart[1]),
                int(float(seq)),
                codes_of(cart[1]) or None,
            )
            for user, (_, seq, _), cart in zip(users, changed, carts, strict=True)
            if cart
        ]
        if rows:
            await self._db.execute(queries.keep, *sql.columns(rows))
        copied: defaultdict[str, list[str]] = defaultdict(list)
        for user, seq, part in changed:
            copied[part] += [user, seq]
        await self._store.run_many(scripts.COPIED, [([part], pairs) for part, pairs in copied.items()])
        return len(rows)

    async def _changed(self) -> list[tuple[str, str, str]]:
        """List users whose carts have changed, those first that wait longest: the time of the change, and
        the part of the set in which it is noted."""
        parts = await self._store.find_parts(CHANGED_CARTS)
        asks = (self._store.do("ZRANGE", part, 0, _COPY_MAX - 1, "WITHSCORES") for part in parts)
        found = [
            (noted[n].decode(), noted[n + 1].decode(), part)
            for part, noted in zip(parts, await asyncio.gather(*asks), strict=True)
            for n in range(0, len(noted), 2)
        ]
        return sorted(found, key=lambda each: float(each[1]))[:_COPY_MAX]

    async def rebuild(self, user_id: UserId, ttl_s: int) -> None:
        """Put a cart that Valkey does not know there again; one that never was begins empty."""
        kept = await self._kept(user_id)
        cart_id = kept["cart_id"] if kept else int(ids.new(CartId, user_id.bucket))
        lines = msgspec.json.decode(kept["lines"], type=dict[str, StoredLine]) if kept else {}
        fields: list[Any] = [part for offer, line in lines.items() for part in (offer, codec.encode(line))]
        if kept and kept["codes"]:
            fields += [CODES, kept["codes"]]
        arguments = [str(user_id), ttl_s, cart_id, *fields]
        await self._store.run(scripts.REBUILD, keys_of(self._store, user_id), arguments)

    @on(AccountErased)
    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Drop the carts of people who are to be forgotten."""
        people = [person for event in events for person in event.people]
        for person in people:
            lines, cart_id, _, *moved = keys_of(self._store, person)
            await self._store.do("DEL", lines, cart_id, *moved)
        await db.execute(queries.forget_people, people)

    def _lines_json(self, parts: Sequence[bytes]) -> str:
        lines, gift_cards = split_fields(parts, self._currency)
        return codec.text({str(name): line for name, line in (lines | gift_cards).items()})

    async def _kept_many(self, user_ids: list[UserId]) -> list[Any]:
        rows = {row["user_id"]: row for row in await self._db.fetch(queries.kept, user_ids)}
        return [rows.get(user_id) for user_id in user_ids]
