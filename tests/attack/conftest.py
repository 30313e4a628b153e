"""A whole shop that is alone with its attacker: one worker behind a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import httpx
import msgspec
import pytest
from granian.server.embed import Server

from mercat.app import build_shop, public_app
from mercat.cli.work import public_server
from mercat.settings import Settings
from mercat.shop import Shop, every_product

Open = Callable[..., Awaitable[tuple[int, Shop]]]
"""Open the shop with these settings; its port, and its services."""


@pytest.fixture
async def opened(settings: Settings) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def open_shop(**more: object) -> tuple[int, Shop]:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port: int = free.getsockname()[1]
            told = msgspec.structs.replace(settings, host="127.0.0.1", port=port, **more)
            shop = await build_shop(told, stack)
            await shop.search.rebuild(every_product(shop.catalog))
            server = public_server(await public_app(shop), told)
            serving = asyncio.create_task(server.serve())
            stack.push_async_callback(_stop, server, serving)
            async with asyncio.timeout(20):
                while True:
                    with suppress(OSError):
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.close()
                        return port, shop
                    await asyncio.sleep(0.05)

        yield open_shop


async def _stop(server: Server, serving: asyncio.Task[None]) -> None:
    server.stop()
    with suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(8):
            await serving


@pytest.fixture
async def visitor(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody in particular, before a shop without a socket."""
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        await shop.search.rebuild(every_product(shop.catalog))
        transport = httpx.ASGITransport(await public_app(shop), raise_app_exceptions=False)
        yield await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://shop"))
