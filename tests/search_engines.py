"""Search on either engine: in a folder, and on a real OpenSearch where `make opensearch` has prepared one."""

import atexit
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path

import pytest

from mercat.lab.bench.shop import free_port
from mercat.search.engine import IndexStore
from mercat.search.engines.opensearch import OpenSearchStore
from mercat.search.engines.tantivy import TantivyStore

ENGINES = ("tantivy", "opensearch")
RUN = Path(__file__).parents[1] / ".opensearch" / "run"
STARTS_WITHIN_S = 300
_number = itertools.count(1)


class SearchNode:
    """A node that ends with this process, and sooner when it is killed. `bus`: its port for the others of a
    cluster, and the ports of all."""

    def __init__(self, *bus: str) -> None:
        if not RUN.exists():
            pytest.skip("OpenSearch is not prepared (make opensearch; needs a JDK 21+ and Maven)")
        self._home = Path(tempfile.mkdtemp(prefix="mercat-opensearch-"))
        said = (self._home / "said").open("wb")
        command = [RUN, self._home, "0", "tied", *bus]
        small = {"HEAP": "320m", "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"} if bus else {}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=said, stderr=said, env={**os.environ, **small}
        )
        atexit.register(self._stop)

    @cached_property
    def url(self) -> str:
        """Its address, once it answers."""
        until = time.monotonic() + STARTS_WITHIN_S
        while not (self._home / "address").exists():
            if self.process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"OpenSearch does not start: {(self._home / 'said').read_text()[-2_000:]}")
            time.sleep(0.1)
        return (self._home / "address").read_text()

    def die(self) -> None:
        """As after `kill -9`."""
        self.process.kill()
        self.process.wait()

    def _stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)
        shutil.rmtree(self._home, ignore_errors=True)


@cache
def node() -> str:
    """The address of a node that ends with this process."""
    return SearchNode().url


def three_nodes() -> list[SearchNode]:
    """Three nodes of a cluster."""
    ports = [str(free_port()) for _ in range(3)]
    return [SearchNode(port, ",".join(ports)) for port in ports]


@contextmanager
def place_of(engine: str, folder: Path) -> Iterator[IndexStore]:
    """An empty place for indexes."""
    if engine == "tantivy":
        yield TantivyStore(folder / "index")
        return
    place = OpenSearchStore(node(), f"shop-{os.getpid()}-{next(_number)}")
    yield place
    lose(place)
    place.http.close()


@pytest.fixture(params=ENGINES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IndexStore]:
    with place_of(request.param, tmp_path) as place:
        yield place


@pytest.fixture(scope="module", params=ENGINES)
def for_all(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexStore]:
    """The same for all tests of a file, which only read."""
    with place_of(request.param, tmp_path_factory.mktemp("index")) as place:
        yield place


def lose(place: IndexStore) -> None:
    """The index is gone, and nobody was told."""
    if isinstance(place, TantivyStore):
        shutil.rmtree(place.path)
    elif isinstance(place, OpenSearchStore):
        for path in place.http.ask("GET", f"/{place.name}-*/_alias"):
            place.http.ask("DELETE", f"/{path}")
