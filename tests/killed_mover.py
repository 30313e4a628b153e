"""A mover in a process of its own, which is killed -9 after a statement: any, or one of a name."""

import asyncio
import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import asyncpg

from mercat.resharding import BucketMover, opened
from mercat.settings import Settings

_PROCESSES = multiprocessing.get_context("forkserver")
_WITHIN_S = 60


async def moved_by_another(
    settings: Settings, buckets: list[int], to: str | None, at: int | str, noted: Path
) -> list[str]:
    """Move (`to` None: back) in another process, which is killed after its statement number `at`, or after
    the one, or what follows the one, of this name: `give`, `give+1`. Return its statements."""
    noted.write_text("")
    work = _PROCESSES.Process(target=_run, args=(settings, buckets, to, at, noted))
    work.start()
    await asyncio.to_thread(work.join, _WITHIN_S)
    assert work.exitcode in (0, -signal.SIGKILL), (at, work.exitcode)
    return [json.loads(line) for line in noted.read_text().splitlines()]


def _run(settings: Settings, buckets: list[int], to: str | None, at: int | str, noted: Path) -> None:
    with noted.open("a", buffering=1) as log:
        asyncpg.connect = partial(asyncpg.connect, connection_class=_counting(at, log.write))
        asyncio.run(_move(settings, buckets, to))


async def _move(settings: Settings, buckets: list[int], to: str | None) -> None:
    async with opened(settings) as found:
        mover = BucketMover(found, clear_after_s=0)
        await (mover.move(buckets, to) if to else mover.back(buckets))


def _counting(at: int | str, note: Callable[[str], object]) -> type[asyncpg.Connection]:
    done: list[str] = []
    name, _, more = str(at).partition("+")
    awaited = [int(more or 0)] if isinstance(at, str) else [at]

    def did(statement: str) -> None:
        if ".told */" in statement or ".alone */" in statement:
            return  # as often as it has to wait, and it changes nothing
        done.append(statement)
        note(json.dumps(statement[:60]) + "\n")
        if isinstance(at, int):
            dies = len(done) == at
        else:
            named = [n for n, each in enumerate(done) if f".{name} */" in each]
            dies = bool(named) and len(done) - 1 == named[0] + awaited[0]
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)

    class Counting(asyncpg.Connection):
        pass

    def counted(method: str):
        whole = getattr(asyncpg.Connection, method)

        async def ask(self, first, *given, **named):
            answer = await whole(self, first, *given, **named)
            did(first)
            return answer

        return ask

    for method in ("execute", "fetch", "fetchval", "fetchrow", "copy_to_table", "copy_from_query"):
        setattr(Counting, method, counted(method))
    return Counting
