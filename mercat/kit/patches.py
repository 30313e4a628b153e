"""The internals of libraries that we change or reach into: each with its version, and why.

Nothing else in the package does so. After an update of one of these libraries, measure again, and delete what
has become needless; each is written so that a version without the thing it changes still works."""

import atexit
import gc
import os
from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from asyncpg.exceptions._base import DataError as ArgumentError  # pyright: ignore[reportPrivateUsage]
from asyncpg.protocol import protocol
from libvalkey import pack_command
from prometheus_client import values
from valkey.asyncio import Valkey

if TYPE_CHECKING:
    from granian.server.embed import Server

__all__ = [
    "ArgumentError",
    "end_what_failed",
    "keep_process_id",
    "keep_struct_types_at_exit",
    "pack_commands_in_c",
    "remember_types",
    "send_only_lists_as_arrays",
    "server_on",
]
_BACKLOG = 2_048
_FIRST_OID_OF_ITS_OWN = 10_000
"""PostgreSQL gives the types below this one the same numbers in every database (access/transam.h)."""

# asyncpg 0.32.0: raised for an argument that cannot be encoded. The public name `asyncpg.DataError` is the
# server's error, and the base class of this one, InterfaceError, is raised for lost connections too.


def keep_struct_types_at_exit() -> None:
    """Leave what is alive at the end of a process to the kernel.

    msgspec 0.22.0 frees a type of struct while another still points at it, when Python collects everything at
    its end: one process in some thirty died of signal 11 after all its work was done (its issue 717)."""
    atexit.register(gc.freeze)


def send_only_lists_as_arrays() -> None:
    """Make asyncpg tell arrays by their class.

    asyncpg 0.32.0 asks of every element of an array whether it is itself an array, by two abstract classes,
    which Python answers slowly. Ours are lists only. Sending a batch of 500 rows in ten arrays takes 0.48 ms
    instead of 0.81."""
    for name in ("IterableABC", "SizedABC"):
        if hasattr(protocol, name):
            setattr(protocol, name, (list, tuple))


def end_what_failed(kind: Any) -> None:
    """Make connections of this class note in `unfinished` that a statement failed.

    asyncpg 0.32.0 prepares a statement with a flush, not a sync. One that is cancelled before it is executed,
    or whose arguments cannot be encoded, leaves the server within a transaction that holds its tables until
    the next statement: a partition of the log was not dropped, and nobody read or wrote the log behind that.
    asyncpg relies on its reset query for this, which costs a round trip each time."""
    execute: Any = getattr(kind, "_do_execute", None)

    async def do_execute(self: Any, *given: Any, **named: Any) -> Any:
        try:
            return await execute(self, *given, **named)
        except BaseException:
            self.unfinished = True
            raise

    if execute is not None:
        kind._do_execute = do_execute


def remember_types(kind: Any) -> None:
    """Make connections of this class ask what a built-in type is once a process.

    asyncpg 0.32.0 asks the server on every connection what an array of bigint is, by a recursive query over
    the catalogue: to open a connection and ask for two arrays took 51 ms, and takes 20."""
    ask: Any = getattr(kind, "_introspect_types", None)
    known: dict[frozenset[int], Any] = {}

    async def introspect(self: Any, oids: Iterable[int], within_s: float | None) -> Any:
        asked = frozenset(oids)
        if asked in known:
            return known[asked], SimpleNamespace(name="remembered")  # named: nothing was prepared meanwhile
        types, statement = await ask(self, asked, within_s)
        if max(asked) < _FIRST_OID_OF_ITS_OWN:
            known[asked] = types
        return types, statement

    if ask is not None:
        kind._introspect_types = introspect


def pack_commands_in_c(client: Valkey) -> None:
    """Make a client write its commands by libvalkey, as it reads their answers already.

    valkey 6.2.0 writes them in Python: a command of 14 words takes 7.4 us, by libvalkey 4.2.1 1.2 us."""
    pool = client.connection_pool
    kind: Any = pool.connection_class

    class PackingConnection(kind):
        def pack_command(self, *args: Any) -> list[bytes]:
            return [pack_command(args)]

        def pack_commands(self, commands: Any) -> list[bytes]:
            return [b"".join([pack_command(command) for command in commands])]

    pool.connection_class = PackingConnection


def keep_process_id() -> None:
    """Make metrics that several processes share look up the process id once; call it before any is defined.

    prometheus-client 0.26.0 asks the kernel at every count whether the process was forked; ours never are.
    With the look-ups of the running loop this was 7 % of the samples of a web worker."""
    process = os.getpid()
    values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]


def server_on(listener: int | None) -> "type[Server]":
    """Return Granian's embedded server, on a socket that listens already.

    granian 2.8.7 opens a socket of its own in each process, whose waiting connections die with it; a socket
    handed over is what its processes get on other systems than Linux."""
    from granian._granian import SocketHolder
    from granian.server.embed import Server

    if listener is None:
        return Server
    kind: Any = Server
    holder: Any = SocketHolder

    class ServerOnSocket(kind):
        def _init_shared_socket(self) -> None:
            os.set_blocking(listener, False)
            self._ssp = None
            self._shd = holder(listener, False, _BACKLOG)

    return ServerOnSocket
