"""A network holds so many connections and no more, and keeps nobody else out."""

import asyncio
import socket
from contextlib import AsyncExitStack

import httpx
from attack.conftest import Open

from mercat.web import Connections, Proxies


async def hold(stack: AsyncExitStack, port: int, count: int) -> list[asyncio.StreamReader]:
    readers: list[asyncio.StreamReader] = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(writer.close)
        readers.append(reader)
    return readers


async def test_the_longest_idle_of_too_many_connections_are_closed(opened: Open) -> None:
    port, _ = await opened(connections_of_network=20, limit_loopback=True)
    async with AsyncExitStack() as stack, asyncio.timeout(30):
        readers = await hold(stack, port, 50)
        ends = [asyncio.ensure_future(reader.read()) for reader in readers]
        while sum(end.done() for end in ends) < 30:
            await asyncio.sleep(0.05)
        # One more is the connection by which the fixture waited for the server.
        assert sum(end.done() for end in ends) in (30, 31), "as many stay as a network may hold"
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            assert (await http.get("/help")).status_code == 200
        for end in ends:
            end.cancel()


async def test_own_proxies_and_this_machine_hold_as_many_as_they_like(opened: Open) -> None:
    port, _ = await opened()
    async with AsyncExitStack() as stack:
        await hold(stack, port, 30)
        await asyncio.sleep(2.2)  # an idle connection is one that has been so for two seconds
        assert Connections(port, 20, Proxies()).close_idle() == 0
        assert Connections(port, 20, Proxies("127.0.0.0/8"), loopback=True).close_idle() == 0
        assert Connections(1, 20, Proxies(), loopback=True).close_idle() == 0, "another port's are not ours"
        assert Connections(port, 20, Proxies(), loopback=True).close_idle() in (10, 11)


async def test_a_connection_in_use_is_never_closed(opened: Open) -> None:
    port, _ = await opened()
    async with AsyncExitStack() as stack:
        await hold(stack, port, 30)
        assert Connections(port, 20, Proxies(), loopback=True).close_idle() == 0
    with socket.socket() as unconnected:
        assert unconnected.fileno() >= 0
        assert Connections(port, 0, Proxies(), loopback=True).close_idle() == 0
