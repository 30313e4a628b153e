"""What time it is, from one place that a test can drive."""

from collections.abc import Callable
from datetime import UTC, datetime


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
