"""What time it is, from one place that a test can drive."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones


class Clock:
    """The shop's clock: the machine's, or a test's."""

    def __init__(self) -> None:
        self._source: Callable[[], datetime] | None = None

    def now(self) -> datetime:
        """Return the present, in UTC."""
        return self._source() if self._source else datetime.now(UTC)

    def drive(self, source: Callable[[], datetime] | None) -> None:
        """Take the time from `source` from now on; None: from the machine again."""
        self._source = source


clock = Clock()


def now() -> datetime:
    """Return the present, in UTC."""
    return clock.now()


@cache
def _time_zones() -> frozenset[str]:
    """List the IANA names; `localtime` is what this machine has, which no engine knows."""
    return frozenset(available_timezones() - {"localtime"})


def time_zone(name: str) -> ZoneInfo | None:
    """Find a time zone by its IANA name; None for another."""
    return ZoneInfo(name) if name in _time_zones() else None
