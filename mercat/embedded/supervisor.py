"""`mercat serve`: one light process that starts engines and workers, restarts what dies, and stops it all.

It knows no service and sleeps in `select` until a signal, a child or a restart that is due wakes it.
"""

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import FrameType

from mercat.embedded import notify
from mercat.embedded.archive import LOOK_AGAIN, Archive
from mercat.embedded.engine import Engine
from mercat.embedded.engines import Engines
from mercat.embedded.home import Connection, Home, Trouble, environment_for
from mercat.embedded.postgres import strays
from mercat.embedded.probes import Probes, ShopState
from mercat.embedded.processes import dying_with_us
from mercat.embedded.readiness import CAN, LISTEN, READY

DRAIN_S = 10
RELOAD = signal.SIGUSR2
"""Replaces the workers one after another; SIGHUP does too, unless a terminal was closed."""
_REPLACED_WITHIN_S = 60
_BACKLOG = 2_048
_FIRST_DELAY_S, _LAST_DELAY_S = 0.2, 4.0
_SETTLED_S = 10
_ALARM_DEATHS, _ALARM_S = 10, 60
_HOPELESS_STARTS = 3
_LOG_CHECK_S = 60
_SILENCE_MAX_S = 5
"""A worker tells each second whether it can sell; one that is silent for longer cannot."""


@dataclass(frozen=True)
class Program:
    """A process to run: a worker that says `ready()`, or a step that ends by itself."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    sells: bool = False
    """Whether it answers requests, and says again and again whether the shop can sell."""
    listens: bool = False
    """Whether it is handed a socket that listens on the shop's port, and outlives it."""
    again: bool = False
    """Of a step before the workers: whether it is done again before they are replaced."""


class _Stop(Exception):
    """Somebody asked us to stop."""


class Worker:
    """Started like an engine: `start`, `ready`, `ask_to_stop`."""

    def __init__(
        self, program: Program, connection: Connection, listener: socket.socket | None = None
    ) -> None:
        self.program = program
        self.connection = connection
        self.listener = listener
        self.name = self.title = program.name
        self.process: subprocess.Popen[bytes] | None = None
        self.pipe: int | None = None
        self._was_ready = self._can = False
        self._heard_at = 0.0

    def start(self) -> None:
        self.close()
        self._was_ready = self._can = False
        self.pipe, writer = os.pipe()
        os.set_blocking(self.pipe, False)
        handed = {READY: writer} | ({LISTEN: self.listener.fileno()} if self.listener else {})
        told = {name: str(number) for name, number in handed.items()}
        try:
            self.process = subprocess.Popen(
                list(self.program.argv),
                stdin=subprocess.DEVNULL,
                env=environment_for(self.connection, {**self.program.environment, **told}),
                pass_fds=[*handed.values()],
                start_new_session=True,
                preexec_fn=dying_with_us(signal.SIGKILL),
            )
        except OSError as error:
            raise Trouble(f"{self.name} cannot be run: {error}.") from None
        finally:
            os.close(writer)

    def ready(self) -> bool:
        """Say whether it has been able to do its work once, by what it has told since."""
        if self.pipe is not None:
            with contextlib.suppress(BlockingIOError):
                if told := os.read(self.pipe, 4_096):
                    self._can, self._heard_at = told.endswith(CAN), time.monotonic()
                    self._was_ready = self._was_ready or CAN in told
                else:
                    self.close()
        return self._was_ready

    @property
    def can_sell(self) -> bool:
        """Whether it said a moment ago that the shop can sell."""
        return self._can and time.monotonic() - self._heard_at < _SILENCE_MAX_S

    def ask_to_stop(self, hurry: bool = False) -> None:
        if self.process and self.process.poll() is None:
            if hurry:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.terminate()

    def last_words(self) -> str:
        return "what it said is above"

    def close(self) -> None:
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None


