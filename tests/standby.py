"""A PostgreSQL on a machine elsewhere, as far as a shop can see: a copy of its database that follows it."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mercat.embedded import programs
from mercat.embedded.postgres import Account
from mercat.lab.bench.shop import free_port


class Standby:
    """A server in a folder and on a port of its own."""

    def __init__(self, folder: Path, account: Account | None) -> None:
        self.folder = folder
        self.port = free_port()
        self._account = account
        self._process: subprocess.Popen[Any] | None = None

    def copy(self, source: Mapping[str, Any]) -> None:
        """Have it be what this server is, and follow that from now on."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(0o700)
        self._own(self.folder)
        copying = [programs() / "pg_basebackup", "-D", self.folder, "-R", "-X", "stream", "-c", "fast", "-w"]
        copying += ["-h", source["host"], "-p", source["port"], "-U", source["user"]]
        self._run(copying, PGPASSWORD=source["password"])
        (self.folder / "pg_hba.conf").write_text(
            "host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n"
        )
        conf = self.folder / "postgresql.conf"
        without = re.sub(r"(?m)^(listen_addresses|port|unix_socket_directories) .*\n", "", conf.read_text())
        conf.write_text(f"{without}listen_addresses = '127.0.0.1'\nport = {self.port}\n")
        self.start()

    def start(self) -> None:
        command = [programs() / "postgres", "-D", self.folder, "-c", "unix_socket_directories="]
        with self.folder.with_suffix(".log").open("ab") as said:
            self._process = subprocess.Popen(
                [*map(str, command)], stdout=said, stderr=said, **self._as_account(), env=_environment()
            )

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def toml(self) -> str:
        return f'[postgres]\nmain = "postgresql://127.0.0.1:{self.port}/mercat"\n'

    def settings(self) -> dict[str, str]:
        return {"postgres_host": "127.0.0.1", "postgres_port": str(self.port), "postgres_database": "mercat"}

    def _run(self, command: list[Any], **more: str) -> None:
        subprocess.run([*map(str, command)], check=True, env=_environment() | more, **self._as_account())

    def _as_account(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account[0], "group": self._account[1], "extra_groups": [], "cwd": "/"}

    def _own(self, path: Path) -> None:
        if self._account:
            os.chown(path, *self._account)


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}


@contextmanager
def standby(account: Account | None) -> Iterator[Standby]:
    """Make one, which follows nobody yet, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="mercat-there-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)  # root's PostgreSQL is another account's
        made = Standby(Path(folder, "there"), account)
        try:
            yield made
        finally:
            made.stop()
