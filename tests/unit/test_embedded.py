"""The engines of one machine by themselves: secrets, leftovers, strangers, closed folders, a full disk."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from mercat import migrations
from mercat.cli.supervise import connections_for
from mercat.embedded import Home, Trouble, connected, engines, record_moved_in, temporary
from mercat.embedded import postgres as module
from mercat.embedded.home import remove, write_private
from mercat.embedded.postgres import Postgres
from mercat.embedded.processes import Process, wait_until
from mercat.embedded.supervisor import Child, Worker
from mercat.settings import Settings
from mercat.shop import SERVICES

ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not ROOT, reason="only root runs PostgreSQL as somebody else")


@pytest.fixture
def home() -> Iterator[Home]:
    with temporary() as home:
        yield home


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Home]:
    """In a folder that no other account can enter."""
    tmp_path.chmod(0o700)
    home = Home(tmp_path / "data")
    yield home
    remove(home)


@pytest.fixture
def start_as() -> Iterator[Callable[[list[str], tuple[int, int] | None], int]]:
    """Starts a process as an account and gives its number."""
    started: list[subprocess.Popen[bytes]] = []

    def start(argv: list[str], account: tuple[int, int] | None) -> int:
        user, group = account or (None, None)
        started.append(subprocess.Popen(argv, user=user, group=group, cwd="/"))
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_postgres_is_durable_followable_and_closed_to_the_network(home: Home) -> None:
    with engines(home) as shop, psycopg2.connect(**shop.postgres()) as connection:
        cursor = connection.cursor()

        def shown(name: str) -> str:
            cursor.execute(f"show {name}")
            return cursor.fetchone()[0]

        assert [shown(name) for name in ("fsync", "synchronous_commit", "wal_level")] == [
            "on",
            "on",
            "logical",
        ]
        assert shown("listen_addresses") == ""
        assert shown("max_connections") == "100"
        assert shown("server_encoding") == "UTF8"
        cursor.execute("select lower('ÉCLAIR'), current_database(), current_user")
        assert cursor.fetchone() == ("éclair", "mercat", "mercat")
        cursor.execute("select rolpassword from pg_authid where rolname = 'mercat'")
        assert cursor.fetchone()[0].startswith("SCRAM-SHA-256$")


def test_nobody_signs_in_without_the_password(home: Home) -> None:
    with engines(home) as shop:
        for password in ("", "guess"):
            with pytest.raises(psycopg2.OperationalError, match="password"):
                psycopg2.connect(**{**shop.postgres(), "password": password})


def test_secrets_are_those_that_the_settings_derive(home: Home) -> None:
    assert home.secret("mercat_cart") == Settings(secret_key=home.key).secret("mercat_cart")
    assert home.secret("mercat_cart") != home.secret("mercat_orders")
    assert (home.path / "secret.key").stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(home.key)) == 32


def test_two_shops_have_different_secrets(home: Home) -> None:
    with temporary() as other:
        assert home.secret("mercat") != other.secret("mercat")


def test_a_lost_key_is_not_replaced_by_one_that_does_not_fit(home: Home) -> None:
    with engines(home):
        pass
    (home.path / "secret.key").unlink()
    with pytest.raises(Trouble, match=r"secret\.key is gone"), engines(home):
        pass


def test_a_command_connects_to_engines_that_run(home: Home) -> None:
    with engines(home, "mercat import") as first:
        with connected(home) as second:
            assert second == first
        with pytest.raises(Trouble, match=r"in use by mercat import \(process \d+\)"), engines(home):
            pass
    assert home.running() is None
    with connected(home) as own, psycopg2.connect(**own.postgres()):
        assert home.running() == own


def test_a_command_leaves_its_children_the_way_to_the_shop(home: Home) -> None:
    with engines(home) as shop:
        environment = shop.environment()
        assert environment["MERCAT_DATA"] == str(home.path)
        asked = "from mercat.settings import load; print(load().database(), load().secret('mercat'))"
        told = subprocess.check_output(
            [sys.executable, "-c", asked], env={**os.environ, **environment}, text=True
        )
        assert shop.postgres_host in told
        assert shop.postgres()["password"] in told


class TestCommand:
    """The command line on a home."""

    def mercat(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "mercat", *words], capture_output=True, text=True)

    def test_psql_starts_what_it_needs_and_gives_the_exit_code_of_psql(self, home: Home) -> None:
        with engines(home):
            pass  # the shop was opened once
        done = self.mercat("psql", "--data", str(home.path), "--", "-Atc", "select current_user")
        assert (done.stdout, done.returncode) == ("mercat\n", 0)
        assert self.mercat("psql", "--data", str(home.path), "--", "-c", "select nonsense").returncode == 1
        assert home.running() is None

    def test_serve_says_in_one_line_that_its_port_or_folder_is_in_use(self, home: Home) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            words = ("serve", "--data", str(home.path), "--port", str(taken.getsockname()[1]))
            done = self.mercat(*words)
            assert done.returncode == 1
            assert done.stderr.splitlines() == [
                f"Port {words[-1]} of 127.0.0.1 is in use. Choose another with --port (make run PORT=…)."
            ]
            with engines(home, "mercat import"):
                done = self.mercat(*words)
            assert done.returncode == 1
            assert "is in use by mercat import" in done.stderr
            assert done.stderr.count("\n") == 1


def test_a_set_up_that_was_cut_off_starts_anew(home: Home) -> None:
    half = home.path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    with engines(home) as shop, psycopg2.connect(**shop.postgres()):
        assert not half.exists()


def test_a_stranger_with_the_old_number_does_not_stop_the_start(
    home: Home, start_as: Callable[[list[str], tuple[int, int] | None], int]
) -> None:
    with engines(home):
        lines = (home.path / "postgres/postmaster.pid").read_text().splitlines()
    stranger = start_as(["sleep", "60"], Postgres(home).account)
    stale = "\n".join([str(stranger), *lines[1:]])
    (home.path / "postgres/postmaster.pid").write_text(stale + "\n")
    with engines(home) as shop, psycopg2.connect(**shop.postgres()):
        assert Process.of(stranger), "it is not ours to stop"


def test_files_of_another_version_are_refused(home: Home) -> None:
    with engines(home):
        pass
    (home.path / "postgres/PG_VERSION").write_text("16\n")
    with pytest.raises(Trouble, match="was made by PostgreSQL 16; this is 18"), engines(home):
        pass


def test_why_postgres_did_not_start_is_said_in_one_line(home: Home) -> None:
    with pytest.raises(Trouble, match=r"PostgreSQL did not start: .* contains errors") as refused:  # noqa: SIM117
        with engines(home, settings={"shared_buffers": "nonsense"}):
            pass
    assert "\n" not in str(refused.value)


def test_the_log_is_emptied_when_it_is_long(home: Home) -> None:
    postgres = Postgres(home)
    postgres.log.write_text("x" * (17 * 1024 * 1024))
    with engines(home):
        assert postgres.log.stat().st_size < 1024 * 1024
    assert postgres.log.with_suffix(".log.old").stat().st_size == 17 * 1024 * 1024


def test_a_long_path_keeps_its_sockets_in_a_short_one(home: Home) -> None:
    deep = Home(home.path / ("d" * 60) / ("e" * 60))
    for _ in range(2):
        with engines(deep) as shop, psycopg2.connect(**shop.postgres()):
            assert len(shop.postgres_host) < 60
        assert not Path(shop.postgres_host).parent.exists(), "nothing stays in a common folder"


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not ROOT or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk]).returncode:
        pytest.skip("a small disk takes the right to mount one")
    try:
        with (
            pytest.raises(Trouble, match=r"The disk is full: \d+ MB are left") as refused,
            engines(Home(disk)),
        ):
            pass
        assert "\n" not in str(refused.value)
    finally:
        subprocess.run(["umount", disk], check=True)


@only_root
def test_closed_programs_are_copied_to_where_postgres_can_run_them(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the wheel lies in root's home: nobody's folder is opened, the programs are copied."""
    tmp_path.chmod(0o700)
    package = module.programs().parent.parent
    for folder in (package.with_name(f"{package.name}.libs"), package / "pginstall18"):
        shutil.copytree(folder, tmp_path / folder.relative_to(package.parent))
    closed = tmp_path / package.name / "pginstall18" / "bin"
    os.utime(closed / "postgres", (1, 1))
    monkeypatch.setattr(module, "programs", lambda: closed)
    copy = Postgres(home).programs
    try:
        assert tmp_path not in copy.parents
        with engines(home) as shop, psycopg2.connect(**shop.postgres()):
            pass
        assert tmp_path.stat().st_mode & 0o777 == 0o700
        assert Postgres(home).programs == copy, "one copy serves all"
    finally:
        shutil.rmtree(copy.parents[2])


