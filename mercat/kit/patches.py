"""The internals of libraries that we change or reach into: each with its version, and why.

Nothing else in the package does so. After an update of one of these libraries, measure again, and delete what
has become needless; each is written so that a version without the thing it changes still works."""

import os
from typing import Any

from asyncpg.exceptions._base import DataError as ArgumentError  # pyright: ignore[reportPrivateUsage]
from asyncpg.protocol import protocol
from libvalkey import pack_command
from prometheus_client import values
from valkey.asyncio import Valkey

__all__ = ["ArgumentError", "keep_process_id", "pack_commands_in_c", "send_only_lists_as_arrays"]

# asyncpg 0.32.0: raised for an argument that cannot be encoded. The public name `asyncpg.DataError` is the
# server's error, and the base class of this one, InterfaceError, is raised for lost connections too.


def send_only_lists_as_arrays() -> None:
    """Make asyncpg tell arrays by their class.

    asyncpg 0.32.0 asks of every element of an array whether it is itself an array, by two abstract classes,
    which Python answers slowly. Ours are lists only. Sending a batch of 500 rows in ten arrays takes 0.48 ms
    instead of 0.81."""
    for name in ("IterableABC", "SizedABC"):
        if hasattr(protocol, name):
            setattr(protocol, name, (list, tuple))


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
