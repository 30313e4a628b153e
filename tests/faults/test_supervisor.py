"""A whole shop as a process of its own, killed in every way; a stand-in plays the worker."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
import valkey
from valkey.exceptions import ValkeyError

from mercat.embedded import RELOAD, Connection, Home, temporary
from mercat.embedded.home import read_json
from mercat.embedded.processes import Process, wait_until, working_in

BACK_WITHIN_S = 5
LINUX = sys.platform == "linux"

WORKER = """
import os, signal, sys, pathlib
import psycopg2
from mercat.embedded import Home, ready

home = Home(os.environ["MERCAT_DATA"])

def drain(*_):
    with psycopg2.connect(**home.running().postgres()) as connection, connection.cursor() as cursor:
        cursor.execute("select 'drained'")
        (home.path / "drained").write_text(cursor.fetchone()[0])
    sys.exit()

signal.signal(signal.SIGTERM, drain)
(home.path / "worker.pid").write_text(str(os.getpid()))
ready()
while True:
    signal.pause()
"""

SHOP = """
import sys
from mercat.embedded import Home, Program, Supervisor, Trouble

data, port, *worker = sys.argv[1:]
try:
    home = Home(data)
except Trouble as trouble:
    sys.exit(str(trouble))
programs = [Program("worker", [sys.executable, "-c", *worker])]
sys.exit(Supervisor(home, programs, host="127.0.0.1", port=int(port)).run())
"""


class Shop:
    """`mercat serve` on a home, seen from outside."""

    def __init__(self, home: Home, worker: str = WORKER, port: int = 0) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-c", SHOP, str(home.path), str(port), worker],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def opens(self) -> "Shop":
        wait_until(lambda: self.process.poll() is not None or self._is_open(), 30)
        assert self._is_open(), self.process.communicate()[1]
        return self

    def _is_open(self) -> bool:
        connection = self.home.running()
        return connection is not None and connection.open

    @property
    def connection(self) -> Connection:
        connection = self.home.running()
        assert connection
        return connection

    def pid(self, name: str) -> int:
        if name == "supervisor":
            return self.process.pid
        if name == "worker":
            return int((self.home.path / "worker.pid").read_text() or 0)
        return read_json(self.home.path / "engines.json")[name][0]

    def kill(self, *names: str) -> None:
        for pid in [self.pid(name) for name in names]:
            os.kill(pid, signal.SIGKILL)

    def stop(self, number: int = signal.SIGINT) -> str:
        """What it said, once it has stopped with exit code 0."""
        self.process.send_signal(number)
        said = self.process.communicate(timeout=30)[1]
        assert self.process.returncode == 0, said
        assert "Traceback" not in said
        return said

    def refuses(self) -> str:
        """The one line it says when it does not start."""
        said = self.process.communicate(timeout=30)[1]
        assert self.process.returncode == 1, said
        assert said.count("\n") == 1, said
        return said

    def sql(self, statement: str) -> Any:
        connection = psycopg2.connect(**self.connection.postgres())
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchone()[0] if cursor.description else None
        finally:
            connection.close()

    @property
    def store(self) -> valkey.Valkey:
        return valkey.Valkey.from_url(self.connection.store_url)

    def answers(self, name: str) -> bool:
        try:
            if name == "postgres":
                return self.sql("select 1") == 1
            if name == "worker":
                return Process.of(self.pid(name)) is not None
            return valkey.Valkey.from_url(getattr(self.connection, f"{name}_url")).ping() is True
        except (psycopg2.Error, ValkeyError, ValueError):
            return False


@pytest.fixture
def home() -> Iterator[Home]:
    with temporary() as home:
        yield home
        for name, (pid, born) in read_json(home.path / "engines.json").items():
            assert not Process(pid, born).lives(), f"{name} was left behind"


def test_it_opens_drains_its_workers_and_stops_its_engines_last(home: Home) -> None:
    shop = Shop(home).opens()
    engines = [Process.of(shop.pid(name)) for name in ("postgres", "store", "cache")]
    assert all(engines)
    assert (home.path / "shop.json").stat().st_mode & 0o777 == 0o600
    shop.stop()
    assert (home.path / "drained").read_text() == "drained", "PostgreSQL still answered the worker"
    assert not any(process.lives() for process in engines if process)
    assert home.running() is None
    assert not (home.path / "shop.json").exists()


def test_another_way_to_ask_it_to_stop(home: Home) -> None:
    Shop(home).opens().stop(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGHUP, RELOAD])
def test_workers_are_replaced_by_new_ones_which_are_ready_first(home: Home, number: signal.Signals) -> None:
    shop = Shop(home).opens()
    former = Process.of(shop.pid("worker"))
    shop.process.send_signal(number)
    assert wait_until(lambda: shop.connection.reloads == 1, 20)
    assert former
    assert not former.lives()
    assert (home.path / "drained").exists()
    assert shop.answers("worker")
    assert "The workers are replaced." in shop.stop()


def test_a_worker_that_cannot_be_replaced_stays(home: Home) -> None:
    breakable = WORKER.replace(
        "\ndef drain", "(home.path / 'broken').exists() and sys.exit('broken')\n\ndef drain"
    )
    shop = Shop(home, breakable).opens()
    former = Process.of(shop.pid("worker"))
    (home.path / "broken").touch()
    shop.process.send_signal(RELOAD)
    assert wait_until(lambda: bool(shop.connection.reload_trouble), 20)
    assert former
    assert former.lives()
    assert "The former workers go on." in shop.stop()


def test_a_worker_that_cannot_even_be_started_leaves_nothing_behind(home: Home) -> None:
    shop = Shop(home).opens()
    former = Process.of(shop.pid("worker"))
    open_files = Path(f"/proc/{shop.process.pid}/fd")
    before = len([*open_files.iterdir()])
    (home.path / "moved_in.json").mkdir()  # nobody can read it
    shop.process.send_signal(RELOAD)
    assert wait_until(lambda: bool((running := home.engines()) and running.reload_trouble), 20)
    assert wait_until(lambda: len([*open_files.iterdir()]) == before, 5)
    (home.path / "moved_in.json").rmdir()
    assert former
    assert former.lives()
    shop.process.send_signal(RELOAD)
    assert wait_until(lambda: shop.connection.reloads == 2, 20)
    assert shop.connection.reload_trouble == ""
    said = shop.stop()
    assert said.count("worker cannot be run") == 1


def test_a_second_ctrl_c_does_not_wait_for_a_worker_that_will_not_stop(home: Home) -> None:
    stubborn = WORKER.replace("    sys.exit()", "    while True: signal.pause()")
    shop = Shop(home, stubborn).opens()
    shop.process.send_signal(signal.SIGINT)
    assert wait_until((home.path / "drained").exists, 5)
    shop.stop()


@pytest.mark.parametrize("name", ["postgres", "store", "cache", "worker"])
def test_what_is_killed_is_back_in_time(home: Home, name: str) -> None:
    shop = Shop(home).opens()
    shop.sql("create table kept as select 7 as it")
    shop.store.set("kept", "7")
    shop.store.waitaof(1, 0, 0)
    before = shop.pid(name)
    shop.kill(name)
    assert wait_until(lambda: shop.pid(name) != before and shop.answers(name), BACK_WITHIN_S)
    assert shop.sql("select it from kept") == 7
    assert shop.store.get("kept") == b"7"
    said = shop.stop()
    assert "died (signal 9); it is started again" in said


def test_after_everything_is_killed_nothing_that_was_committed_is_lost(home: Home) -> None:
    shop = Shop(home).opens()
    shop.sql("create table kept as select 7 as it")
    shop.store.set("kept", "7")
    shop.store.waitaof(1, 0, 0)
    shop.kill("supervisor", "postgres", "store", "cache", "worker")
    shop.process.communicate()
    assert home.running() is None
    shop = Shop(home).opens()
    assert shop.sql("select it from kept") == 7
    assert shop.store.get("kept") == b"7"
    shop.stop()


@pytest.mark.skipif(not LINUX, reason="only Linux tells a child that its parent died")
def test_nothing_outlives_a_killed_supervisor(home: Home) -> None:
    shop = Shop(home).opens()
    processes = [Process.of(shop.pid(name)) for name in ("postgres", "store", "cache", "worker")]
    shop.kill("supervisor")
    shop.process.communicate()
    assert wait_until(lambda: not any(process.lives() for process in processes if process), 10)
    Shop(home).opens().stop()


@pytest.mark.skipif(not LINUX, reason="finds the orphans in /proc")
def test_a_busy_child_of_a_killed_postmaster_does_not_keep_it_from_coming_back(home: Home) -> None:
    shop = Shop(home).opens()
    asking = psycopg2.connect(**shop.connection.postgres(), async_=True)
    wait_until(lambda: asking.poll() == psycopg2.extensions.POLL_OK, 5)
    backend = asking.info.backend_pid
    asking.cursor().execute("do $$ begin loop end loop; end $$")
    assert wait_until(lambda: (Path(f"/proc/{backend}/stat").read_text().split()[2]) == "R", 5)
    before = shop.pid("postgres")
    shop.kill("postgres")
    assert wait_until(lambda: shop.pid("postgres") != before and shop.answers("postgres"), BACK_WITHIN_S)
    assert Process.of(backend) is None
    shop.stop()


def test_a_second_shop_on_the_same_data_is_told_so(home: Home) -> None:
    shop = Shop(home).opens()
    said = Shop(home).refuses()
    assert f"{home.path} is in use by mercat serve (process {shop.process.pid})" in said
    assert shop.answers("postgres")
    shop.stop()


def test_a_port_in_use_is_one_line(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = Shop(home, port=taken.getsockname()[1]).refuses()
    assert "of 127.0.0.1 is in use. Choose another with --port" in said


def test_a_data_folder_that_cannot_be_one_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", SHOP, str(tmp_path / "file"), "0", WORKER], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot be used" in done.stderr


def test_a_worker_that_cannot_start_ends_the_attempt(home: Home) -> None:
    shop = Shop(home, "import sys; sys.exit('no such setting')")
    said = shop.process.communicate(timeout=30)[1]
    assert shop.process.returncode == 1
    assert said.count("no such setting") == 3, "it had three tries"
    assert "worker does not start (exit code 1)" in said.splitlines()[-1]


def test_the_supervisor_is_light(home: Home) -> None:
    rollup = Path("/proc/self/smaps_rollup")
    if not rollup.exists():
        pytest.skip("this system does not tell the memory of a process")
    shop = Shop(home).opens()
    lines = Path(f"/proc/{shop.process.pid}/smaps_rollup").read_text().splitlines()
    pss_kb = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    shop.stop()
    assert pss_kb < 25_000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
def test_a_private_folder_stays_private(tmp_path: Path) -> None:
    """PostgreSQL cannot enter root's private folder: its files go elsewhere, and are found again."""
    from mercat.embedded.home import remove

    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    home = Home(private / "data")
    try:
        shop = Shop(home).opens()
        shop.sql("create table kept as select 7 as it")
        said = shop.stop()
        elsewhere = home.place("postgres")
        assert elsewhere
        assert f"PostgreSQL's files are in {elsewhere}" in said
        assert private.stat().st_mode & 0o777 == 0o700
        assert not list(working_in(elsewhere, "postgres"))
        shop = Shop(home).opens()
        assert shop.sql("select it from kept") == 7
        shop.stop()
    finally:
        remove(home)
    assert not elsewhere.parent.exists()


