"""Load on a shop whose workers are replaced again and again: who asks gets an answer, every time."""

import asyncio
import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from time import perf_counter

from mercat.embedded import Connection
from mercat.lab.bench.load import Result, request
from mercat.lab.bench.report import Report
from mercat.lab.bench.shop import audited, opened

_CLIENTS = 24
_ANSWERED_WITHIN_S = 30.0
_JSON = {"Content-Type": "application/json"}
REQUESTS = (
    request("GET", "/api/v1/products?limit=5"),
    request("POST", "/api/v1/sessions/guest", _JSON, b"{}"),
    request("GET", "/cart"),
    request("GET", "/api/v1/search?q=cup"),
)


class Clients:
    """Clients that keep their connections, as browsers and proxies do, and never ask twice."""

    def __init__(self, port: int, requests: Iterator[bytes] | None = None, pause_s: float = 0.0) -> None:
        self._port = port
        self._pause_s = pause_s
        self._requests = requests or itertools.cycle(REQUESTS)
        self.result = Result()
        self.lost: Counter[str] = Counter()
        """What was asked and never answered, by how that was seen."""
        self._stop = False
        self._tasks: list[asyncio.Task[None]] = []

    def come(self, count: int = _CLIENTS) -> None:
        """Begin to ask."""
        self.result.began = perf_counter()
        self._tasks = [asyncio.create_task(self._ask_on()) for _ in range(count)]

    async def leave(self) -> Result:
        """Ask no more; return what came of it."""
        self._stop = True
        await asyncio.gather(*self._tasks)
        self.result.ended = perf_counter()
        return self.result

    async def _ask_on(self) -> None:
        line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self._stop:
            began = perf_counter()
            try:
                async with asyncio.timeout(_ANSWERED_WITHIN_S):
                    line = line or await asyncio.open_connection("127.0.0.1", self._port)
                    status, ends = await _answer(line, next(self._requests))
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.lost[type(error).__name__] += 1
                await _close(line)
                line = None
                continue
            await asyncio.sleep(self._pause_s)
            self.result.statuses[status] += 1
            self.result.latencies.append(perf_counter() - began - self._pause_s)
            if ends:
                await _close(line)
                line = None
        await _close(line)


async def _answer(
    line: tuple[asyncio.StreamReader, asyncio.StreamWriter], question: bytes
) -> tuple[int, bool]:
    """Ask; return the status, and whether the answer was the last on this connection."""
    reader, writer = line
    writer.write(question)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    await reader.readexactly(length)
    return int(head[9:12]), b"connection: close" in head


async def _close(line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None) -> None:
    if line:
        line[1].close()
        with suppress(OSError):
            await line[1].wait_closed()


async def reload(shop: Connection) -> bytes:
    """Run `mercat reload`; return what it said. RuntimeError where it did not succeed."""
    command = (sys.executable, "-m", "mercat", "reload", "--data", shop.data)
    done = await asyncio.create_subprocess_exec(
        *command, stderr=asyncio.subprocess.PIPE, env={**os.environ, "MERCAT_DATA": shop.data}
    )
    _, said = await done.communicate()
    if done.returncode:
        raise RuntimeError(said.decode())
    return said


async def restarts(seconds: float, times: int = 10) -> Report:
    """Answers through so many replacements of all workers, within about as many seconds."""
    async with opened() as shop:
        clients = Clients(shop.port)
        clients.come()
        began = perf_counter()
        for n in range(times):
            await asyncio.sleep(max(0.0, began + n * seconds / times - perf_counter()))
            await reload(shop)
        result = await clients.leave()
        findings = await audited(shop)
    bad = {str(status): count for status, count in result.statuses.items() if status >= 400}
    wrong = [f"{count} requests without an answer: {how}" for how, count in clients.lost.items()]
    wrong += [f"{count} answers {status}" for status, count in bad.items()]
    return Report(
        name="restarts",
        rate_per_s=result.rate,
        floor_per_s=result.rate,
        ratio=1.0,
        p50_ms=result.percentile(0.5),
        p99_ms=result.percentile(0.99),
        audit_violations=sum(finding.violations for finding in findings),
        more={
            "restarts": times,
            "seconds": round(result.ended - result.began, 1),
            "answers": sum(result.statuses.values()),
            "longest_ms": round(result.percentile(1.0), 1),
            "lost": sum(clients.lost.values()),
            "wrong": wrong,
        },
    )
