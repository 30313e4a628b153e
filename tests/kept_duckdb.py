"""One DuckDB for all shops of a test process: to make one costs 30 ms of CPU, to open a file with it two."""

import itertools
from collections import Counter
from contextlib import suppress
from typing import Any

import duckdb

_made = duckdb.connect
_numbers = itertools.count(1)


class _Instance:
    """A DuckDB, and the files that are attached to it: how each is called, and how many have it open."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.db = _made(":memory:", config={name: config[name] for name in ("memory_limit", "threads")})
        self._names: dict[str, str] = {}
        self._users: Counter[str] = Counter()

    def works(self) -> bool:
        """Say whether it answers: after a fatal error it never does again."""
        with suppress(duckdb.Error):
            self.db.execute("select 1")
            return True
        return False

    def open(self, file: str) -> str:
        if file not in self._names:
            name = f"file_{next(_numbers)}"
            self.db.execute(f"attach '{file}' as {name}")
            self._names[file] = name
        self._users[file] += 1
        return self._names[file]

    def let_go(self, file: str) -> None:
        self._users[file] -= 1
        if not self._users[file]:
            name = self._names.pop(file)
            if self.works():  # else all of it is let go with the instance
                self.db.execute(f"detach {name}")


_kept: list[_Instance] = []


def _kept_one(config: dict[str, Any]) -> _Instance:
    if _kept and not _kept[0].works():
        _kept.pop().db.close()
    if not _kept:
        _kept.append(_Instance(config))
    return _kept[0]


class OpenFile:
    """A connection to a file, which all who open it in this process share, as DuckDB has it anyway."""

    def __init__(self, file: str, config: dict[str, Any]) -> None:
        self._of = _kept_one(config)
        self._name = self._of.open(file)
        self._file = file
        self._db = self.cursor()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        return self._of.db.cursor().execute(f"use {self._name}")

    def close(self) -> None:
        self._db.close()
        if self._file:
            self._of.let_go(self._file)
        self._file = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


def keep_duckdb() -> None:
    """Let engines, which say how large they may be, open their files with the kept one."""

    def connect(database: Any, config: dict[str, Any] | None = None) -> Any:
        return OpenFile(str(database), config) if config else _made(database)

    duckdb.connect = connect
