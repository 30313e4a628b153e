"""Purchases with all services in one process, with three of them in another, and with orders in four
databases: in turn, in one run.

Every process is `mercat work` on one settings file, as on several machines."""

import asyncio
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from mercat.audit import audit_shop
from mercat.embedded import Connection, Home, engines
from mercat.lab.bench import floors
from mercat.lab.bench.checkout import ShopperPool, drained, invite, stock_shelves
from mercat.lab.bench.load import Result
from mercat.lab.bench.report import Report
from mercat.lab.bench.shop import (
    address_of,
    children,
    cpu_by_kind,
    cpu_of,
    free_port,
    order_cluster,
    staff,
)
from mercat.settings import Settings, load
from mercat.shop import Shop

APART = "inventory,payments,orders"
BEHIND = ("back", "relay")
PARTS = ("web", "inner", *BEHIND)
WHOLE = "whole"
"""A web process that has every service in it."""
_POSTGRES = {"max_connections": "500", "shared_buffers": "256MB"}
_ENGINES = {"valkey-server": "valkey", "kafka.Kafka": "kafka", "postgres": "postgres"}
_STARTS_WITHIN_S = 300
_BUYERS = 1_000
_AT_ONCE = 256
_LEAD_S = 2
_TURNS = 2


class Apart:
    """A shop whose processes are run one by one, on engines that are there."""

    def __init__(self, folder: Path, connection: Connection, more: str = "") -> None:
        self.ports = {name: free_port() for name in (*PARTS, WHOLE)}
        self.connection = replace(connection, host="127.0.0.1", port=self.ports["web"])
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self._folder = folder
        self._more = more
        self._log = folder / "processes.log"

    def config(self, apart: str) -> Path:
        """Write the settings file of a shop with these services in a process of their own."""
        connection = self.connection
        (secret := self._folder / "secret").write_text(connection.secret_key)
        services = "".join(
            f'{name} = "http://127.0.0.1:{self.ports["inner"]}"\n' for name in apart.split(",") if name
        )
        (file := self._folder / f"shop-{len(apart)}.toml").write_text(
            f'secret_key_file = "{secret}"\n'
            f'data = "{connection.data}"\n'
            f'postgres_host = "{connection.postgres_host}"\n'
            f"postgres_port = {connection.postgres_port}\n"
            f"{self._more}\n"
            f'[valkey]\nstore = "{connection.store_url}"\ncache = "{connection.cache_url}"\n'
            f"[services]\n{services}"
        )
        return file

    def settings(self) -> Settings:
        """Return the settings of a process that has every service in it."""
        return load({**os.environ, "MERCAT_CONFIG": str(self.config(""))})

    async def migrated(self) -> None:
        """Make the schema."""
        command = [sys.executable, "-m", "mercat", "migrate", "--config", str(self.config(""))]
        process = await asyncio.create_subprocess_exec(*command, stdout=sys.stderr)
        assert await process.wait() == 0, "the database was not migrated"

    async def start(self, apart: str, *names: str) -> None:
        """Start processes, the four parts unless they are named, and wait until they are ready."""
        for name in names or PARTS:
            role, more = ("web", ["--only", apart]) if name == "inner" else (name, [])
            role = "web" if name == WHOLE else role
            command = [sys.executable, "-m", "mercat", "work", role, "--config", str(self.config(apart))]
            command += ["--host", "127.0.0.1", "--port", str(self.ports[name]), *more]
            with self._log.open("ab") as log:
                self.processes[name] = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        await asyncio.gather(*(self._until_ready(name) for name in names or PARTS))

    async def kill(self, name: str) -> None:
        """Kill a process, without a word."""
        self.processes[name].kill()
        await self.processes.pop(name).wait()

    async def stop(self) -> None:
        """End all of them."""
        for name in [each for each in (WHOLE, *PARTS) if each in self.processes]:
            process = self.processes.pop(name)
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await process.wait()

    async def _until_ready(self, name: str) -> None:
        process = self.processes[name]
        address = f"http://127.0.0.1:{self.ports[name]}/ready"
        async with asyncio.timeout(_STARTS_WITHIN_S), httpx.AsyncClient() as http:
            while True:
                if process.returncode is not None:
                    raise RuntimeError(f"{name} did not start:\n{self._log.read_text()[-3_000:]}")
                with suppress(httpx.TransportError):
                    if (await http.get(address)).is_success:
                        return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def split(folder: Path, more: str = "") -> AsyncGenerator[Apart]:
    """Make a shop in this folder whose processes can be started; `more`: lines of its settings file."""
    with engines(Home(folder), "mercat bench apart", _POSTGRES) as connection:
        shop = Apart(folder, connection, more)
        await shop.migrated()
        try:
            yield shop
        finally:
            await shop.stop()


class _Way(NamedTuple):
    """A way to buy: at which process of which shop, with which others and engines, and who comes there."""

    shop: Apart
    door: str
    others: Sequence[str]
    engines: Collection[int]
    inside: Shop
    crowd: ShopperPool


class _Turn(NamedTuple):
    """What came of a turn; `cpu`: seconds, and `orders`, of its lead too, until all was told and digested."""

    result: Result
    orders: int
    cpu: Mapping[str, float]


