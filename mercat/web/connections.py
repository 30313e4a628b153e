"""Connections that a network holds: bounded, by closing those that have said nothing for the longest.

The server accepts whatever the system lets it and says nothing of a connection before there is a request, so
the process looks at its own sockets. What an idle connection costs is a file and some kilobytes.
"""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mercat.web.networks import Proxies, address_in, is_loopback, network_of

_INFO = struct.Struct("=8s13I")
_FILES = Path("/proc/self/fd")
_IDLE_S = 2.0
"""One that has said or heard something since is in use."""
_LAST_SENT, _LAST_RECEIVED = 9, 11
"""Of the 32-bit numbers in `struct tcp_info` after its first eight bytes: milliseconds (linux/tcp.h)."""


class Connections:
    """The connections of this process to its port."""

    def __init__(self, port: int, most: int, spared: Proxies, *, loopback: bool = False) -> None:
        """Let a network hold `most`. `spared` are our own proxies; `loopback`: bound this machine too."""
        self._port = port
        self._most = most
        self._spared = spared
        self._loopback = loopback

    def close_idle(self) -> int:
        """Close what networks hold beyond the bound, the longest idle first; return how many."""
        if sys.platform != "linux" or len(os.listdir(_FILES)) <= self._most:
            return 0
        closed = 0
        held: dict[str, list[tuple[float, socket.socket]]] = {}
        try:
            for address, connection in self._open():
                held.setdefault(network_of(address), []).append((_idle_s(connection), connection))
            for connections in held.values():
                beyond = max(0, len(connections) - self._most)
                for idle_s, connection in sorted(connections, key=lambda pair: -pair[0])[:beyond]:
                    if idle_s >= _IDLE_S:
                        with suppress(OSError):
                            connection.shutdown(socket.SHUT_RDWR)
                            closed += 1
        finally:
            for connections in held.values():
                for _, connection in connections:
                    connection.close()
        return closed

    def used_within(self, seconds: float) -> bool:
        """Say whether anything came or went on some connection within the last seconds."""
        if sys.platform != "linux":
            return False
        used = False
        for _, connection in self._open():
            with connection:
                used = used or _idle_s(connection) < seconds
        return used

    def stop_accepting(self) -> None:
        """Leave connections that come to the other holders of the listening socket: nobody comes to the one
        that takes its place here. The server itself could only be told to close what it has as well."""
        if sys.platform != "linux":
            return
        with socket.socket() as nowhere:
            nowhere.bind(("127.0.0.1", 0))
            nowhere.listen(1)
            nowhere.setblocking(False)
            for name in os.listdir(_FILES):
                if int(name) != nowhere.fileno() and self._listens(int(name)):
                    os.dup2(nowhere.fileno(), int(name), inheritable=False)

    def _listens(self, number: int) -> bool:
        try:
            handle = socket.socket(fileno=os.dup(number))
        except OSError:
            return False
        with handle:
            try:
                return (
                    handle.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
                    and handle.getsockname()[1] == self._port
                )
            except (OSError, IndexError):
                return False

    def _open(self) -> Iterator[tuple[str, socket.socket]]:
        """Yield address and a second handle of each connection that counts; who gets it closes it."""
        for name in os.listdir(_FILES):
            try:
                handle = os.dup(int(name))
            except OSError:
                continue  # closed in the meantime, or the list's own
            try:
                connection = socket.socket(fileno=handle)
            except OSError:
                os.close(handle)
                continue
            address = self._address(connection)
            if address is None:
                connection.close()
            else:
                yield address, connection

    def _address(self, connection: socket.socket) -> str | None:
        try:
            if connection.family not in (socket.AF_INET, socket.AF_INET6):
                return None
            if connection.type != socket.SOCK_STREAM or connection.getsockname()[1] != self._port:
                return None
            address = address_in(connection.getpeername()[0])
        except OSError:
            return None
        if (is_loopback(address) and not self._loopback) or self._spared.own(address):
            return None
        return address


def _idle_s(connection: socket.socket) -> float:
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    numbers = _INFO.unpack(told)[1:]
    return min(numbers[_LAST_SENT], numbers[_LAST_RECEIVED]) / 1_000
