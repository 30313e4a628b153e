"""A bounded cache whose entries expire."""

import threading
import time
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class ExpiringCache(Generic[Key, Value]):
    """Hold at most so many values, each for its own time; the least recently used goes first. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: dict[Key, tuple[float, Value]] = {}
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """Return the value, or None where there is none or it has expired."""
        with self._lock:
            entry = self._entries.pop(key, None)
            if entry is None or entry[0] <= time.monotonic():
                return None
            self._entries[key] = entry
            return entry[1]

    def put(self, key: Key, value: Value, ttl_s: float) -> None:
        """Store a value for so many seconds."""
        with self._lock:
            self._entries.pop(key, None)
            if len(self._entries) >= self._most:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = (time.monotonic() + ttl_s, value)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
