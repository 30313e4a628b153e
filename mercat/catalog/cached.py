"""Products in the shared cache, which never go back to an older version, whoever was slow.

Beside `product:<id>` stands for a minute what is known of it: how often it was cleared, the newest version
kept, and the place in the database's log that has the change, which a replica must have reached. Who reads a
product from the database notes the first before. What was read is kept only where it is still the same and
nothing newer was kept, so no answer from before a change is kept after it.
"""

from typing import Any

from mercat.catalog.messages import Product
from mercat.ids import ProductId
from mercat.kit import codec
from mercat.kit.valkey import Store

_KNOWN_MS = 60_000
"""Longer than any request is worked on."""
_KEEP = """
local known = redis.call('HMGET', KEYS[2], 'cleared', 'version')
if (known[1] or '') ~= ARGV[1] or tonumber(known[2] or 0) > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
redis.call('HSET', KEYS[2], 'version', ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 1
"""
_CLEAR = """
for n = 1, #KEYS, 2 do
  redis.call('DEL', KEYS[n])
  redis.call('HINCRBY', KEYS[n + 1], 'cleared', 1)
  if tonumber(ARGV[2]) > tonumber(redis.call('HGET', KEYS[n + 1], 'written') or 0) then
    redis.call('HSET', KEYS[n + 1], 'written', ARGV[2])
  end
  redis.call('PEXPIRE', KEYS[n + 1], ARGV[1])
end
"""
_decode = codec.decoder(Product).decode


def _keys(product_id: ProductId) -> list[str]:
    key = f"product:{product_id}"
    return [key, f"product_known:{{{key}}}"]


class CachedProducts:
    """Keep products in the shared cache. Every call may refuse with what a cache that is away does."""

    def __init__(self, cache: Store) -> None:
        self._cache = cache

    async def get(self, product_id: ProductId) -> Product | None:
        """Return a product that is kept."""
        kept = await self._cache.do("GET", _keys(product_id)[0])
        return _decode(kept) if kept else None

    async def cleared(self, product_id: ProductId) -> tuple[bytes, int]:
        """Say how often a product was cleared: to be asked before it is read, for `keep`. And which place in
        the database's log who reads it must see."""
        cleared, written = await self._cache.do("HMGET", _keys(product_id)[1], "cleared", "written")
        return cleared or b"", int(written or 0)

    async def keep(self, product: Product, cleared: bytes, life_s: float) -> bool:
        """Keep a product for so long; False where it was cleared since, or something newer was kept."""
        life_ms = max(1, int(life_s * 1_000))
        arguments: list[Any] = [cleared, product.version, codec.encode(product), life_ms, _KNOWN_MS]
        return await self._cache.run(_KEEP, _keys(product.product_id), arguments) == 1

    async def clear(self, product_ids: list[ProductId], written: int) -> None:
        """Forget products that have changed; `written`: which place in the log has the change."""
        arguments = [_KNOWN_MS, written]
        await self._cache.run_each(_CLEAR, [(_keys(product_id), arguments) for product_id in product_ids])
