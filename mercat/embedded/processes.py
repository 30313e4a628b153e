"""Processes: which one is which, how one dies with its parent, how one is stopped."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_PROC = Path("/proc")


class Process(NamedTuple):
    """A process that cannot be taken for another one that got its number later."""

    pid: int
    born: str

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """None when nobody lives there; a zombie does not live."""
        born = _born(pid)
        return cls(pid, born) if born else None

    def lives(self) -> bool:
        return _born(self.pid) == self.born

    def signal(self, number: int) -> None:
        if self.lives():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stop(self, number: int, patience: float) -> None:
        """Ask with `number`, insist with SIGKILL after `patience` seconds, return when it is gone."""
        self.signal(number)
        if not wait_until(lambda: not self.lives(), patience):
            self.signal(signal.SIGKILL)
            wait_until(lambda: not self.lives(), patience)


def _born(pid: int) -> str:
    try:
        # The name in brackets may hold spaces and brackets itself; the state is the first field after it.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return "" if _PROC.joinpath("self").exists() else _born_by_ps(pid)
    return "" if fields[0] in "ZX" else f"{_boot()}-{fields[19]}"


@cache
def _boot() -> str:
    """Which run of the machine this is: starting times count from its beginning."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return ""


def _born_by_ps(pid: int) -> str:
    told = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, born = told.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else born.strip()


def working_in(folder: Path, program: str) -> Iterator[Process]:
    """Find processes of this program that work in `folder`: orphans of a killed engine."""
    if not _PROC.joinpath("self").exists():
        return
    for entry in os.listdir(_PROC):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if os.readlink(_PROC / entry / "cwd") != str(folder):
                    continue
                if (_PROC / entry / "comm").read_text().strip() == program and (
                    process := Process.of(int(entry))
                ):
                    yield process


def environment_below(parent: int, argument: str) -> dict[str, str]:
    """Return the variables of a child of this process whose command has this argument; none where there is no
    such child, or where the system does not tell us."""
    for entry in os.listdir(_PROC) if _PROC.joinpath("self").exists() else ():
        with contextlib.suppress(OSError):
            if not entry.isdigit() or _parent(int(entry)) != parent:
                continue
            if argument in (_PROC / entry / "cmdline").read_text(errors="replace").split("\0"):
                lines = (_PROC / entry / "environ").read_text(errors="replace").split("\0")
                return dict(line.split("=", 1) for line in lines if "=" in line)
    return {}


def _parent(pid: int) -> int:
    fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return int(fields[1])


def dying_with_us(number: int) -> Callable[[], None] | None:
    """Make a `preexec_fn` after which the child gets signal `number` when this process dies, however it dies.

    Linux counts the death of the creating thread, so a child made in a passing thread is left alone.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl, parent = _LIBC.prctl, os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def wait_until(condition: Callable[[], bool], patience: float, pause: float = 0.01) -> bool:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(pause)
    return True
