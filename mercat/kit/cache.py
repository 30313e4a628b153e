"""Memory: the last answers, each for as long as it is good."""

import threading
import time
from typing import Generic, TypeVar

Key = TypeVar("Key")
Kept = TypeVar("Kept")


class Memory(Generic[Key, Kept]):
    """For several threads. What has not been asked for longest is forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[Key, tuple[float, Kept]] = {}
        self._lock = threading.Lock()

    def get(self, key: Key) -> Kept | None:
        with self._lock:
            known = self._kept.pop(key, None)
            if known is None or known[0] <= time.monotonic():
                return None
            self._kept[key] = known
            return known[1]

    def keep(self, key: Key, what: Kept, good_s: float) -> None:
        with self._lock:
            self._kept.pop(key, None)
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = (time.monotonic() + good_s, what)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
