"""What PostgreSQL and Valkey have in common: a program with a folder, a socket and a log."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from mercat.embedded.home import Home, Trouble, read_json, write_private
from mercat.embedded.processes import Process, dying_with_us, working_in

_LOG_BYTES = 16 * 1024 * 1024
_STOP_PATIENCE_S = 30


class Engine(ABC):
    """Started with `start`, asked with `ready`, stopped with `stop`; may be started again after it died."""

    title: str
    program: str
    """The name its processes go by."""
    stop_signal: signal.Signals
    """Ends it cleanly."""
    hurry_signal: signal.Signals
    """Ends it at once; the next start recovers."""

    def __init__(self, home: Home, name: str) -> None:
        self.home = home
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def log(self) -> Path:
        return self.home.logs / f"{self.name}.log"

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers; asked often while it starts."""

    @abstractmethod
    def last_words(self) -> str:
        """Why it died, as its log has it."""

    def spawn(self, argv: Sequence[str | Path], user: tuple[int, int] | None = None) -> None:
        self.rotate_log()
        with open(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(),
                start_new_session=True,
                preexec_fn=dying_with_us(self.stop_signal),
                user=user[0] if user else None,
                group=user[1] if user else None,
                extra_groups=[] if user else None,
            )
        records = self.home.path / "engines.json"
        if process := Process.of(self.process.pid):
            write_private(records, json.dumps(read_json(records) | {self.name: process}, indent=2))

    def end_leftovers(self, folder: Path) -> None:
        """End the engines that a killed supervisor left behind, before new ones start."""
        recorded = read_json(self.home.path / "engines.json").get(self.name)
        leader = Process(*recorded) if recorded else None
        if leader and leader.lives():
            leader.stop(self.stop_signal, _STOP_PATIENCE_S)
        orphans = list(working_in(folder, self.program))
        for orphan in orphans:
            orphan.signal(self.hurry_signal)
        for orphan in orphans:
            orphan.stop(self.hurry_signal, 1)

    def check(self) -> None:
        """Trouble when it died while it was starting."""
        if self.process is None or self.process.poll() is not None:
            raise Trouble(f"{self.title} did not start: {self.last_words()} ({self.log})")

    def ask_to_stop(self, hurry: bool = False) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(self.hurry_signal if hurry else self.stop_signal)

    def wait_stopped(self) -> None:
        """After `ask_to_stop`."""
        if self.process:
            try:
                self.process.wait(_STOP_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def rotate_log(self) -> None:
        """One old log is kept. The engine appends to the same file, so the file is emptied, not moved."""
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > _LOG_BYTES:
                shutil.copyfile(self.log, self.log.with_suffix(".log.old"))
                os.truncate(self.log, 0)

    def log_lines(self) -> list[str]:
        """Return the newest lines since the last start, the last one first."""
        try:
            with self.log.open("rb") as log:
                size = self.log.stat().st_size
                log.seek(max(self._log_start if size >= self._log_start else 0, size - 8192))
                return log.read().decode(errors="replace").splitlines()[::-1]
        except OSError:
            return []


def environment() -> dict[str, str]:
    """Ours without what would turn the head of PostgreSQL's programs."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_", "LANG", "NOTIFY_"))
    }
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def wait_ready(engines: Sequence[Engine], patience: float = 600) -> None:
    """Recovery after a crash may take long; an engine that is dead is reported at once."""
    end = time.monotonic() + patience
    waiting = list(engines)
    while waiting := [engine for engine in waiting if not engine.ready()]:
        for engine in waiting:
            engine.check()
        if time.monotonic() > end:
            raise Trouble(f"{waiting[0].title} is not ready after {patience:.0f} s: see {waiting[0].log}.")
        time.sleep(0.01)
