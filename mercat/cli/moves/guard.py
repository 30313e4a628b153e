"""Looks after a hand-over: writers are kept out for its sake, so a command that dies must not leave it so.

A process of its own holds the other end of a pipe. When the command dies it lets writers in where the part
was, or, where the shop's folder says already that it is elsewhere, has the shop replace its processes."""

import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from mercat.cli.moves.parts import OneWriter, Way, of_part
from mercat.cli.run import replace_workers
from mercat.embedded import Home, Trouble, moved_in


@contextmanager
def guarded(data: Path, part: str, way: Way) -> Generator[None]:
    """Have the block looked after. It says that it has ended, well or not; where it says nothing, it died."""
    command = [sys.executable, "-m", "mercat.cli.moves.guard", str(data), part, way]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as guard:
        assert guard.stdin
        try:
            yield
        finally:
            guard.stdin.write(b"ended")
            guard.stdin.close()


def _look_after(data: Path, name: str, way: Way) -> None:
    from mercat.cli.move_in import PARTS, alone, told_of  # which imports this

    if sys.stdin.read():
        return
    with suppress(Trouble), alone(data):  # else another command is at it already
        shop, kind = Home(data).engines(), PARTS[name]
        if shop is None:
            return  # it is opened again with what its folder says
        settings = of_part(moved_in(data), kind)
        if bool(settings) == (way == "there"):
            replace_workers(data)
            return
        part = kind(told_of(shop, settings))
        assert isinstance(part, OneWriter)
        asyncio.run(part.let_in(way))


if __name__ == "__main__":
    _data, _part, _way = sys.argv[1:]
    _look_after(Path(_data), _part, "there" if _way == "there" else "back")
