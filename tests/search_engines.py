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
from functools import cache
from pathlib import Path

import pytest

from mercat.search.engine import IndexStore
from mercat.search.engines.opensearch import OpenSearchStore
from mercat.search.engines.tantivy import TantivyStore

ENGINES = ("tantivy", "opensearch")
RUN = Path(__file__).parents[1] / ".opensearch" / "run"
STARTS_WITHIN_S = 150
_number = itertools.count(1)


@cache
def node() -> str:
    """The address of a node that ends with this process."""
    if not RUN.exists():
        pytest.skip("OpenSearch is not prepared (make opensearch; needs a JDK 21+ and Maven)")
    home = Path(tempfile.mkdtemp(prefix="mercat-opensearch-"))
    said = (home / "said").open("wb")
    process = subprocess.Popen([RUN, home, "0", "tied"], stdin=subprocess.PIPE, stdout=said, stderr=said)

    def stop() -> None:
        assert process.stdin
        process.stdin.close()
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(stop)
    until = time.monotonic() + STARTS_WITHIN_S
    while not (home / "address").exists():
        if process.poll() is not None or time.monotonic() > until:
            pytest.fail(f"OpenSearch does not start: {(home / 'said').read_text()[-2_000:]}")
        time.sleep(0.1)
    return (home / "address").read_text()


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
