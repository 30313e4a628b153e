"""Purchases in a shop of several processes, beside the same with all services in one: in turn, in one run.

Every process is `mercat work` on one settings file, as on several machines."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx

from mercat.embedded import Connection, Home, engines
from mercat.lab.bench import floors
from mercat.lab.bench.checkout import ShopperPool, invite, stock_shelves
from mercat.lab.bench.load import Result
from mercat.lab.bench.report import Report
from mercat.lab.bench.shop import audited, cpu_of, free_port, staff

APART = "inventory,payments,orders"
PARTS = ("web", "inner", "back", "relay")
WHOLE = "whole"
"""A web process that has every service in it."""
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
    settings = {"max_connections": "500", "shared_buffers": "256MB"}
    with engines(Home(folder), "mercat bench apart", settings) as connection:
        shop = Apart(folder, connection, more)
        await shop.migrated()
        try:
            yield shop
        finally:
            await shop.stop()


async def apart(seconds: float) -> Report:
    """Measure the rate and the CPU of an order: all in one process, and three services in another."""
    ways = {"all in one": WHOLE, f"{APART} apart": "web"}
    with tempfile.TemporaryDirectory(prefix="mercat-bench-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        async with split(folder) as shop:
            rates: dict[str, list[Result]] = {way: [] for way in ways}
            spent: dict[str, dict[str, float]] = {way: {} for way in ways}
            async with staff(shop.connection) as inside:
                offers = await stock_shelves(inside)
                crowd = ShopperPool(inside, await invite(inside, _BUYERS), offers)
                while await crowd.fill():
                    pass
                filling = asyncio.create_task(crowd.keep_filling())
                await asyncio.gather(shop.start("", WHOLE), shop.start(APART))
                for _ in range(_TURNS):
                    for way, door in ways.items():
                        rates[way].append(
                            await _measured(shop, door, crowd, seconds / _TURNS / 2, spent[way])
                        )
                filling.cancel()
            findings = await audited(shop.connection)
            floor = await floors.orders_in_sql(shop.connection)
    return _report(rates, spent, floor, sum(finding.violations for finding in findings))


async def _measured(
    shop: Apart, door: str, crowd: ShopperPool, seconds: float, spent: dict[str, float]
) -> Result:
    port = shop.ports[door]
    await crowd.run(port, _AT_ONCE, _LEAD_S)
    processes = {name: each.pid for name, each in shop.processes.items() if door == WHOLE or name != WHOLE}
    before = {name: cpu_of(process) for name, process in processes.items()}
    result = await crowd.run(port, _AT_ONCE, seconds)
    for name, process in processes.items():
        spent[name] = spent.get(name, 0) + cpu_of(process) - before[name]
    return result


def _report(
    rates: dict[str, list[Result]], spent: dict[str, dict[str, float]], floor: float, violations: int
) -> Report:
    whole, parts = rates
    orders = {way: sum(each.statuses[201] for each in found) for way, found in rates.items()}
    rate = {way: sum(each.rate for each in found) / len(found) for way, found in rates.items()}
    return Report(
        name="apart",
        rate_per_s=rate[parts],
        floor_per_s=floor,
        ratio=rate[parts] / floor,
        p50_ms=_middle([each.percentile(0.5) for each in rates[parts]]),
        p99_ms=_middle([each.percentile(0.99) for each in rates[parts]]),
        audit_violations=violations,
        more={
            "all_in_one_per_s": round(rate[whole], 1),
            "all_in_one_p50_ms": round(_middle([each.percentile(0.5) for each in rates[whole]]), 2),
            "all_in_one_p99_ms": round(_middle([each.percentile(0.99) for each in rates[whole]]), 2),
            "orders": orders,
            "cpu_ms_an_order": {
                way: {name: round(cpu / max(orders[way], 1) * 1_000, 3) for name, cpu in found.items()}
                for way, found in spent.items()
            },
            "statuses": {way: [dict(each.statuses) for each in found] for way, found in rates.items()},
            "cores": os.cpu_count(),
        },
    )


def _middle(found: Sequence[float]) -> float:
    return sum(found) / len(found)
