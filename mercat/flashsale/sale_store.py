"""What Valkey keeps of a sale: the line by the number in which people came, its counter, and the stock gate.

None of it is the truth: a line that is lost is brought back from PostgreSQL, and PostgreSQL alone sells.
"""

from collections.abc import Iterable, Sequence

from mercat.ids import UserId
from mercat.kit.refusals import Unavailable
from mercat.kit.valkey import Store

_REMOVED_AT_ONCE = 1_000

JOIN = """
local n = redis.call('ZSCORE', KEYS[1], ARGV[1])
if n then return {tonumber(n), 0} end
if redis.call('EXISTS', KEYS[2]) == 0 then return {-1, 0} end
n = redis.call('INCR', KEYS[2])
redis.call('ZADD', KEYS[1], 'NX', n, ARGV[1])
return {n, 1}
"""
"""Into the line, once: the number, and whether it is new. -1: the line is being brought back."""

_NUMBER_OF = """
local n = redis.call('ZSCORE', KEYS[1], ARGV[1])
if n then return tonumber(n) end
if redis.call('EXISTS', KEYS[2]) == 0 then return -1 end
return 0
"""

_ADOPT = """
local n = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not n or redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], n, ARGV[2])
redis.call('ZREM', KEYS[1], ARGV[1])
return tonumber(n)
"""

REMOVE = """
for n = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[n]) == ARGV[n + 1] then redis.call('ZREM', KEYS[1], ARGV[n]) end
end
"""

ADMIT = """
local left = tonumber(redis.call('GET', KEYS[1]))
if not left then return 1 end
if left < tonumber(ARGV[1]) then return 0 end
redis.call('DECRBY', KEYS[1], ARGV[1])
return 1
"""
"""The stock gate: turns away whom PostgreSQL would refuse; where it is not known, PostgreSQL is asked."""


def queue_key(sale_id: str) -> str:
    """Name the sorted set of who waits."""
    return f"flash_queue:{sale_id}"


def gate_key(sale_id: str) -> str:
    """Name the count of units that are left."""
    return f"flash_gate:{sale_id}"


class SaleStore:
    """Keep lines and gates in Valkey."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def numbers_key(self, sale_id: str) -> str:
        """Name the counter of who came: scripts use it together with the line."""
        return self._store.with_slot_of(queue_key(sale_id), f"flash_numbers:{sale_id}")

    async def open_line(self, sale_id: str) -> None:
        """Let people join from here on."""
        await self._store.do("SET", self.numbers_key(sale_id), 0, "NX")

    async def join(self, sale_id: str, user_id: UserId) -> tuple[int, bool]:
        """Put somebody at the end of the line, once; answer their number and whether it is new."""
        keys = [queue_key(sale_id), self.numbers_key(sale_id)]
        number, new = await self._store.run(JOIN, keys, [int(user_id)])
        return _there(number), bool(new)

    async def number_of(self, sale_id: str, user_id: UserId) -> int:
        """Answer somebody's number; 0 for who is not in the line."""
        keys = [queue_key(sale_id), self.numbers_key(sale_id)]
        return _there(await self._store.run(_NUMBER_OF, keys, [int(user_id)]))

    async def adopt(self, sale_id: str, guest: UserId, member: UserId) -> int:
        """Give a guest's number to a member who has none; answer it, or 0 where nothing changed."""
        return await self._store.run(_ADOPT, [queue_key(sale_id)], [int(guest), int(member)])

    async def remove(self, sale_id: str, people: Sequence[tuple[int, int]]) -> None:
        """Take people out of the line who stand there with this number; who joined again since stays."""
        for start in range(0, len(people), _REMOVED_AT_ONCE):
            pairs = [part for pair in people[start : start + _REMOVED_AT_ONCE] for part in pair]
            await self._store.run(REMOVE, [queue_key(sale_id)], pairs)

    async def last_number(self, sale_id: str) -> int | None:
        """Answer the number of who came last; None where the line was lost."""
        counter = await self._store.do("GET", self.numbers_key(sale_id))
        return None if counter is None else int(counter)

    async def joined_after(self, sale_id: str, number: int, most: int) -> tuple[list[int], list[int]]:
        """Answer the people who came after a number, and their numbers, in that order."""
        found = await self._store.do(
            "ZRANGEBYSCORE", queue_key(sale_id), f"({number}", "+inf", "WITHSCORES", "LIMIT", 0, most
        )
        return [int(user) for user in found[::2]], [int(float(score)) for score in found[1::2]]

    async def clear_line(self, sale_id: str) -> None:
        """Forget the line: nobody joins until `restart_line`."""
        await self._store.do("DEL", self.numbers_key(sale_id), queue_key(sale_id))

    async def bring_back(self, sale_id: str, people: Iterable[tuple[int, int]]) -> None:
        """Put people (number, user) into the line again."""
        scores = [part for pair in people for part in pair]
        if scores:
            await self._store.do("ZADD", queue_key(sale_id), *scores)

    async def restart_line(self, sale_id: str, joined: int) -> None:
        """Let people join a line that was brought back."""
        await self._store.do("SET", self.numbers_key(sale_id), joined)

    async def admit(self, sale_id: str, quantity: int) -> bool:
        """Answer whether so many units may be left, and count them as gone."""
        return bool(await self._store.run(ADMIT, [gate_key(sale_id)], [quantity]))

    async def set_left(self, sale_id: str, units: int) -> None:
        """Tell the stock gate how many units nobody holds."""
        await self._store.do("SET", gate_key(sale_id), units)


def _there(number: int) -> int:
    if number < 0:
        raise Unavailable("The queue is being brought back. Places are kept; ask again in a moment.")
    return number