def test_an_engine_that_cannot_be_started_is_tried_until_it_can(home: Home) -> None:
    """A disk that was full kept PostgreSQL away for a minute: found by `mercat bench faults`."""
    shop = Shop(home).opens()
    folder, away = home.path / "cache", home.path / "moved"
    folder.rename(away)
    folder.write_text("a file in the way")
    shop.kill("cache")
    assert shop.process.stderr
    while "cannot be made" not in (line := shop.process.stderr.readline()):
        assert line, "it went without a word"
    assert "It is tried again." in line
    folder.unlink()
    away.rename(folder)
    assert wait_until(lambda: shop.answers("cache"), BACK_WITHIN_S)
    shop.stop()


PROBED = """
import sys
from mercat.embedded import Home, Program, Supervisor

data, port, worker = sys.argv[1:]
programs = [Program("web worker", [sys.executable, "-c", worker], sells=True)]
sys.exit(Supervisor(Home(data), programs, host="127.0.0.1", probe_port=int(port)).run())
"""

TELLING = """
import os, pathlib, time
from mercat.embedded import Readiness

home = pathlib.Path(os.environ["MERCAT_DATA"])
readiness = Readiness()
(home / "worker.pid").write_text(str(os.getpid()))
while True:
    readiness.tell((home / "can").exists())
    time.sleep(0.05)
"""


