"""A load generator small enough to share two cores with what it measures: keep-alive connections to one local
address, requests made beforehand as bytes, answers cut at their Content-Length.

Closed loop: every connection sends its next request when the last was answered (finds the best rate).
Open loop: requests are due at fixed times, and waiting counts (finds the latency at a rate)."""

import asyncio
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import cast

_BOUNDS_MS = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
_LOCAL = ("127.0.0.1", "::1")


class Result:
    """Latencies in seconds, answers by status, and how long it took."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.answered: list[float] = []
        """When each good answer came, after the beginning."""
        self.waited: list[float] = []
        """How long each good answer took, in the same order."""
        self.statuses: Counter[int] = Counter()
        self.bodies: list[bytes] = []
        self.began = perf_counter()
        self.ended = self.began

    @property
    def rate(self) -> float:
        """Successful answers a second."""
        good = sum(count for status, count in self.statuses.items() if 200 <= status < 300)
        return good / max(self.ended - self.began, 1e-9)

    def rate_between(self, begin_s: float, end_s: float) -> float:
        """Good answers a second in a part of the run: without the first, when the shop fills, and without the
        last, when nobody asks any more."""
        return sum(begin_s < at <= end_s for at in self.answered) / (end_s - begin_s)

    def rates(self, parts: int = 10) -> list[float]:
        """Good answers a second in each equal part of the run."""
        part = max(self.ended - self.began, 1e-9) / parts
        counts = Counter(min(int(at / part), parts - 1) for at in self.answered)
        return [round(counts[n] / part, 1) for n in range(parts)]

    def histogram(self) -> dict[str, int]:
        """How many answers took at most so many milliseconds, and longer than the bound before."""
        counts = Counter(bisect_left(_BOUNDS_MS, latency * 1_000) for latency in self.latencies)
        names = [*(str(bound) for bound in _BOUNDS_MS), "more"]
        return {name: counts[n] for n, name in enumerate(names)}

    def percentile(self, share: float) -> float:
        """Milliseconds that this share of the answers took at most."""
        return _percentile(self.latencies, share)

    def good_percentile(self, share: float, begin_s: float = 0.0) -> float:
        """Milliseconds that this share of the good answers took at most; of those that came from then on."""
        times = zip(self.answered, self.waited, strict=True)
        return _percentile([waited for at, waited in times if at > begin_s], share)


def _percentile(seconds: list[float], share: float) -> float:
    if not seconds:
        return 0.0
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1_000


class _Connection(asyncio.Protocol):
    def __init__(self, load: "Load") -> None:
        self._load = load
        self._buffer = bytearray()
        self._needed = 0
        self._due = 0.0
        self.asked = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._load.idle(self)

    def send(self, request: bytes, due: float) -> None:
        self._due, self.asked = due, request
        assert self.transport
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._needed:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(buffer[:end]).lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._needed = end + 4 + length
        if len(buffer) >= self._needed:
            status = int(buffer[9:12])
            body = bytes(buffer[: self._needed]) if self._load.keep_bodies else b""
            del buffer[: self._needed]
            self._needed = 0
            self._load.answered(self, status, self._due, body)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self)


class Load:
    """One run: `await Load(port, requests).run(connections=64, seconds=10)`."""

    def __init__(
        self,
        port: int,
        requests: Iterator[bytes],
        host: str = "127.0.0.1",
        *,
        keep_bodies: bool = False,
        heard: Callable[[bytes, int], None] | None = None,
    ) -> None:
        """`heard`: told of each request how it was answered (its status)."""
        if host not in _LOCAL:
            raise ValueError("load is for this machine only")
        self._host, self._port = host, port
        self._requests = requests
        self.keep_bodies = keep_bodies
        self._heard = heard
        self.result = Result()
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()
        self._ending = False
        self._busy = 0
        self._open_rate = 0.0
        self._done = asyncio.Event()
        self._closed_connections = 0

    async def run(self, connections: int, seconds: float, rate: float = 0.0) -> Result:
        """`rate` 0: closed loop. Ends after `seconds`, or when the requests are used up."""
        loop = asyncio.get_running_loop()
        self._open_rate = rate
        self.result.began = perf_counter()
        made = [
            await loop.create_connection(lambda: _Connection(self), self._host, self._port)
            for _ in range(connections)
        ]
        if rate:
            await self._open_loop(rate, seconds)
        else:
            loop.call_later(seconds, self._end)
        await self._done.wait()
        self.result.ended = perf_counter()
        for transport, _ in made:
            transport.close()
        return self.result

    async def _open_loop(self, rate: float, seconds: float) -> None:
        begin = perf_counter()
        sent = 0
        while not self._ending and (now := perf_counter()) < begin + seconds:
            due_by_now = int((now - begin) * rate) + 1
            while sent < due_by_now:
                self._waiting.append(begin + sent / rate)
                sent += 1
            self._feed()
            await asyncio.sleep(0.001)
        self._end()

    def _feed(self) -> None:
        while self._waiting and self._idle:
            self._next(self._idle.popleft(), self._waiting.popleft())

    def _end(self) -> None:
        self._ending = True
        if not self._busy:
            self._done.set()

    def idle(self, connection: _Connection) -> None:
        if self._open_rate:
            self._idle.append(connection)
            self._feed()
        else:
            self._next(connection, perf_counter())

    def _next(self, connection: _Connection, due: float) -> None:
        request = None if self._ending else next(self._requests, None)
        if request is None:
            self._ending = True
            if not self._busy:
                self._done.set()
            return
        self._busy += 1
        connection.send(request, due)

    def answered(self, connection: _Connection, status: int, due: float, body: bytes) -> None:
        self._busy -= 1
        result = self.result
        result.statuses[status] += 1
        now = perf_counter()
        result.latencies.append(now - due)
        if 200 <= status < 300:
            result.answered.append(now - result.began)
            result.waited.append(now - due)
        if body:
            result.bodies.append(body)
        if self._heard:
            self._heard(connection.asked, status)
        self.idle(connection)
        if self._ending and not self._busy:
            self._done.set()

    def lost(self, connection: _Connection) -> None:
        self._closed_connections += 1
        if not self._ending:
            self._end()


def request(verb: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """Write an HTTP/1.1 request as bytes."""
    lines = [f"{verb} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
