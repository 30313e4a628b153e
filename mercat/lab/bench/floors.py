"""What the same machine reaches without a shop, in the same run: every rate is read beside one of these."""

import asyncio
import itertools
import os
import re
import sys
from pathlib import Path
from typing import Any

import asyncpg

from mercat.embedded import Connection, programs
from mercat.lab.bench.load import Load, request

_HERE = Path(__file__).parent
_CLIENTS = (8, 16, 32)


async def orders_in_sql(connection: Connection, seconds: int = 4) -> float:
    """pgbench with one order (the same rows) a transaction, at its best client count; a second."""
    owner = await asyncpg.connect(**connection.postgres())
    await owner.execute("create database floor")
    there: dict[str, Any] = {**connection.postgres(), "database": "floor"}
    floor = await asyncpg.connect(**there)
    await floor.execute((_HERE / "floor.sql").read_text())
    await floor.close()
    try:
        return max([await _pgbench(connection, clients, seconds) for clients in _CLIENTS])
    finally:
        await owner.execute("drop database floor (force)")
        await owner.close()


async def _pgbench(connection: Connection, clients: int, seconds: int) -> float:
    run = await asyncio.create_subprocess_exec(
        str(programs() / "pgbench"),
        *("--no-vacuum", "--protocol=prepared", f"--file={_HERE / 'floor.pgbench'}"),
        *(f"--client={clients}", "--jobs=2", f"--time={seconds}", "floor"),
        env={**os.environ, **connection.libpq()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await run.communicate()
    found = re.search(rb"tps = ([0-9.]+)", out)
    if not found:
        raise RuntimeError(f"pgbench: {err.decode()[:700]}")
    return float(found[1])


async def raw_asgi(body_bytes: int, workers: int = 2, seconds: float = 4) -> float:
    """Count answers a second of a bare ASGI application: so many bytes, the same server."""
    port = 20_000 + os.getpid() % 20_000
    command = [sys.executable, "-m", "mercat.lab.bench.raw", str(port), str(body_bytes)]
    servers = [await asyncio.create_subprocess_exec(*command) for _ in range(workers)]
    try:
        await _until_listening(port)
        return (await Load(port, itertools.repeat(request("GET", "/"))).run(64, seconds)).rate
    finally:
        for server in servers:
            server.kill()
            await server.wait()


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
