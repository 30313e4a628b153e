"""The folder of one shop: its lock, its secret, its address for other commands."""

import contextlib
import errno
import fcntl
import hmac
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mercat.embedded.processes import Process, wait_until

OWNER = "mercat"
"""The database, and the role that owns it (a superuser; services have roles of their own)."""
PORT = 5432
ELSEWHERE = Path("/var/lib/mercat")
MOVED_IN = "moved_in.json"
MOVE_LOCK = "move.lock"
_LEFT = "moved_back.json"
"""Where parts were that are on their way back, until they have settled here."""
_RESTORING = "restoring"
"""A file that is there from the beginning of a restore to its end."""
_FREE_BYTES = 512 * 1024 * 1024
_SOCKET_PATH_MAX = 100  # the kernel takes 107 bytes; PostgreSQL's lock file beside the socket is longer


class Trouble(Exception):
    """What keeps a shop from starting, in one line that says what to do."""


@dataclass(frozen=True)
class Connection:
    """How to reach the engines of a shop that runs now."""

    data: str
    secret_key: str
    postgres_host: str
    postgres_port: int
    postgres_database: str
    store_url: str
    cache_url: str
    supervisor: int
    host: str = ""
    port: int = 0
    """Where it answers HTTP; 0 when only the engines run."""
    processes: int = 0
    """How many of the shop itself run, web workers and the one in the back."""
    open: bool = False
    """Every worker has been ready once."""
    reloads: int = 0
    """How often all workers were to be replaced."""
    reload_trouble: str = ""
    """Why they could not be replaced, the last time."""
    postgres_tls: str = "disable"
    postgres_tls_root: str = ""
    """As the settings of these names; the engines of this machine have no TLS."""

    def environment(self) -> dict[str, str]:
        """Return the `MERCAT_…` variables that processes of this shop read their settings from."""
        variables = {
            "DATA": self.data,
            "SECRET_KEY": self.secret_key,
            "POSTGRES_HOST": self.postgres_host,
            "POSTGRES_PORT": str(self.postgres_port),
            "POSTGRES_DATABASE": self.postgres_database,
            "STORE_URL": self.store_url,
            "CACHE_URL": self.cache_url,
        }
        if self.port:
            variables |= {"HOST": self.host, "PORT": str(self.port)}
        if self.supervisor:  # else the settings come from a file, all of them
            variables |= {name.upper(): value for name, value in moved_in(Path(self.data)).items()}
        return {f"MERCAT_{name}": value for name, value in variables.items()}

    def postgres(self, role: str = OWNER) -> dict[str, Any]:
        """Keyword arguments for `asyncpg.connect`; without TLS for `psycopg2.connect` alike."""
        if self.postgres_tls == "disable":
            return self._where(role)
        from mercat.settings import encryption  # which the supervisor never needs

        return self._where(role) | encryption(self.postgres_tls, self.postgres_tls_root)

    def psycopg2(self, role: str = OWNER) -> dict[str, Any]:
        """Keyword arguments for `psycopg2.connect`."""
        return self._where(role) | self._libpq_encryption()

    def _where(self, role: str) -> dict[str, Any]:
        return {
            "host": self.postgres_host,
            "port": self.postgres_port,
            "database": self.postgres_database,
            "user": role,
            "password": derive(self.secret_key, role),
        }

    def _libpq_encryption(self) -> dict[str, str]:
        if self.postgres_tls == "disable":
            return {}
        from mercat.settings import libpq_encryption  # the same

        return libpq_encryption(self.postgres_tls, self.postgres_tls_root)

    def dsn(self, role: str = OWNER) -> str:
        password = derive(self.secret_key, role)
        socket = quote(self.postgres_host, safe="")
        return f"postgresql://{role}:{password}@/{self.postgres_database}?host={socket}&port={self.postgres_port}"

    def where_it_is(self) -> "Connection":
        """Return how to reach the shop's database and store where they are now: `mercat move-in` may have
        moved them to servers elsewhere."""
        now = moved_in(Path(self.data))
        return replace(
            self,
            postgres_host=now.get("postgres_host", self.postgres_host),
            postgres_port=int(now.get("postgres_port", self.postgres_port)),
            postgres_database=now.get("postgres_database", self.postgres_database),
            store_url=now.get("store_url", self.store_url),
            cache_url=now.get("cache_url", self.cache_url),
            postgres_tls=now.get("postgres_tls", self.postgres_tls),
            postgres_tls_root=now.get("postgres_tls_root", self.postgres_tls_root),
        )

    def libpq(self, role: str = OWNER) -> dict[str, str]:
        """Environment for `psql` and `pgbench`, so that no password shows in a list of processes."""
        encryption = {f"PG{name.upper()}": value for name, value in self._libpq_encryption().items()}
        return encryption | {
            "PGHOST": self.postgres_host,
            "PGPORT": str(self.postgres_port),
            "PGDATABASE": self.postgres_database,
            "PGUSER": role,
            "PGPASSWORD": derive(self.secret_key, role),
        }