class Child:
    """An engine or a worker that is to be kept alive."""

    def __init__(self, what: Engine | Worker) -> None:
        self.what = what
        self.deaths: deque[float] = deque(maxlen=_ALARM_DEATHS)
        self.attempts = 0
        """Starts since it last lived for a while."""
        self.started_at = 0.0
        self.due: float | None = None
        """When to start it again; None while it runs."""
        self.was_ready = False
        self.alarmed_at = -_ALARM_S * 1.0
        self.complaint = ""
        """Why it could not be started, as last reported."""

    @property
    def alive(self) -> bool:
        return self.what.process is not None and self.what.process.poll() is None

    def start(self) -> None:
        self.due = None
        self.started_at = time.monotonic()
        self.was_ready = False
        try:
            self.what.start()
        except OSError as error:
            raise Trouble(f"{self.what.title} cannot be started: {error.strerror or error}.") from error

    def bury(self, now: float) -> None:
        if now - self.started_at > _SETTLED_S:
            self.attempts = 0
        delay = min(_FIRST_DELAY_S * 2**self.attempts, _LAST_DELAY_S)
        self.attempts += 1
        self.deaths.append(now)
        self.due = now + delay

    @property
    def keeps_dying(self) -> bool:
        return len(self.deaths) == _ALARM_DEATHS and self.deaths[-1] - self.deaths[0] <= _ALARM_S

    def how_it_died(self) -> str:
        code = self.what.process.poll() if self.what.process else None
        if code is None:
            return "could not be started"
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _print(line: str) -> None:
    with contextlib.suppress(OSError):  # a closed terminal does not close the shop
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


