"""`/health` and `/ready` on a port of their own, answered by the supervisor, which no load reaches.

A worker whose loop is full answers its own `/health` late; who decides by that whether to restart it makes
things worse. Here the answer takes a millisecond, from what the workers said within the last seconds.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from typing import NamedTuple

_PATIENCE_S = 0.5
_HEAD_BYTES_MAX = 4_096
_STATUS = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


class ShopState(NamedTuple):
    """Of the web workers: how many there should be, how many run, how many can sell."""

    workers: int
    running: int
    selling: int


class Probes:
    """The listener, in a thread: `state` is asked for each answer."""

    def __init__(self, host: str, port: int, state: Callable[[], ShopState]) -> None:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._state = state
        self._listener = socket.socket(family, kind)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(address)
        self._listener.listen(64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, name="probes", daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            with client, contextlib.suppress(OSError):
                client.settimeout(_PATIENCE_S)
                client.sendall(self._answer(_head(client)))

    def _answer(self, head: bytes) -> bytes:
        state = self._state()
        path = head.split(b" ", 2)[1].partition(b"?")[0] if head.count(b" ") >= 2 else b""
        well = {b"/health": state.running > 0, b"/ready": state.selling > 0}.get(path)
        status = 404 if well is None else 200 if well else 503
        body = json.dumps(state._asdict()).encode() if status != 404 else b"{}"
        return (
            f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: application/json\r\n"
            f"Cache-Control: no-store\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        ).encode() + (b"" if head.startswith(b"HEAD ") else body)


def _head(client: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD_BYTES_MAX:
        part = client.recv(_HEAD_BYTES_MAX)
        if not part:
            break
        head += part
    return head