@only_root
def test_a_copied_folder_does_not_run_on_the_files_of_the_original(private: Home) -> None:
    with engines(private) as shop, psycopg2.connect(**shop.postgres()):
        pass
    place = private.place("postgres")
    assert place
    copy = private.path.with_name("copy")
    shutil.copytree(private.path, copy, ignore=shutil.ignore_patterns("run"))
    with pytest.raises(Trouble, match="is a copy of"), engines(Home(copy)):
        pass
    private.path.rename(private.path.with_name("gone"))
    with engines(Home(copy)) as shop, psycopg2.connect(**shop.postgres()):
        assert Home(copy).place("postgres") == place, "moved is not copied"
    copy.rename(private.path)


@only_root
def test_a_new_folder_never_finds_the_files_of_a_deleted_one(private: Home) -> None:
    with engines(private) as shop, psycopg2.connect(**shop.postgres()) as connection:
        connection.cursor().execute("create table old ()")
    former = private.place("postgres")
    assert former
    shutil.rmtree(private.path)
    assert former.parent in list(module.strays())
    try:
        with engines(Home(private.path)) as shop, psycopg2.connect(**shop.postgres()) as connection:
            cursor = connection.cursor()
            cursor.execute("select to_regclass('old')")
            assert cursor.fetchone() == (None,)
    finally:
        shutil.rmtree(former.parent)