def probe(port: int, path: str) -> int:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5).status_code
    except httpx.TransportError:
        return 0


def test_the_supervisor_itself_says_whether_the_shop_lives_and_can_sell() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    with temporary() as home:
        can = Path(home.path, "can")
        command = [sys.executable, "-c", PROBED, str(home.path), str(port), TELLING]
        shop = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            assert wait_until(lambda: (home.path / "worker.pid").exists(), 30)
            assert (probe(port, "/health"), probe(port, "/ready")) == (503, 503), "nobody was ready yet"
            assert not getattr(home.running(), "open", None), "open means ready"
            can.touch()
            assert wait_until(lambda: probe(port, "/ready") == 200, 10)
            assert wait_until(lambda: bool(getattr(home.running(), "open", None)), 10)
            assert probe(port, "/health") == 200
            can.unlink()
            assert wait_until(lambda: probe(port, "/ready") == 503, 10)
            assert (probe(port, "/health"), probe(port, "/nothing")) == (200, 404)
            can.touch()
            assert wait_until(lambda: probe(port, "/ready") == 200, 10)
            os.kill(int((home.path / "worker.pid").read_text()), signal.SIGSTOP)
            assert wait_until(lambda: probe(port, "/ready") == 503, 10), "who is silent cannot sell"
            os.kill(int((home.path / "worker.pid").read_text()), signal.SIGKILL)
            assert wait_until(lambda: probe(port, "/ready") == 200, 20), "the next worker says so"
        finally:
            shop.send_signal(signal.SIGTERM)
            assert shop.wait(30) == 0