class Supervisor:
    """`Supervisor(home, workers).run()` returns the exit code when everything has stopped.

    `before` are steps that run once, in order, between engines and workers (migrate, demo goods).
    `opened` is called when every worker is ready; `say` gets one line for each thing that happens.
    """

    def __init__(  # noqa: PLR0913  - a whole shop, by name
        self,
        home: Home,
        workers: Sequence[Program],
        *,
        before: Sequence[Program] = (),
        host: str = "",
        port: int = 0,
        probe_port: int = 0,
        opened: Callable[[Connection], None] = lambda _: None,
        say: Callable[[str], None] = _print,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.programs = workers
        self.before = before
        self.host, self.port, self.probe_port = host, port, probe_port
        self.opened, self.say = opened, say
        self.engines = Engines(home, settings)
        self._engines = [Child(engine) for engine in self.engines.all]
        self._workers: list[Child] = []
        self._archive: list[Child] = []
        """What receives the write-ahead log where backups are kept: one, or none."""
        self._passing: list[Child] = []
        """While workers are replaced: who comes and is not ready yet, and who is asked to go."""
        self._listeners: dict[str, socket.socket] = {}
        """By the name of the program that listens: connections wait here while it is replaced."""
        self._reload_asked = self._look_asked = False
        self._had_terminal = os.isatty(0)
        self._asked = 0
        self._closing = False

    def run(self) -> int:
        try:
            with self._signals(), self.home.lock("mercat serve"):
                for port in filter(None, (self.port, self.probe_port)):
                    check_port(self.host, port)
                self._bind()
                probes = Probes(self.host, self.probe_port, self.state) if self.probe_port else None
                try:
                    self._open()
                    while True:
                        self._pause(self._until_due())
                        self._restart_dead()
                        self._do_what_was_asked()
                except _Stop:
                    self.say("Stopping …")
                finally:
                    notify.tell("STOPPING=1")
                    self._close()
                    probes.close() if probes else None
        except _Stop:
            return 0
        except Trouble as trouble:
            self.say(str(trouble))
            return 1
        return 0

    def state(self) -> ShopState:
        """Count the workers that answer requests."""
        running = [
            child.what
            for child in self._workers
            if isinstance(child.what, Worker) and child.what.program.sells and child.alive and child.was_ready
        ]
        expected = sum(program.sells for program in self.programs)
        return ShopState(expected, len(running), sum(worker.can_sell for worker in running))

    # Opening

    def _open(self) -> None:
        begun = time.monotonic()
        self.home.check_space()
        for child in self._engines:
            child.start()
        if remark := self.engines.postgres.remark:
            left = list(strays())
            more = f" ({len(left)} folders there belong to shops that are gone)" if left else ""
            self.say(f"{remark}{more}.")
        self._wait_first(self._engines)
        self.say(f"PostgreSQL and Valkey are ready after {time.monotonic() - begun:.1f} s.")
        self.connection = connection = self.engines.connection(self.host, self.port, len(self.programs))
        self.home.announce(connection)
        for step in self.before:
            self._run_step(step, connection)
        for listener in self._listeners.values():
            listener.listen(_BACKLOG)
        self._workers = [self._worker(program) for program in self.programs]
        for child in self._workers:
            child.start()
        self._look_at_archive()
        self._wait_first(self._workers)
        self.connection = replace(connection, open=True)
        self.home.announce(self.connection)
        notify.tell("READY=1")
        self.opened(self.connection.where_it_is())

    def _bind(self) -> None:
        """Take the port, once for each worker that listens; the kernel shares connections out among them."""
        for program in self.programs:
            if program.listens and self.port:
                self._listeners[program.name] = bound(self.host, self.port)

    def _worker(self, program: Program) -> Child:
        return Child(Worker(program, self.connection, self._listeners.get(program.name)))

    def _wait_first(self, children: Sequence[Child]) -> None:
        """Until each has been ready. An engine that dies first is trouble; a worker may try three times."""
        while not all(child.was_ready for child in children):
            # Engines are asked; a worker's pipe and a dying child wake us by themselves.
            self._pause(0.01 if children is self._engines else self._until_due())
            for child in children:
                if child.alive:
                    child.was_ready = child.was_ready or child.what.ready()
                elif child.due is None:
                    if isinstance(child.what, Engine):
                        child.what.check()
                    if child.attempts + 1 >= _HOPELESS_STARTS:
                        how = child.how_it_died()
                        raise Trouble(
                            f"{child.what.title} does not start ({how}): {child.what.last_words()}."
                        )
            self._restart_dead()

    def _run_step(self, step: Program, connection: Connection) -> None:
        worker = Child(Worker(step, connection))
        worker.start()
        try:
            while worker.alive:
                self._pause(self._until_due())
                self._restart_dead()
        except _Stop:
            self._end([worker], DRAIN_S)
            raise
        finally:
            worker.what.close() if isinstance(worker.what, Worker) else None
        if worker.what.process and worker.what.process.returncode:
            raise Trouble(f"{step.name} failed ({worker.how_it_died()}): {worker.what.last_words()}.")

    # Replacing

    def _do_what_was_asked(self) -> None:
        if self._look_asked:
            self._look_asked = False
            self._look_at_archive()
        if self._reload_asked:
            self._reload_asked = False
            notify.tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            trouble = ""
            try:
                self._reload()
                self.say("The workers are replaced.")
            except Trouble as reason:
                trouble = str(reason)
                self.say(f"{trouble} The former workers go on.")
            self.connection = replace(
                self.connection, reloads=self.connection.reloads + 1, reload_trouble=trouble
            )
            self.home.announce(self.connection)
            notify.tell("READY=1")

    def _reload(self) -> None:
        """Replace each worker by a new one: the new one is ready before the former is asked to go."""
        for step in self.before:
            if step.again:
                self._run_step(step, self.connection)
        for n, program in enumerate(self.programs):
            newcomer = self._worker(program)
            self._passing.append(newcomer)
            try:
                newcomer.start()
            except Trouble:
                self._passing.remove(newcomer)
                self._let_go(newcomer)
                raise
            self._wait_for_newcomer(newcomer)
            former, self._workers[n] = self._workers[n], newcomer
            self._passing.remove(newcomer)
            self._passing.append(former)
            former.due = None
            former.what.ask_to_stop()
            self._wait_for_former(former)

    def _wait_for_newcomer(self, newcomer: Child) -> None:
        end = time.monotonic() + _REPLACED_WITHIN_S
        while not (newcomer.was_ready or newcomer.what.ready()):
            if not newcomer.alive or time.monotonic() >= end:
                how = "it is not ready" if newcomer.alive else newcomer.how_it_died()
                newcomer.what.ask_to_stop(hurry=True)
                self._passing.remove(newcomer)
                self._let_go(newcomer)
                raise Trouble(f"{newcomer.what.title} cannot be replaced ({how}).")
            self._pause(min(self._until_due(), 0.5))
            self._restart_dead()
        newcomer.was_ready = True

    def _wait_for_former(self, former: Child) -> None:
        end = time.monotonic() + 2 * DRAIN_S
        while former.alive:
            if time.monotonic() >= end:
                former.what.ask_to_stop(hurry=True)
            former.what.ready()  # what it still says would wake us without end
            self._pause(min(self._until_due(), 0.5))
            self._restart_dead()
        self._passing.remove(former)
        self._let_go(former)

    def _let_go(self, child: Child) -> None:
        if isinstance(child.what, Worker):
            child.what.close()

    def _look_at_archive(self) -> None:
        """Receive the write-ahead log where the record says so, and nowhere else."""
        kept = Archive.of(self.home.path)
        self._end(self._archive, DRAIN_S)
        for child in self._archive:
            self._let_go(child)
        self._archive = []
        if kept:
            program = Program("WAL archive", kept.command(), self.connection.libpq())
            self._archive = [Child(Worker(program, self.connection))]
            self._archive[0].start()

    # Keeping alive

    def _restart_dead(self) -> None:
        now = time.monotonic()
        for child in (*self._engines, *self._workers, *self._archive):
            if child.due is None and not child.alive:
                how = child.how_it_died()
                child.bury(now)
                self._tell(child, how, now)
            if child.due is not None and child.due <= now:
                self._start_again(child, now)
            elif child.alive and isinstance(child.what, Worker):
                child.was_ready = child.what.ready()

    def _start_again(self, child: Child, now: float) -> None:
        """Start a child; what cannot be started now (a full disk) is tried again later."""
        try:
            child.start()
        except Trouble as trouble:
            if not child.alive:
                child.bury(now)
            if str(trouble) != child.complaint:
                child.complaint = str(trouble)
                self.say(f"{trouble} It is tried again.")
        else:
            child.complaint = ""

    def _tell(self, child: Child, how: str, now: float) -> None:
        title = child.what.title
        if not child.keeps_dying:
            self.say(f"{title} died ({how}); it is started again.")
        elif now - child.alarmed_at > _ALARM_S:
            child.alarmed_at = now
            self.say(
                f"{title} has died {_ALARM_DEATHS} times within a minute ({how}): {child.what.last_words()}. "
                f"It is tried every {_LAST_DELAY_S:.0f} s."
            )

    def _until_due(self) -> float:
        children = (*self._engines, *self._workers, *self._archive)
        due = [child.due for child in children if child.due is not None]
        return max(0.0, min(due) - time.monotonic()) if due else _LOG_CHECK_S

    def _pause(self, seconds: float) -> None:
        """Sleep until something happens; a stop that was asked for ends the sleep and what it waits for."""
        if self._asked and not self._closing:
            raise _Stop
        pipes = [
            child.what.pipe
            for child in (*self._workers, *self._passing)
            if not self._closing
            and isinstance(child.what, Worker)
            and child.what.pipe is not None
            and child.alive
        ]
        awake, _, _ = select.select([self._bell, *pipes], [], [], seconds)
        if self._bell in awake:
            with contextlib.suppress(BlockingIOError):
                self._bell.recv(4096)
        if not awake:
            for child in self._engines:
                child.what.rotate_log() if isinstance(child.what, Engine) else None
        if self._asked and not self._closing:
            raise _Stop

    # Closing

    def _close(self) -> None:
        """Workers first, so that what they began is written; engines last."""
        self._closing = True
        self._end([*self._workers, *self._passing], DRAIN_S)
        for child in (*self._workers, *self._passing):
            self._let_go(child)
        for listener in self._listeners.values():
            listener.close()
        self._end(self._engines, 3 * DRAIN_S)  # PostgreSQL hands the archive all that it has, then goes
        self._end(self._archive, DRAIN_S)
        for child in self._archive:
            self._let_go(child)
        self.home.drop_sockets()

    def _end(self, children: Sequence[Child], patience: float) -> None:
        asked_before = self._asked
        for child in children:
            child.what.ask_to_stop()
        end = time.monotonic() + patience
        closing, self._closing = self._closing, True
        while any(child.alive for child in children):
            if time.monotonic() >= end or self._asked > asked_before:
                for child in children:
                    child.what.ask_to_stop(hurry=True)
                end, asked_before = time.monotonic() + 5, self._asked
            self._pause(0.2)
        self._closing = closing

    # Signals

    @contextlib.contextmanager
    def _signals(self) -> Generator[None]:
        """Signals ring a bell that `_pause` hears; nothing else happens in their handlers."""
        self._bell, ringer = socket.socketpair()
        self._bell.setblocking(False)
        ringer.setblocking(False)
        stops = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # `nohup` asks to stay
            stops.append(signal.SIGHUP)
        handlers = {number: signal.signal(number, self._ask) for number in stops}
        for number in (RELOAD, LOOK_AGAIN):
            handlers[number] = signal.signal(number, self._note)
        handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _wake)
        before = signal.set_wakeup_fd(ringer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self._bell.close()
            ringer.close()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and not (self._had_terminal and not os.isatty(0)):
            self._reload_asked = True
        else:
            self._asked += 1

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == RELOAD:
            self._reload_asked = True
        else:
            self._look_asked = True


def _wake(number: int, frame: FrameType | None) -> None:
    """Do nothing: that the signal has a handler lets it wake the supervisor."""


def bound(host: str, port: int) -> socket.socket:
    """Make a socket that has a port together with others of ours, and does not listen yet."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    return listener


def check_port(host: str, port: int) -> None:
    """Workers share their port, so two shops could too: the first to ask learns whether it is free."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Trouble(
                f"Port {port} of {host} is in use. Choose another with --port (make run PORT=…)."
            ) from None
        raise Trouble(f"Port {port} of {host} cannot be opened: {error.strerror}.") from None
