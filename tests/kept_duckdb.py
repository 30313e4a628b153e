"""One DuckDB for all shops of a test process: to make one costs 30 ms of CPU, to open a file with it two."""

import itertools
from collections import Counter
from typing import Any

import duckdb

_made = duckdb.connect
_kept: list[duckdb.DuckDBPyConnection] = []
_numbers = itertools.count(1)
_names: dict[str, str] = {}
_users: Counter[str] = Counter()


class OpenFile:
    """A connection to a file, which all who open it in this process share, as DuckDB has it anyway."""

    def __init__(self, file: str, config: dict[str, Any]) -> None:
        if not _kept:
            size = {name: config[name] for name in ("memory_limit", "threads")}
            _kept.append(_made(":memory:", config=size))
        if file not in _names:
            name = f"file_{next(_numbers)}"
            _kept[0].execute(f"attach '{file}' as {name}")
            _names[file] = name
        self._file = file
        _users[file] += 1
        self._db = self.cursor()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        return _kept[0].cursor().execute(f"use {_names[self._file]}")

    def close(self) -> None:
        self._db.close()
        if not self._file:
            return
        _users[self._file] -= 1
        if not _users[self._file]:
            _kept[0].execute(f"detach {_names.pop(self._file)}")
        self._file = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


def keep_duckdb() -> None:
    """Let engines, which say how large they may be, open their files with the kept one."""

    def connect(database: Any, config: dict[str, Any] | None = None) -> Any:
        return OpenFile(str(database), config) if config else _made(database)

    duckdb.connect = connect
