"""What is full says so in a documented way, and lets go as soon as there is room again."""

import asyncio
import subprocess
import sys

import pytest

from mercat.kit.batching import Coalescer
from mercat.kit.refusals import Unavailable
from mercat.kit.valkey import ValkeyServer

_DISK_FULL = "do $$ begin raise exception 'no space left on device' using errcode = '53100'; end $$"


async def test_a_full_valkey_is_away_for_each_of_many_who_write(settings):
    store = ValkeyServer(settings.store_url)
    await store.do("SET", "before", "1")
    await store.client.execute_command("CONFIG", "SET", "maxmemory", "1")
    try:
        said = await asyncio.gather(
            *(store.do("SET", f"n{n}", "1") for n in range(3)),
            store.do("GET", "before"),
            return_exceptions=True,
        )
        assert [type(each) for each in said[:3]] == [Unavailable] * 3
        assert said[3] == b"1", "who reads is served"
    finally:
        await store.client.execute_command("CONFIG", "SET", "maxmemory", "0")
    assert await store.do("SET", "after", "1")
    await store.close()


async def test_a_full_disk_of_the_database_is_away_and_no_bug(db):
    async def flush(asks):
        await db.execute(_DISK_FULL)
        return asks

    with pytest.raises(Unavailable):
        await Coalescer(flush)(1)


def test_a_log_that_cannot_be_written_fails_nobody():
    said = "from mercat.kit.metrics import set_up_logs; import structlog; set_up_logs('info');"
    said += "structlog.get_logger().warning('lost'); print('went on')"
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-c", said], stdout=subprocess.PIPE, stderr=full, text=True, timeout=60
        )
    assert ran.stdout == "went on\n"
