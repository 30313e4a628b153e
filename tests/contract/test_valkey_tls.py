"""A Valkey that takes connections over TLS alone."""

import asyncio

import pytest
from certificates import behind_tls

from mercat.kit.refusals import Unavailable
from mercat.kit.valkey_cluster import open_store

APPEND = "return redis.call('APPEND', KEYS[1], ARGV[1])"


async def test_a_store_is_asked_over_tls_and_has_to_be_who_it_says(settings, tmp_path):
    """The Valkey that is installed with us has no TLS of its own, so somebody stands before it."""
    own = settings.store_url.removeprefix("unix://")
    async with behind_tls(own, tmp_path, "valkey.example") as (port, certificate):
        url = f"valkeys://127.0.0.1:{port}?ssl_ca_certs={certificate}"
        store = open_store(url)
        await asyncio.gather(*(store.do("APPEND", "name", "x") for _ in range(100)))
        assert await store.run(APPEND, ["name"], ["!"]) == 101

        async def hears() -> str:
            return await anext(store.subscribe("news"))

        heard = asyncio.create_task(hears())
        while not heard.done():
            await store.do("PUBLISH", "news", "something")
        assert heard.result() == "something"
        await store.close()
        of_nobody_we_know = url.partition("?")[0]
        of_another_name = url.replace("127.0.0.1", "localhost")
        for other in (of_nobody_we_know, of_another_name, of_nobody_we_know.replace("valkeys", "valkey")):
            store = open_store(other)
            with pytest.raises(Unavailable):
                await store.do("GET", "name")
            await store.close()