def moved_in(data: Path) -> dict[str, str]:
    """Return the settings by which parts of a shop are elsewhere: they win over what it was opened with."""
    return read_json(data / MOVED_IN)


def record_moved_in(data: Path, settings: Mapping[str, str]) -> None:
    """Keep those settings for every process that starts from now on, which is the folder's owner even where
    root writes them."""
    folder = data.stat()
    owner = (folder.st_uid, folder.st_gid) if os.geteuid() == 0 else None
    write_private(data / MOVED_IN, json.dumps(settings, indent=2), owner)


def left(data: Path) -> dict[str, str]:
    """Return the settings of what was left last on the way back: there are slots to drop there still."""
    return read_json(data / _LEFT)


def record_left(data: Path, settings: Mapping[str, str]) -> None:
    """Keep those settings for this command alone, or nothing of them once all is done there."""
    if settings:
        write_private(data / _LEFT, json.dumps(settings, indent=2))
    else:
        (data / _LEFT).unlink(missing_ok=True)


def derive(key: str, name: str) -> str:
    """Derive a password for a name, the same as `settings.Settings.secret` makes."""
    return hmac.new(key.encode(), name.encode(), sha256).hexdigest()


class Home:
    """`Home(path)` makes the folder when it is not there; nothing is started."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self._restores = False
        try:
            # Root's PostgreSQL runs as another account, which must be able to walk through.
            self.path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            self.path = self.path.resolve()
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Trouble(f"The data folder {self.path} cannot be used: {error.strerror}.") from None

    @staticmethod
    def made(path: Path) -> bool:
        """Whether there is a shop in this folder: a whole one."""
        return (path / "secret.key").is_file() and not (path / _RESTORING).exists()

    @contextlib.contextmanager
    def being_restored(self) -> Generator[None]:
        """Make a shop here of a backup: until the block has ended well it is none, and nobody opens it.

        What an earlier attempt has left is removed. The folder may be a mount point, so that no finished one
        could be renamed to its name."""
        mark = self.path / _RESTORING
        if mark.exists():
            if folder := self.place("postgres"):
                shutil.rmtree(folder.parent, ignore_errors=True)
            for path in self.path.iterdir():
                if path not in (mark, self.logs):
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        elif {path.name for path in self.path.iterdir()} - {self.logs.name, "lost+found"}:
            raise Trouble(f"{self.path} is not empty. Choose an empty folder with --data.")
        write_private(mark, "A shop is being restored here.\n")
        self._restores = True
        try:
            yield
        finally:
            self._restores = False
        mark.unlink()

    @property
    def logs(self) -> Path:
        return self.path / "log"

    def secret(self, name: str) -> str:
        return derive(self.key, name)

    @property
    def key(self) -> str:
        """The one secret of this shop; every password is derived from it, so nothing else is stored."""
        path = self.path / "secret.key"
        if not path.exists():
            if (self.place("postgres") or self.path / "postgres").exists():
                raise Trouble(f"{path} is gone, and without it nobody can sign in to the shop's PostgreSQL.")
            write_private(path, secrets.token_hex(32))
        return path.read_text().strip()

    def place(self, name: str) -> Path | None:
        """Return a recorded folder of this shop that lies outside of it."""
        recorded = read_json(self.path / "places.json").get(name)
        return Path(recorded) if recorded else None

    def record_place(self, name: str, place: Path) -> None:
        path = self.path / "places.json"
        write_private(path, json.dumps(read_json(path) | {name: str(place)}, indent=2))

    def sockets(self) -> Path:
        """Make a folder with a path short enough for sockets, or return the one made before."""
        folder = self.path / "run"
        if (
            len(os.fsencode(folder / "postgres" / f".s.PGSQL.{PORT}")) <= _SOCKET_PATH_MAX
            and self._is_open_to_all()
        ):
            folder.mkdir(mode=0o711, exist_ok=True)
            return folder
        if recorded := self._own_short_folder():
            return recorded
        folder = Path(tempfile.mkdtemp(prefix="mercat-", dir="/tmp"))
        folder.chmod(0o711)
        self.record_place("sockets", folder)
        return folder

    def drop_sockets(self) -> None:
        """When the engines have stopped: nothing of ours stays in a common folder."""
        if recorded := self._own_short_folder():
            shutil.rmtree(recorded, ignore_errors=True)

    def _own_short_folder(self) -> Path | None:
        """Return the recorded one if it is still ours: in a common folder somebody else could have taken
        its name."""
        folder = self.place("sockets")
        ours = folder and folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid()
        return folder if ours else None

    def _is_open_to_all(self) -> bool:
        """Whether other accounts can walk into the folder; only root's PostgreSQL needs that."""
        return os.geteuid() != 0 or all(
            folder.stat().st_mode & 0o001 for folder in (self.path, *self.path.parents)
        )

    def check_space(self, folder: Path | None = None) -> None:
        free = shutil.disk_usage(folder or self.path).free
        if free < _FREE_BYTES:
            raise Trouble(
                f"The disk is full: {free // 2**20} MB are left for {folder or self.path}, "
                f"and a shop needs {_FREE_BYTES // 2**20} MB to start."
            )

    @contextlib.contextmanager
    def lock(self, purpose: str) -> Generator[None]:
        """Only one process at a time runs engines on this folder. The lock goes with its process."""
        if (self.path / _RESTORING).exists() and not self._restores:
            raise Trouble(
                f"The shop in {self.path} was not restored to its end. "
                "Run `mercat restore` again: it begins anew."
            )
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Another command may be looking whether somebody is here, which takes the lock for an instant.
            if not wait_until(lambda: try_lock(descriptor, fcntl.LOCK_EX), 0.5):
                raise Trouble(self._whose())
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{purpose} (process {os.getpid()})".encode(), 0)
            self._address.unlink(missing_ok=True)
            try:
                yield
            finally:
                self._address.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def _whose(self) -> str:
        holder = (self.path / "lock").read_text().strip() or "another process"
        connection = self.running()
        at = f" on http://{connection.host}:{connection.port}" if connection and connection.port else ""
        return (
            f"The data folder {self.path} is in use by {holder}{at}. Stop it, or choose another with --data."
        )

    @property
    def _address(self) -> Path:
        return self.path / "shop.json"

    def is_moving(self) -> bool:
        """Whether a command moves a part of this shop now."""
        try:
            descriptor = os.open(self.path / MOVE_LOCK, os.O_RDONLY)
        except OSError:
            return False
        try:
            return not try_lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def running(self) -> Connection | None:
        """Find the shop that runs here, or the engines that some command started here: where its database and
        its store are now."""
        engines = self.engines()
        return engines.where_it_is() if engines else None

    def engines(self) -> Connection | None:
        """Find the engines that run here, also those whose part of the shop has moved elsewhere."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDONLY)
        except OSError:
            return None
        try:
            if try_lock(descriptor, fcntl.LOCK_SH):
                return None
        finally:
            os.close(descriptor)
        known = read_json(self._address)
        known.pop("postgres_dsn", None)
        if not known or not Process.of(known["supervisor"]):
            return None  # whoever has the lock now has not yet removed what a killed one left
        return Connection(secret_key=self.key, **known)

    def announce(self, connection: Connection) -> None:
        """From now on other commands find the shop."""
        public = asdict(connection)
        del public["secret_key"]
        write_private(self._address, json.dumps(public | {"postgres_dsn": connection.dsn()}, indent=2))


@contextlib.contextmanager
def temporary() -> Generator[Home]:
    """Make a home for one test or benchmark; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix="mercat-"))
    folder.chmod(0o711)
    home = Home(folder)
    try:
        yield home
    finally:
        remove(home)


def remove(home: Home) -> None:
    """Delete a shop with everything it keeps elsewhere."""
    for place in ("postgres", "sockets"):
        if folder := home.place(place):
            shutil.rmtree(folder.parent if place == "postgres" else folder, ignore_errors=True)
    shutil.rmtree(home.path, ignore_errors=True)


def try_lock(descriptor: int, how: int) -> bool:
    """Take a lock on an open file unless somebody has it."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise Trouble(f"The folder lies on a file system that cannot lock: {error.strerror}.") from None
    return True


def read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def write_private(path: Path, text: str, owner: tuple[int, int] | None = None) -> None:
    """Whole or not at all, and for its owner only."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if owner:
            os.chown(new, *owner)
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # else the name may be the former file's after the machine has died
        finally:
            os.close(folder)
    except OSError as error:
        raise Trouble(f"{path} cannot be written: {error.strerror}.") from None


def write_if_changed(path: Path, text: str, owner: tuple[int, int] | None = None) -> None:
    if not path.exists() or path.read_text() != text:
        write_private(path, text, owner)


def environment_for(connection: Connection, more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **connection.environment(), **more}
