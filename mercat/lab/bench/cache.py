"""A cache before the shop, as a CDN would stand there: Varnish with the configuration beside this file."""

import asyncio
import re
import shutil
import socket
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import httpx

from mercat.embedded import Connection
from mercat.lab.bench.load import Load, request

CONFIGURATION = Path(__file__).parent / "varnish.vcl"
ABSENT = "there is no varnishd: `make varnish` installs it"
_POLLERS = (100, 1_000, 4_000)
"""Requests a second; the last step is as many as this machine can send."""


def there_is_one() -> bool:
    return shutil.which("varnishd") is not None


@asynccontextmanager
async def before(shop: Connection) -> AsyncGenerator[int]:
    """Run a cache before this shop, and yield its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="mercat-varnish-") as folder:
        file = Path(folder, "shop.vcl")
        text = CONFIGURATION.read_text().replace('.port = "8000"', f'.port = "{shop.port}"')
        file.write_text(text.replace('.host = "127.0.0.1"', f'.host = "{shop.host}"'))
        command = ["varnishd", "-F", "-j", "none", "-n", f"{folder}/work", "-f", str(file)]
        command += ["-a", f"127.0.0.1:{port}", "-s", "malloc,64m", "-p", "thread_pools=1"]
        log = Path(folder, "log").open("wb")
        varnish = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        try:
            await _until_it_answers(port, varnish, Path(folder, "log"))
            yield port
        finally:
            if varnish.returncode is None:
                varnish.terminate()
            await varnish.wait()
            log.close()


async def _until_it_answers(port: int, varnish: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(20), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        while True:
            if varnish.returncode is not None:
                raise RuntimeError(f"Varnish did not start: {log.read_text()[-2_000:]}")
            try:
                if (await http.get("/health")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def asked(shop: Connection, route: str) -> int:
    """How often the shop itself has answered this route (`GET /api/v1/…`)."""
    async with httpx.AsyncClient(base_url=f"http://{shop.host}:{shop.port}", timeout=20) as http:
        counts = (await http.get("/metrics")).text
    found = re.findall(
        rf'^mercat_requests_total{{route="{re.escape(route)}",.*}} (\S+)$', counts, re.MULTILINE
    )
    return int(sum(map(float, found)))


async def crowd(shop: Connection, sale_id: str, seconds: float) -> dict[str, Any]:
    """More and more people poll a sale's document behind a cache, each with cookies of their own: what comes
    through to the shop. People poll once a second, so requests a second are people."""
    if not there_is_one():
        return {"pollers": ABSENT}
    path = f"/api/v1/flash-sales/{sale_id}"
    steps: list[dict[str, Any]] = []
    async with before(shop) as port:
        for rate in (*_POLLERS, 0):
            asks = (request("GET", path, {"Cookie": f"mercat_session={n}"}) for n in range(50_000))
            polls = repeat(request("GET", path)) if not rate else asks
            before_it = await asked(shop, "GET /api/v1/flash-sales/{sale_id}")
            result = await Load(port, polls).run(64, seconds, rate)
            took = result.ended - result.began
            came = await asked(shop, "GET /api/v1/flash-sales/{sale_id}") - before_it
            steps.append(
                {
                    "people_polling": round(sum(result.statuses.values()) / took),
                    "reach_the_shop_per_s": round(came / took, 2),
                    "p99_ms": round(result.percentile(0.99), 2),
                    "not_200": sum(count for status, count in result.statuses.items() if status != 200),
                }
            )
    return {"pollers": steps}
