"""Facts on either engine: DuckDB in a folder, and ClickHouse where chDB is installed."""

import atexit
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from mercat.analytics.engine import FactEngine
from mercat.analytics.engines.clickhouse import ClickHouseEngine
from mercat.analytics.engines.duckdb import FILE, DuckDbEngine

_number = itertools.count(1)


class ClickHouse:
    """A ClickHouse that dies with this process, and sooner when told."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="mercat-clickhouse-")
        self._process: subprocess.Popen | None = None
        self.port = 0
        self.start()
        atexit.register(self._end)

    def start(self) -> None:
        script = Path(__file__).with_name("clickhouse_server.py")
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, script, self._folder, str(self.port)], stdin=pipe, stdout=pipe, text=True
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def die(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    def _end(self) -> None:
        self.die()
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_url(self) -> str:
        """The address of a database that nobody had."""
        return f"http://127.0.0.1:{self.port}/shop_{os.getpid()}_{next(_number)}"


@cache
def clickhouse() -> ClickHouse:
    if importlib.util.find_spec("chdb") is None:
        pytest.skip("chDB is not installed (uv sync; it has no wheel for this machine?)")
    return ClickHouse()


class Facts(NamedTuple):
    """A place for the facts of one shop: `open` opens it again and again, `settings` name it."""

    open: Callable[[], FactEngine]
    settings: dict[str, str]


def _facts(name: str, folder: Path) -> Facts:
    if name == "duckdb":
        return Facts(lambda: DuckDbEngine(folder / FILE, 256), {})
    url = clickhouse().new_url()
    return Facts(lambda: ClickHouseEngine(url), {"clickhouse_url": url})


@pytest.fixture(params=["duckdb", pytest.param("clickhouse", marks=pytest.mark.scale)])
def facts(request: pytest.FixtureRequest, tmp_path: Path) -> Facts:
    """For whole shops: those with ClickHouse take minutes."""
    return _facts(request.param, tmp_path)


@pytest.fixture(params=["duckdb", "clickhouse"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FactEngine]:
    engine = _facts(request.param, tmp_path).open()
    yield engine
    engine.close()
