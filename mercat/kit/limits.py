"""Rate limits: token buckets in Valkey, which all workers share.

The generic cell rate algorithm: one number a key, the time at which its bucket is full again.
Source: ITU-T I.371, annex A.
"""

from typing import NamedTuple

from mercat.kit.valkey import Store

_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local out = {}
for i = 1, #KEYS do
  local step, burst = tonumber(ARGV[i * 2 - 1]), tonumber(ARGV[i * 2])
  local full = tonumber(redis.call('GET', KEYS[i]) or now)
  if full < now then full = now end
  local wait = full + step - burst * step - now
  if wait > 0 then
    out[i] = {0, math.ceil(wait), 0}
  else
    full = full + step
    redis.call('SET', KEYS[i], full, 'PX', math.max(1, math.ceil(full - now)))
    out[i] = {1, 0, math.floor((burst * step - (full - now)) / step)}
  end
end
return out
"""

_GIVE_BACK = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 1, #KEYS do
  local full = tonumber(redis.call('GET', KEYS[i]) or now) - tonumber(ARGV[i])
  if full > now then
    redis.call('SET', KEYS[i], full, 'PX', math.max(1, math.ceil(full - now)))
  else
    redis.call('DEL', KEYS[i])
  end
end
"""


class Limit(NamedTuple):
    """So many requests a second on average, so many at once."""

    rate: float
    burst: int


class Allowance(NamedTuple):
    """Whether a request may pass; else in how many seconds. `remaining`: how many more may come at once."""

    allowed: bool
    retry_after_s: float
    remaining: int


class Limits:
    """The buckets of one Valkey."""

    def __init__(self, cache: Store) -> None:
        self._cache = cache

    async def take(self, *buckets: tuple[str, Limit]) -> list[Allowance]:
        """Take one token from each bucket that has one."""
        rows = await self._cache.run_each(
            _TAKE, [([f"limit:{key}"], [1000 / limit.rate, limit.burst]) for key, limit in buckets]
        )
        return [Allowance(bool(allowed), wait / 1000, left) for allowed, wait, left in rows]

    async def give_back(self, *buckets: tuple[str, Limit]) -> None:
        """Put back a token that was taken from each bucket."""
        await self._cache.run_each(
            _GIVE_BACK, [([f"limit:{key}"], [1000 / limit.rate]) for key, limit in buckets]
        )
