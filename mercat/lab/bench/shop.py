"""A shop of the benchmark's own: a real `mercat serve` in a temporary folder, gone afterwards."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import httpx

from mercat import settings
from mercat.app import build_shop
from mercat.audit import Finding, audit
from mercat.embedded import Connection, Home
from mercat.shop import Shop

_OPEN_WITHIN_S = 240.0
"""A busy machine takes minutes where an idle one takes ten seconds."""


@asynccontextmanager
async def opened(
    workers: int = 2, demo: bool = False, more: Mapping[str, str] | None = None
) -> AsyncGenerator[Connection]:
    """Open a shop of its own, and close it at the end. `more`: settings, as environment."""
    with tempfile.TemporaryDirectory(prefix="mercat-bench-") as folder:
        Path(folder).chmod(0o755)
        async with serving(Path(folder), workers, demo, more) as connection:
            yield connection


@asynccontextmanager
async def serving(
    folder: Path, workers: int = 2, demo: bool = False, more: Mapping[str, str] | None = None
) -> AsyncGenerator[Connection]:
    """Open the shop of a folder, and close it at the end. `more`: settings, as environment."""
    port = free_port()
    command = [sys.executable, "-m", "mercat", "serve", "--data", str(folder)]
    command += ["--port", str(port), "--workers", str(workers), "--demo" if demo else "--no-demo"]
    log = Path(folder, "serve.log").open("wb")
    shop = await asyncio.create_subprocess_exec(
        *command, stdout=log, stderr=log, env={**os.environ, **(more or {})}
    )
    try:
        await _until_ready(port, shop, Path(folder, "serve.log"))
        connection = Home(folder).running()
        assert connection, "a shop that is ready is running"
        yield connection
    finally:
        if shop.returncode is None:
            shop.send_signal(signal.SIGINT)
        await shop.wait()
        log.close()


async def _until_ready(port: int, shop: asyncio.subprocess.Process, log: Path) -> None:
    async with (
        asyncio.timeout(_OPEN_WITHIN_S),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        while True:
            if shop.returncode is not None:
                raise RuntimeError(f"the shop did not open:\n{log.read_text()[-3_000:]}")
            try:
                if (await http.get("/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


def free_port() -> int:
    """Find a port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@asynccontextmanager
async def staff(connection: Connection, more: Mapping[str, str] | None = None) -> AsyncGenerator[Shop]:
    """Connect to the services of a running shop, to set a scene quickly without HTTP."""
    loaded = settings.load({**os.environ, **connection.environment(), **(more or {})})
    async with AsyncExitStack() as stack:
        shop = await build_shop(loaded, stack)
        await shop.host.lease_worker()
        yield shop


async def audited(connection: Connection) -> list[Finding]:
    """Audit a running shop, by its reading role."""
    reader = await asyncpg.connect(**connection.postgres("mercat_audit"))
    try:
        return await audit(reader)
    finally:
        await reader.close()


def cpu_of(process: int) -> float:
    """Return the CPU time so far of a process, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_s(part: str) -> float:
    """Sum the CPU time so far of all processes below this one whose command ends in `part`."""
    total = 0.0
    for process in children():
        with suppress(OSError):
            command = Path(f"/proc/{process}/cmdline").read_text().rstrip("\0").replace("\0", " ")
            if command.endswith(part):
                total += cpu_of(process)
    return total


def memory_mb() -> float:
    """Sum the PSS of all processes below this one, engines too."""
    total = 0
    for process in children():
        with suppress(OSError):
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return round(total / 1024, 1)


def children() -> list[int]:
    """All processes that this one started, and theirs."""
    found: list[int] = []
    below = [os.getpid()]
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(int(stat.read_text().rsplit(")", 1)[1].split()[1]), []).append(
                int(stat.parent.name)
            )
    while below:
        direct = parents.get(below.pop(), [])
        below += direct
        found += direct
    return found
