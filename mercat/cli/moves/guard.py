"""Looks after a hand-over: writers are kept out for its sake, so a command that dies must not leave it so.

A process of its own holds the other end of a pipe. When the command dies, or fails, it waits until the
command is gone, then lets writers in where the part was, or, where the shop's folder says already that it is
elsewhere, has the shop replace its processes. It tries for minutes: until then the shop refuses writes."""

import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from mercat.cli.moves.mover import MoveState, states
from mercat.cli.moves.parts import OneWriter, Way, of_part
from mercat.cli.run import replace_workers
from mercat.embedded import Home, Trouble, moved_in

_TRIES_FOR_S = 600
_TRIES_EVERY_S = 0.5
_READY = b"ready\n"


@contextmanager
def guarded(data: Path, part: str, way: Way) -> Generator[None]:
    """Have the block looked after: a block that does not end well is put right once we are gone.

    We do not wait for that: it waits for us, for the lock that we have."""
    command = [sys.executable, "-m", "mercat.cli.moves.guard", str(data), part, way]
    pipe = subprocess.PIPE
    guard = subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True)
    assert guard.stdin
    assert guard.stdout
    try:
        if guard.stdout.readline() != _READY:
            raise Trouble("Nobody could look after the hand-over, so it was not begun. Run this again.")
        yield
        with suppress(BrokenPipeError):  # it died: nothing is left for it to do
            guard.stdin.write(b"ended")
            guard.stdin.flush()
    finally:
        guard.stdout.close()
        with suppress(BrokenPipeError):
            guard.stdin.close()
    guard.wait()


def _look_after(data: Path, name: str, way: Way) -> None:
    sys.stdout.buffer.write(_READY)
    sys.stdout.flush()
    from mercat.cli.moves.open_shop import alone  # takes seconds: the hand-over begins meanwhile

    if sys.stdin.read():
        return
    end = monotonic() + _TRIES_FOR_S
    while True:
        try:
            with alone(data):  # the lock goes later than the pipe does
                asyncio.run(_put_right(data, name, way))
            return
        except Exception:
            if monotonic() > end:
                raise
        sleep(_TRIES_EVERY_S)


async def _put_right(data: Path, name: str, way: Way) -> None:
    """Let writers in unless it was handed over; what another command has ended meanwhile is left alone."""
    from mercat.cli.moves.open_shop import PARTS, MoveRowsOf, told_of

    shop, kind = Home(data).engines(), PARTS[name]
    if shop is None:
        return  # it is opened again with what its folder says
    if (await states(MoveRowsOf(shop))).get(name) != MoveState(way, "switching"):
        return
    settings = of_part(moved_in(data), kind)
    if bool(settings) == (way == "there"):
        await asyncio.to_thread(replace_workers, data)
        return
    part = kind(told_of(shop, settings))
    assert isinstance(part, OneWriter)
    await part.let_in(way)


if __name__ == "__main__":
    _data, _part, _way = sys.argv[1:]
    _look_after(Path(_data), _part, "there" if _way == "there" else "back")
