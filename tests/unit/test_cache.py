"""What a bounded cache with expiring entries promises."""

from mercat.kit.cache import ExpiringCache


def test_the_least_recently_used_goes_first():
    cache = ExpiringCache[str, int](2)
    cache.put("a", 1, ttl_s=60)
    cache.put("b", 2, ttl_s=60)
    assert cache.get("a") == 1
    cache.put("c", 3, ttl_s=60)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


def test_an_entry_expires():
    cache = ExpiringCache[str, int](2)
    cache.put("a", 1, ttl_s=0)
    assert cache.get("a") is None
    cache.put("a", 2, ttl_s=60)
    assert cache.get("a") == 2
    cache.clear()
    assert cache.get("a") is None