@only_root
def test_lost_files_elsewhere_are_not_replaced_by_an_empty_shop(private: Home) -> None:
    with engines(private):
        pass
    place = private.place("postgres")
    assert place
    shutil.rmtree(place.parent)
    with pytest.raises(Trouble, match="which is gone"), engines(private):
        pass


def test_engines_end_with_a_process_that_is_killed(home: Home) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells a child that its parent died")
    script = (
        "import sys, time; from mercat.embedded import *\n"
        "with engines(Home(sys.argv[1])) as shop: print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(home.path)], stdout=subprocess.PIPE) as user:
        assert user.stdout
        assert user.stdout.readline() == b"up\n"
        postmaster = Process.of(int((home.path / "postgres/postmaster.pid").read_text().split()[0]))
        user.kill()
    assert postmaster
    assert wait_until(lambda: not postmaster.lives(), 10)
    with engines(home) as shop, psycopg2.connect(**shop.postgres()):
        pass


def test_a_copy_from_elsewhere_takes_no_place_of_files_that_are_sold_from(home: Home) -> None:
    postgres = Postgres(home)
    for folder, text in ((postgres.folder, "ours"), (postgres.copy, "copied")):
        folder.mkdir()
        (folder / "whose").write_text(text)
    record_moved_in(home.path, {"postgres_host": "there"})
    postgres._take_copy()
    assert (postgres.folder / "whose").read_text() == "copied"
    assert (postgres.before / "whose").read_text() == "ours"
    record_moved_in(home.path, {})
    postgres.copy.mkdir()
    postgres._take_copy()
    assert (postgres.folder / "whose").read_text() == "copied"
    assert not postgres.copy.exists()


def test_what_is_written_is_there_after_the_machine_has_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.readlink(f"/proc/self/fd/{number}")))
    write_private(tmp_path / "told", "whole")
    assert synced == [str(tmp_path / "told.new"), str(tmp_path)]


def test_what_is_written_is_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "told"
    path.with_name("told.new").write_text("cut off")
    write_private(path, "whole")
    assert path.read_text() == "whole"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Trouble, match="cannot be written"):
        write_private(tmp_path / "no such folder" / "told", "")


class TestChild:
    """When a child that dies is started again."""

    def child(self) -> Child:
        return Child(Worker.__new__(Worker))

    def test_the_pauses_grow_and_never_reach_five_seconds(self) -> None:
        child = self.child()
        pauses: list[float] = []
        for second in range(8):
            child.started_at = second
            child.bury(float(second))
            assert child.due is not None
            pauses.append(round(child.due - second, 1))
        assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0, 4.0]

    def test_one_that_lived_for_a_while_comes_back_at_once(self) -> None:
        child = self.child()
        for _ in range(8):
            child.bury(0.0)
        child.started_at = 100.0
        child.bury(200.0)
        assert child.due == pytest.approx(200.2)

    def test_ten_deaths_within_a_minute_are_too_many(self) -> None:
        child = self.child()
        for second in range(0, 90, 10):
            child.bury(float(second))
        assert not child.keeps_dying
        child.bury(90.0)
        assert not child.keeps_dying, "ten, but not within a minute"
        for _ in range(9):
            child.bury(91.0)
        assert child.keeps_dying


@pytest.mark.parametrize("workers", [1, 2, 64])
def test_postgres_allows_the_pools_of_every_process(workers: int) -> None:
    schemas = [name for name in (*SERVICES, "events") if (Path(migrations.__file__).parent / name).is_dir()]
    assert connections_for(workers, 4) >= (workers + 1) * len(schemas) * 4 + 20
