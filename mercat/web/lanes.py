"""Who may begin now: requests in lanes, each with a line of its own that nobody waits in for long.

A worker runs a few requests of a lane at a time and lets the others wait for their turn. So the wait is
known, and who would wait longer than the lane allows is refused at once. A line that stands has less patience
than one that a burst made, as in CoDel (Nichols and Jacobson, "Controlling Queue Delay", 2012). Where answers
themselves take too long, because the line is in an engine, fewer begin (additive increase, multiplicative
decrease).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import NamedTuple

from mercat.kit.refusals import Overloaded

_STANDING_S = 1.0
"""A line that has stood for so long is no burst."""
_STANDING_SHARE = 0.2
"""Of the patience that a burst meets."""
_LOOK_S = 0.1
_ANSWERS_MIN = 8
"""Fewer in a look say nothing of how long answers take."""
_SMOOTHING = 0.1


class LaneRules(NamedTuple):
    """How many requests of a lane run at a time, how long one may wait for its turn, and how long answers may
    take on average before fewer run, to `least`."""

    at_once: int
    wait_s: float
    answer_s: float
    least: int = 1


RULES: Mapping[str, LaneRules] = {
    "files": LaneRules(64, 0.5, 0.5, 16),
    "reads": LaneRules(256, 0.5, 0.5, 64),
    "search": LaneRules(8, 0.5, 0.5, 4),
    "pages": LaneRules(16, 0.5, 0.5, 8),
    "buying": LaneRules(1_000, 0.5, 0.4, 100),
    "buying pages": LaneRules(32, 1.0, 1.0, 16),
    "people": LaneRules(16, 2.0, 2.0, 8),
    "desk": LaneRules(16, 1.0, 2.0, 8),
    "papers": LaneRules(8, 2.0, 2.0, 2),
    "flash": LaneRules(1_000, 1.0, 1.0, 400),
}
"""What renders or searches is work of this process, a few at a time; what asks an engine runs by the hundred,
for what comes together goes into one statement."""

DEAR = frozenset({"search", "pages", "buying pages", "people", "desk", "papers"})
"""What costs this process milliseconds: a network has a smaller allowance of it."""
_GUESTS = "/api/v1/sessions/guest"
_PAPERS = ("/invoice", "/packing-slip")
"""How addresses end of what is written as PDF: a few at a time, and nobody who buys waits for them."""
_API_LANES = {
    "search": "search",
    "cart": "buying",
    "quotes": "buying",
    "orders": "buying",
    "addresses": "buying",
    "payment-methods": "buying",
    "shipping-methods": "buying",
    "payments": "buying",
    "sessions": "people",
    "accounts": "people",
    "account": "people",
    "seller": "desk",
    "sellers": "desk",
    "operator": "desk",
    "media": "desk",
    "flash-sales": "flash",
}
_PAGE_LANES = {
    "static": "files",
    "media": "files",
    "search": "search",
    "cart": "buying pages",
    "checkout": "buying pages",
    "orders": "buying pages",
    "sandbox": "buying pages",
    "signin": "people",
    "signout": "people",
    "register": "people",
    "forgot": "people",
    "reset": "people",
    "verify": "people",
    "desk": "desk",
    "operator": "desk",
    "sell": "desk",
    "flash": "flash",
}


def lane_of(path: str, *, reading: bool) -> str:
    """Return the lane of a request by its path's first noun; what has no lane of its own is a page, a read or
    a write, which asks the database as buying does. Sign-ins hash passwords: whoever makes many of them
    keeps neither guests nor readers of sessions waiting."""
    if path.endswith(_PAPERS):
        return "papers"
    if path[:8] == "/api/v1/":
        lane = _API_LANES.get(path[8:].partition("/")[0])
        if lane is None or (lane == "people" and (reading or path == _GUESTS)):
            return "reads" if reading else "buying"
        return lane
    return _PAGE_LANES.get(path[1:].partition("/")[0], "pages")


class Lane:
    """The requests of one kind in this process: those that run, and the line of those that wait."""

    def __init__(self, name: str, rules: LaneRules, now: Callable[[], float] = perf_counter) -> None:
        self.name = name
        self.running = 0
        self.limit = rules.at_once
        self._rules = rules
        self._now = now
        self._line: deque[tuple[asyncio.Future[None], float]] = deque()
        self._stands_since = 0.0
        self._turn_s = 0.0
        """Between two turns, on average, while some wait."""
        self._last_turn = 0.0
        self._sweeper: asyncio.TimerHandle | None = None
        self._look_at = 0.0
        self._most_running = 0
        self._answers = 0
        self._answers_s = 0.0

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._line)

    def refuses(self) -> bool:
        """Say whether who comes now would wait too long."""
        if not self._line:
            return False
        now = self._now()
        wait_s = max(now - self._line[0][1], len(self._line) * self._turn_s)
        return wait_s > self._patience_s(now)

    def begin(self) -> bool:
        """Take a turn if one is free."""
        if self.running >= self.limit or self._line:
            return False
        self.running += 1
        if self.running > self._most_running:
            self._most_running = self.running
        return True

    async def wait(self) -> None:
        """Wait for a turn, and take it; raise Overloaded where that takes too long."""
        if self.refuses():
            raise Overloaded
        now = self._now()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._line:
            self._stands_since = self._last_turn = now
        self._line.append((turn, now))
        self._sweep_later()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._stop()  # the turn came just as who waited went away
            raise

    def end(self, began: float) -> None:
        """Hand the turn on to who waits longest; `began`: when it was taken, by `perf_counter`."""
        now = self._now()
        self._answers += 1
        self._answers_s += now - began
        if now >= self._look_at and self._answers >= _ANSWERS_MIN:
            self._look(now)
        self._stop()

    def _stop(self) -> None:
        self.running -= 1
        if self._line:
            self._hand_on()

    def _hand_on(self) -> None:
        now = self._now()
        patience_s = self._patience_s(now)
        while self._line and self.running < self.limit:
            turn, since = self._line.popleft()
            if turn.done():
                continue
            if now - since > patience_s:
                turn.set_exception(Overloaded())
                continue
            since_last_s = now - self._last_turn
            self._turn_s += (since_last_s - self._turn_s) * (_SMOOTHING if self._turn_s else 1)
            self._last_turn = now
            self.running += 1
            turn.set_result(None)
        self._most_running = max(self._most_running, self.running)

    def _patience_s(self, now: float) -> float:
        standing = now - self._stands_since > _STANDING_S
        return self._rules.wait_s * (_STANDING_SHARE if standing else 1)

    def _sweep_later(self) -> None:
        """See to it that nobody waits too long where no turn ends at all."""
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._rules.wait_s, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        too_old = self._now() - self._rules.wait_s
        while self._line and (self._line[0][1] <= too_old or self._line[0][0].done()):
            turn, _ = self._line.popleft()
            if not turn.done():
                turn.set_exception(Overloaded())
        if self._line:
            self._sweep_later()

    def _look(self, now: float) -> None:
        """Let fewer run where answers take too long, and more where all turns were needed."""
        rules, most = self._rules, self._most_running
        if self._answers_s / self._answers > rules.answer_s and most * 2 >= self.limit:
            self.limit = max(rules.least, self.limit * 4 // 5)
        elif most >= self.limit:
            self.limit = min(rules.at_once, self.limit + self.limit // 10 + 1)
        self._look_at = now + _LOOK_S
        self._most_running = self.running
        self._answers, self._answers_s = 0, 0.0


class Lanes:
    """The lanes of a process."""

    def __init__(self) -> None:
        self._lanes = {name: Lane(name, rules) for name, rules in RULES.items()}

    def of(self, path: str, *, reading: bool) -> Lane:
        """Return the lane of a request."""
        return self._lanes[lane_of(path, reading=reading)]
