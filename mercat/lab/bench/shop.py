"""A shop of the benchmark's own: a real `mercat serve` in a temporary folder, gone afterwards."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import asyncpg
import httpx

from mercat import settings
from mercat.app import build_shop
from mercat.audit import Finding, audit
from mercat.embedded import Connection, Home
from mercat.embedded.engine import wait_ready
from mercat.embedded.home import OWNER, PORT
from mercat.embedded.postgres import Postgres
from mercat.shop import Shop

_OPEN_WITHIN_S = 90.0


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


@contextmanager
def order_cluster(folder: Path, key: str, more: Mapping[str, str] | None = None) -> Generator[Postgres]:
    """Run a PostgreSQL of its own for orders, of the shop with this key. `more`: settings of PostgreSQL's."""
    folder.mkdir(mode=0o711)
    (folder / "secret.key").write_text(key)
    postgres = Postgres(Home(folder), more)
    postgres.start()
    wait_ready([postgres])
    try:
        yield postgres
    finally:
        postgres.ask_to_stop(hurry=True)
        postgres.wait_stopped()


def address_of(postgres: Postgres) -> str:
    """Return the address by which settings name the database there."""
    return f"postgresql://{quote(str(postgres.sockets), safe='')}:{PORT}/{OWNER}"


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


def cpu_by_kind(kinds: Mapping[str, str], processes: Iterable[int] | None = None) -> dict[str, float]:
    """Sum the CPU time so far of processes, all below this one unless they are named, by the first kind whose
    part of a command they have."""
    found: dict[str, float] = {}
    for process in children() if processes is None else processes:
        with suppress(OSError):
            command = Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
            kind = next((kind for part, kind in kinds.items() if part in command), None)
            if kind:
                found[kind] = found.get(kind, 0) + cpu_of(process)
    return found


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


def children(*of: int) -> list[int]:
    """All processes that these started, this one if none is named, and theirs."""
    found: list[int] = []
    below = [*of] or [os.getpid()]
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
