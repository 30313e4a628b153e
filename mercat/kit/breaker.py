"""A circuit breaker for a service that the shop can do without: fails fast while that service does.

After `failures` in a row it opens for `rest_s`; then one caller may try (half open). An operator can switch
it off by hand before a sale; the others are armed then: they wait half as long, and open at the first
failure.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog

from mercat.kit import metrics
from mercat.kit.refusals import Overloaded, Refusal

T = TypeVar("T")
log = structlog.get_logger("mercat.breaker")


class Breaker:
    """The breaker of one service."""

    def __init__(self, name: str, *, timeout_s: float = 0.5, failures: int = 5, rest_s: float = 5.0) -> None:
        self.name = name
        self.off = self.armed = False
        self._timeout_s = timeout_s
        self._failures_max = failures
        self._rest_s = rest_s
        self._failures = 0
        self._open_until = 0.0

    @property
    def state(self) -> str:
        """closed (all is well), open (resting), or off (by hand)."""
        if self.off:
            return "off"
        return "open" if asyncio.get_running_loop().time() < self._open_until else "closed"

    @property
    def suspicious(self) -> bool:
        """Whether one failure more would open it: half open, or close to it."""
        return self._failures >= self._failures_max - 1

    async def ask(self, work: Awaitable[T], otherwise: T) -> T:
        """Return what `work` answers in time; `otherwise` when it fails, hangs, or the breaker is open."""
        if self.state != "closed":
            if asyncio.iscoroutine(work):
                work.close()
            return otherwise
        try:
            async with asyncio.timeout(self._timeout_s / 2 if self.armed else self._timeout_s):
                answer = await work
        except Exception as error:
            if isinstance(error, Refusal) and not isinstance(error, Overloaded):
                return otherwise  # it works; it only said no
            self.failed(error)
            return otherwise
        self.worked()
        return answer

    def failed(self, error: BaseException) -> None:
        """Count a failure; open at so many in a row."""
        self._failures += 1
        if self.armed or self._failures >= self._failures_max:
            self._open_until = asyncio.get_running_loop().time() + self._rest_s
            self._failures = self._failures_max - 1  # half open afterwards: one failure opens it again
            metrics.breaker_opened.labels(self.name).inc()
            log.warning("breaker opened", service=self.name, reason=type(error).__name__)

    def worked(self) -> None:
        """Note an answer: the failures before it do not count any more."""
        self._failures = 0
