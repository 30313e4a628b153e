"""What a child tells its supervisor. A child that runs by itself tells nobody."""

import contextlib
import os

READY = "MERCAT_READY_FD"
LISTEN = "MERCAT_LISTEN_FD"
"""Names the socket that a worker answers on: its supervisor keeps it while workers come and go."""
CAN, CANNOT = b"1", b"0"


class Readiness:
    """Whether this process can do its work, as often as it says so."""

    def __init__(self) -> None:
        descriptor = os.environ.pop(READY, "")
        self._pipe = int(descriptor) if descriptor else None
        if self._pipe is not None:
            os.set_blocking(self._pipe, False)  # a supervisor that does not listen holds nobody up

    def tell(self, can: bool) -> None:
        """Say whether this process can do its work now."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                os.write(self._pipe, CAN if can else CANNOT)

    def close(self) -> None:
        """Say no more; what was said last stays."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def handed_listener() -> int | None:
    """Return the number of the socket that the supervisor has handed over, if it did."""
    descriptor = os.environ.pop(LISTEN, "")
    return int(descriptor) if descriptor else None


def ready() -> None:
    """Call once, when this process can do its work."""
    readiness = Readiness()
    readiness.tell(True)
    readiness.close()