async def apart(seconds: float, kafka: Path | None = None) -> Report:
    """Measure rate and CPU of an order: all services in one process, three in another, orders in four
    databases. `kafka`: a program that runs a broker, in which the log of the last one is then."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mercat-bench-")))
        folder.chmod(0o755)
        one = await stack.enter_async_context(split(folder / "one"))
        of_one = children()
        more = await _four_databases(folder, kafka, stack)
        four = await stack.enter_async_context(split(folder / "four", more))
        of_four = {*children()} - {*of_one, *children(*of_one)}
        at_one, at_four = [await _shoppers(shop, stack) for shop in (one, four)]
        await asyncio.gather(one.start("", WHOLE), one.start(APART), four.start("", WHOLE, *BEHIND))
        ways = {
            "all in one": _Way(one, WHOLE, BEHIND, of_one, *at_one),
            f"{APART} apart": _Way(one, "web", ("inner", *BEHIND), of_one, *at_one),
            f"orders in four databases{', log in Kafka' if kafka else ''}": _Way(
                four, WHOLE, BEHIND, of_four, *at_four
            ),
        }
        found: dict[str, list[_Turn]] = {name: [] for name in ways}
        for _ in range(_TURNS):
            for name, way in ways.items():
                found[name].append(await _measured(way, seconds / _TURNS))
        findings = [each for shop in (one, four) for each in await audit_shop(shop.settings())]
        floor = await floors.orders_in_sql(one.connection)
    return _report(found, floor, sum(finding.violations for finding in findings))


async def _four_databases(folder: Path, kafka: Path | None, stack: AsyncExitStack) -> str:
    """Start three more clusters, and a broker where there is one; return the lines that name them."""
    key = Home(folder / "four").key
    lines = '[orders.shards]\nmain = "0-255"\n'
    for n in (1, 2, 3):
        cluster = stack.enter_context(order_cluster(folder / f"orders_{n}", key, _POSTGRES))
        buckets = f"{n * 256}-{n * 256 + 255}"
        lines += f'orders_{n} = {{url = "{address_of(cluster)}", buckets = "{buckets}"}}\n'
    if kafka:
        port = await stack.enter_async_context(_broker(kafka, folder / "kafka"))
        lines += f'[log]\nkafka = ["127.0.0.1:{port}"]\n'
    return lines


@asynccontextmanager
async def _broker(run: Path, folder: Path) -> AsyncGenerator[int]:
    """Run a broker, and wait until somebody listens there."""
    folder.mkdir()
    port = free_port()
    with (folder / "said").open("wb") as said:
        command = [str(run.absolute()), str(folder), str(port), str(free_port())]
        broker = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=said)
    try:
        await _until_listening(port, broker)
        yield port
    finally:
        with suppress(ProcessLookupError):
            broker.kill()
        await broker.wait()


async def _until_listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(_STARTS_WITHIN_S):
        while process.returncode is None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.1)
    raise RuntimeError("the broker did not start")


async def _shoppers(shop: Apart, stack: AsyncExitStack) -> tuple[Shop, ShopperPool]:
    """Fill the shelves, and the carts of a crowd, now and from now on."""
    variables = {"MERCAT_CONFIG": str(shop.config(""))}
    inside = await stack.enter_async_context(staff(shop.connection, variables))
    offers = await stock_shelves(inside)
    crowd = ShopperPool(inside, await invite(inside, _BUYERS), offers)
    while await crowd.fill():
        pass
    stack.callback(asyncio.create_task(crowd.keep_filling()).cancel)
    return inside, crowd


async def _measured(way: _Way, seconds: float) -> _Turn:
    port, before = way.shop.ports[way.door], _cpu(way)
    lead = await way.crowd.run(port, _AT_ONCE, _LEAD_S)
    result = await way.crowd.run(port, _AT_ONCE, seconds)
    await drained(way.inside)
    cpu = {kind: spent - before.get(kind, 0) for kind, spent in _cpu(way).items()}
    return _Turn(result, lead.statuses[201] + result.statuses[201], cpu)


def _cpu(way: _Way) -> dict[str, float]:
    """Sum the CPU time so far of the shop's processes that take part, and of its engines."""
    ours = {name: cpu_of(way.shop.processes[name].pid) for name in (way.door, *way.others)}
    return ours | cpu_by_kind(_ENGINES, {*way.engines, *children(*way.engines)})


def _report(found: Mapping[str, Sequence[_Turn]], floor: float, violations: int) -> Report:
    ways = {name: _shown(turns) for name, turns in found.items()}
    first = next(iter(ways.values()))
    return Report(
        name="apart",
        rate_per_s=first["rate_per_s"],
        floor_per_s=floor,
        ratio=first["rate_per_s"] / floor,
        p50_ms=first["p50_ms"],
        p99_ms=first["p99_ms"],
        audit_violations=violations,
        more={**ways, "cores": os.cpu_count()},
    )


def _shown(turns: Sequence[_Turn]) -> dict[str, Any]:
    results, orders = [each.result for each in turns], sum(each.orders for each in turns)
    cpu = {kind: sum(each.cpu.get(kind, 0) for each in turns) for kind in turns[0].cpu}
    each_ms = {kind: round(spent / max(orders, 1) * 1_000, 3) for kind, spent in cpu.items()}
    return {
        "rate_per_s": round(_middle([each.rate for each in results]), 1),
        "p50_ms": round(_middle([each.percentile(0.5) for each in results]), 2),
        "p99_ms": round(_middle([each.percentile(0.99) for each in results]), 2),
        "orders": orders,
        "cpu_ms_an_order": {**each_ms, "all": round(sum(each_ms.values()), 3)},
        "statuses": dict(sum((each.statuses for each in results), Counter[int]())),
    }


def _middle(found: Sequence[float]) -> float:
    return sum(found) / len(found)
