"""The database goes over to a server that follows it, and back, while it is written: what was committed is
there once, what was told is told once, whoever is killed when."""

import asyncio
import itertools
import os
import subprocess
import sys
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from commands import mercat
from moving import DyingConnection, KilledHere, Moments, Replaced, nothing_is_broken
from standby import standby
from waiting import until

from mercat.cli import move_in as command
from mercat.cli.moves import database, guard
from mercat.cli.moves.database import ShopDatabase, let_writers_in
from mercat.cli.moves.mover import PartMover, states
from mercat.cli.moves.parts import PlacesDiffer
from mercat.embedded import Trouble, engines, moved_in, programs, record_moved_in, temporary
from mercat.embedded.postgres import Postgres
from mercat.kit.db_errors import AWAY
from mercat.kit.wal import SLOT, open_slot
from mercat.settings import Settings, load

_SCHEMA = """
create schema events;
create table events.move (
    part text primary key, way text, step text, changed_at timestamptz not null default now()
);
create table sold (number bigserial primary key, key int not null unique);
create publication relay;
"""
_TOLD = """select lsn::text as at, case when get_byte(data, 0) = ascii('M')
    then convert_from(substring(data from position('\\x6b00'::bytea in data) + 6), 'utf8') end as key
from pg_logical_slot_peek_binary_changes('mercat', null, null,
    'proto_version', '1', 'publication_names', 'relay', 'messages', 'true')"""
_PASSED = "select pg_replication_slot_advance('mercat', $1::text::pg_lsn)"
_TAKEN_BACK = "begin read write; delete from events.move where part = 'database'; commit"
"""As docs/growing.md says, where the other server is lost for good."""
_QUICK = {"fsync": "off", "full_page_writes": "off", "wal_level": "logical"}
_LOOKS = [
    getattr(database.queries, name)
    for name in (
        "standing",
        "behind_by",
        "written",
        "slot_passed",
        "note_snapshot",
        "still_writing",
        "is_read_only",
    )
]


class Till:
    """Somebody who sells, and a relay: both go where the shop's settings say."""

    def __init__(self, own: dict, there: dict) -> None:
        self.places = {"": own, "there": there}
        self.place = ""
        self.sold: list[int] = []
        self.told: list[int] = []
        self.refused = 0
        self._keys = itertools.count(1)

    def open(self) -> None:
        self._working = [asyncio.create_task(each) for each in (self._sell(), self._relay())]

    async def close(self) -> None:
        for each in self._working:
            each.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)

    async def _sell(self) -> None:
        """Sell one thing after another; what is refused or unsure is asked again, as a person would."""
        while True:
            key = next(self._keys)
            while True:
                with suppress(*AWAY):
                    async with self._connected() as db:
                        await db.execute(
                            "with told as (select pg_logical_emit_message(true, 'k', $1::int::text))"
                            "insert into sold (key) select $1 from told on conflict do nothing",
                            key,
                        )
                    self.sold.append(key)
                    break
                self.refused += 1
                await asyncio.sleep(0.01)

    async def _relay(self) -> None:
        while True:
            with suppress(*AWAY, asyncpg.PostgresError):
                async with self._connected() as db:
                    await self.read_on(db)
            await asyncio.sleep(0.02)

    async def read_on(self, db) -> None:
        """As the relay does: what was told is passed once it is written down, for sessions are ended."""
        if rows := await db.fetch(_TOLD):
            self.told += [int(row["key"]) for row in rows if row["key"]]
            await db.execute(_PASSED, rows[-1]["at"])

    async def sells_on(self, count: int = 5) -> None:
        before = len(self.sold)

        async def sold() -> bool:
            return len(self.sold) >= before + count

        await until(sold, 60)

    @asynccontextmanager
    async def _connected(self):
        db = await asyncpg.connect(**self.places[self.place], timeout=10)
        try:
            yield db
        finally:
            await db.close()


class Rows:
    """The rows of the move, wherever the database is."""

    def __init__(self, till: Till, shop: Replaced) -> None:
        self._till, self._shop = till, shop

    async def fetch(self, query, *given):
        place = "there" if self._shop.kept.get("postgres_host") else ""
        db = await asyncpg.connect(**self._till.places[place])
        try:
            return await db.fetch(query, *given)
        finally:
            await db.close()

    execute = fetch


class Scene:
    """A shop's own server, another that may follow it, and who works with them."""

    def __init__(self, own, there, told: Settings) -> None:
        self.own, self.there, self.told = own, there, told
        where = {"host": "127.0.0.1", "port": there.port, "database": "mercat"}
        self.elsewhere = {**own.postgres(), **where}
        self.till = Till(own.postgres(), self.elsewhere)
        self.shop = Replaced(told, [self._goes_over], self._nothing)
        self.rows = Rows(self.till, self.shop)

    async def _goes_over(self, told: Settings) -> None:
        self.till.place = "there" if self.shop.kept.get("postgres_host") else ""

    async def _nothing(self) -> None:
        """Nobody else is asked."""

    def part(self) -> ShopDatabase:
        return ShopDatabase(self.told, self.own.postgres())

    async def move(self, rows=None, say=lambda _: None) -> None:
        mover = PartMover(rows or self.rows, self.shop, nothing_is_broken, say)
        await mover.move(self.part(), "there", self.there.settings())

    async def give_up(self) -> None:
        mover = PartMover(self.rows, self.shop, nothing_is_broken, lambda _: None)
        await mover.move(self.part(), "back", self.shop.kept)

    async def dies_at(self, moment: int, monkeypatch) -> bool:
        """Move, killed at a moment; say whether that came."""
        moments = Moments(moment)
        connected = database._connected

        @asynccontextmanager
        async def dying(place):
            async with connected(place) as db:
                yield DyingConnection(db, moments, _LOOKS)

        rows: Any = DyingConnection(self.rows, moments)
        self.shop.moments = moments
        try:
            with monkeypatch.context() as patched:
                patched.setattr(database, "_connected", dying)
                await self.move(rows, moments.pass_one)
        except KilledHere:
            return True
        finally:
            self.shop.moments = Moments()
        return False

    async def has_taken_over(self) -> bool:
        there = await asyncpg.connect(**self.elsewhere)
        try:
            return not await there.fetchval("select pg_is_in_recovery()")
        finally:
            await there.close()

    async def copy(self) -> None:
        self.there.copy(self.own.postgres())

        async def answers() -> bool:
            try:
                await self.has_taken_over()
            except AWAY:
                return False
            return True

        await until(answers, 30)

    async def all_is_there_once(self) -> None:
        """What was sold is there, and was told once, in its order; what was told was sold."""
        await self.till.close()
        place = self.till.places[self.till.place]
        db = await asyncpg.connect(**place)
        try:
            await self.till.read_on(db)
            keys = [row[0] for row in await db.fetch("select key from sold order by number")]
        finally:
            await db.close()
        assert [*dict.fromkeys(self.till.told)] == keys
        assert {*self.till.sold} <= {*keys}


@pytest.fixture
async def scene():
    with temporary() as home, engines(home, settings=_QUICK) as own, standby(Postgres(home).account) as there:
        db = await asyncpg.connect(**own.postgres())
        await db.execute(_SCHEMA)
        await open_slot(db)
        await db.close()
        told = load({**own.environment(), **{f"MERCAT_{k.upper()}": v for k, v in there.settings().items()}})
        made = Scene(own, there, told)
        await made.copy()
        made.till.open()
        await made.till.sells_on()
        yield made
        await made.till.close()


async def test_the_database_goes_over_and_nothing_is_lost_or_told_twice(scene):
    said = []
    await scene.move(say=said.append)
    await scene.till.sells_on()
    assert await states(scene.rows) == {"database": ("there", "moved")}
    own = await asyncpg.connect(**scene.own.postgres())
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await own.execute("insert into sold (key) values (0)")
    assert not await own.fetch("select from pg_replication_slots where slot_name = $1", SLOT)
    await own.close()
    await scene.all_is_there_once()
    await scene.move()  # again: it is there


async def test_a_server_that_follows_no_more_keeps_the_database_where_it_is(scene):
    """It took over by itself: what was sold since is not there."""
    there = await asyncpg.connect(**scene.elsewhere)
    await there.fetchval("select pg_promote(true, 60)")
    await there.close()
    with pytest.raises((Trouble, PlacesDiffer), match="another one"):
        await scene.move()
    await scene.till.sells_on()
    await scene.give_up()
    assert await states(scene.rows) == {}
    await scene.till.sells_on()
    await scene.all_is_there_once()


@pytest.mark.scale
@pytest.mark.timeout(900)
async def test_whoever_moves_the_database_may_die_at_any_statement(scene, monkeypatch):
    """Where nothing was handed over, writers are let in again, as the guard does; then it goes on."""
    deaths = 0
    for moment in itertools.count(1):
        if not await scene.dies_at(moment, monkeypatch):
            break
        deaths += 1
        if not scene.shop.kept:
            await scene.part().let_in("there")
            await scene.till.sells_on(2)
            if await scene.has_taken_over():
                await scene.copy()
        else:
            await scene.shop.use(scene.shop.kept)  # as the guard has the shop do
            await scene.till.sells_on(2)
    assert deaths > 60
    assert await states(scene.rows) == {"database": ("there", "moved")}
    await scene.all_is_there_once()


class WayBack:
    """A shop whose database is elsewhere, and comes back: its own server follows the other already."""

    def __init__(self, scene: Scene, data: Path, monkeypatch) -> None:
        self.own = {**scene.own.postgres(), "host": "127.0.0.1", "port": scene.there.port}
        self.elsewhere = scene.own.postgres()
        self.data = data
        where = {"postgres_host": self.own["host"], "postgres_port": self.own["port"], "data": str(data)}
        self.shop = replace(scene.own, **where)
        self.replaced: list[str] = []
        self._till = scene.till
        own = self.own

        class Part(ShopDatabase):
            def __init__(self, told: Settings) -> None:
                super().__init__(told, own)

        record_moved_in(
            data,
            {
                "postgres_host": self.elsewhere["host"],
                "postgres_port": str(self.elsewhere["port"]),
                "postgres_database": self.elsewhere["database"],
            },
        )
        monkeypatch.setitem(command.PARTS, "database", Part)
        monkeypatch.setattr(command, "guarded", lambda *_: nullcontext())
        monkeypatch.setattr(command, "replace_workers", self.replace_workers)
        monkeypatch.setattr(command, "_laws", self._laws)

    def replace_workers(self, data: Path) -> None:
        self._till.place = "" if moved_in(data) else "there"

    async def _laws(self, _) -> str:
        return "nobody looks."

    async def comes(self) -> None:
        await command._carry_out(self.shop, None, "", "database", dry_run=False)


@pytest.fixture
async def way_back(scene, monkeypatch):
    db = await asyncpg.connect(**scene.own.postgres())
    await db.execute("insert into events.move values ('database', 'there', 'moved')")
    await db.close()
    with temporary() as home:
        yield WayBack(scene, home.path, monkeypatch)


async def slots_at(place) -> list[str]:
    db = await asyncpg.connect(**place)
    try:
        return [row[0] for row in await db.fetch("select slot_name::text from pg_replication_slots")]
    finally:
        await db.close()


async def test_a_way_back_that_was_cut_off_once_it_was_recorded_keeps_the_slot_of_the_relay(
    scene, way_back, monkeypatch
):
    def dies(data):
        raise KilledHere

    with monkeypatch.context() as patched:
        patched.setattr(command, "replace_workers", dies)
        with pytest.raises(KilledHere):
            await way_back.comes()
    assert moved_in(way_back.data) == {}
    way_back.replace_workers(way_back.data)
    await scene.till.close()  # no relay holds the slot at this moment
    await way_back.comes()
    assert await slots_at(way_back.own) == [SLOT]
    assert await slots_at(way_back.elsewhere) == []
    assert not (way_back.data / "moved_back.json").exists()
    await scene.all_is_there_once()


async def test_where_the_place_that_was_left_is_not_known_no_slot_is_dropped(scene):
    told = load(scene.own.environment())
    await scene.till.close()
    await ShopDatabase(told, scene.own.postgres()).settle("back", lambda _: None)
    assert await slots_at(scene.own.postgres()) == [SLOT]


_MOVER = """
import asyncio, sys
from pathlib import Path
from mercat.cli import move_in as command
from mercat.cli.moves import database, guard

async def waits(*_):
    print("writers are kept out", flush=True)
    await asyncio.Event().wait()

database._replayed = waits
shop = command.Home(sys.argv[1]).engines()
asyncio.run(command._carry_out(shop, Path(sys.argv[2]), "database", "", dry_run=False))
"""


async def takes_writes(place) -> bool:
    db = await asyncpg.connect(**place)
    try:
        return await db.fetchval("show default_transaction_read_only") == "off"
    finally:
        await db.close()


async def test_a_command_that_is_killed_while_writers_are_kept_out_has_them_let_in(scene, tmp_path):
    file = tmp_path / "shop.toml"
    file.write_text(scene.there.toml())
    own = scene.own.postgres()
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-c", _MOVER, scene.own.data, str(file)]
    moving = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    assert moving.stdout
    assert await moving.stdout.readline() == b"writers are kept out\n"
    assert not await takes_writes(own)
    moving.kill()
    await moving.communicate()  # its guard writes there too, so that has ended
    assert await takes_writes(own)
    await scene.till.sells_on()
    await scene.move()
    await scene.till.sells_on()
    await scene.all_is_there_once()


async def test_a_command_that_is_asked_to_end_while_writers_are_kept_out_lets_them_in(scene, monkeypatch):
    """Ctrl-C cancels what it does."""
    kept_out = asyncio.Event()

    async def waits(*_):
        kept_out.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(database, "_replayed", waits)
        moving = asyncio.create_task(scene.move())
        await asyncio.wait_for(kept_out.wait(), 60)
        assert not await takes_writes(scene.own.postgres())
        moving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await moving
    assert await takes_writes(scene.own.postgres())
    await scene.till.sells_on()


async def test_what_fails_once_the_other_server_has_taken_over_lets_writers_in(scene, monkeypatch):
    """The disk of the shop's folder is full, say: nothing was handed over yet."""

    async def full(*_, **__):
        raise Trouble("moved_in.json cannot be written.")

    with monkeypatch.context() as patched:
        patched.setattr(scene.shop, "use", full)
        with pytest.raises(Trouble, match="cannot be written"):
            await scene.move()
    assert await scene.has_taken_over()
    assert await takes_writes(scene.own.postgres())
    with pytest.raises(Trouble, match="made anew"):
        await scene.move()
    await scene.till.sells_on()
    await scene.copy()
    await scene.move()
    await scene.till.sells_on()
    await scene.all_is_there_once()


async def test_a_guard_that_died_does_not_fail_what_went_well(tmp_path, monkeypatch):
    started, begin = [], subprocess.Popen

    def noted(*given, **named):
        started.append(begin(*given, **named))
        return started[-1]

    monkeypatch.setattr(guard.subprocess, "Popen", noted)
    with guard.guarded(tmp_path, "database", "there"):
        [looking] = started
        looking.kill()
        looking.wait()


async def test_nobody_is_kept_out_where_nobody_looks_after_it(tmp_path, monkeypatch):
    monkeypatch.setattr(guard.sys, "executable", "false")
    with pytest.raises(Trouble, match="was not begun"), guard.guarded(tmp_path, "database", "there"):
        raise AssertionError


async def test_a_shop_whose_machine_died_while_writers_were_kept_out_opens_again(scene, monkeypatch):
    """`mercat serve` migrates first, and so lets them in; what follows is not taken for handed over."""

    async def dies(*_):
        raise KilledHere

    data = Path(scene.own.data)
    with monkeypatch.context() as patched:
        patched.setattr(database, "_replayed", dies)
        with pytest.raises(KilledHere):
            await scene.move()
    with command.alone(data):
        done = await asyncio.to_thread(mercat, "migrate", "--data", data)
        assert "read-only transaction" in done.stderr
        assert not await takes_writes(scene.own.postgres())
    await asyncio.to_thread(mercat, "migrate", "--data", data)
    assert await takes_writes(scene.own.postgres())
    await scene.till.sells_on()
    await scene.move()
    await scene.all_is_there_once()


async def test_a_database_that_was_left_takes_no_writes_though_moved_in_json_is_lost(scene, tmp_path):
    """Opening the shop migrates first, and would let writers into orders of before the move. Those of a dump
    from where it is are all of them."""
    await scene.move()
    own, data = scene.own.postgres(), scene.own.data
    done = await asyncio.to_thread(mercat, "migrate", "--data", data)
    assert (done.returncode, "has moved to another server" in done.stderr) == (1, True)
    assert not await takes_writes(own)
    await scene.till.close()
    await restore_here(scene, tmp_path / "shop.sql")
    assert not await takes_writes(own)
    await asyncio.to_thread(mercat, "migrate", "--data", data)
    assert await takes_writes(own)
    db = await asyncpg.connect(**own)
    assert {row["key"] for row in await db.fetch("select key from sold")} >= {*scene.till.sold}
    for statement in (database.queries.note_left, database._KEEP_OUT, database._RELOAD):
        await db.execute(statement)  # once more, to go on with the orders of before
    await until(lambda: db.fetchval(database.queries.kept_out), 10)
    with pytest.raises(Trouble, match="has moved to another server"):
        await let_writers_in(own)
    await db.execute(_TAKEN_BACK)
    await db.close()
    await let_writers_in(own)


async def restore_here(scene: Scene, dump: Path) -> None:
    """Bring the database that is elsewhere by the steps of docs/growing.md."""
    there = replace(scene.own, postgres_host="127.0.0.1", postgres_port=scene.there.port)
    dumping = [programs() / "pg_dump", "--create", "--clean", "--if-exists", "-f", dump, "mercat"]
    await asyncio.to_thread(subprocess.run, dumping, check=True, env={**os.environ, **there.libpq()})
    restoring = ["--data", scene.own.data, "--", "-d", "template1", "-v", "ON_ERROR_STOP=1", "-f", dump]
    may = "-c default_transaction_read_only=off"
    restored = await asyncio.to_thread(mercat, "psql", *restoring, PGOPTIONS=may)
    assert (restored.returncode, restored.stderr) == (0, "")


async def test_no_server_that_has_the_orders_is_to_be_made_anew(scene):
    """`moved_in.json` was lost, and it is asked to go where it is."""
    await scene.move()
    scene.shop.kept = {}
    await scene.shop.use({})
    for _ in range(2):
        with pytest.raises(Trouble, match="may be there alone, so leave it") as refused:
            await scene.move()
        assert "anew" not in str(refused.value)


async def test_a_server_with_other_databases_is_not_kept_from_writing(scene):
    db = await asyncpg.connect(**scene.own.postgres())
    await db.execute("create database theirs")
    with pytest.raises(Trouble, match=r"other databases too \(theirs\).*Nothing was changed"):
        await scene.move()
    assert await states(scene.rows) == {}
    await db.execute("drop database theirs")
    await db.close()


async def test_a_copy_that_fails_has_the_server_elsewhere_keep_no_log_for_it(
    scene, monkeypatch, tmp_path, capsys
):
    told = load({**scene.own.environment(), "MERCAT_DATA": str(tmp_path)})
    part = ShopDatabase(told, scene.elsewhere)

    def fails(*_):
        raise Trouble("pg_basebackup failed.")

    async def shown() -> str:
        await command._show(replace(scene.own, data=str(tmp_path)))
        return capsys.readouterr().err

    with monkeypatch.context() as patched:
        patched.setattr(database, "_copy_into", fails)
        with pytest.raises(Trouble, match="pg_basebackup failed"):
            await part._follow_elsewhere(lambda _: None)
    assert await slots_at(part._elsewhere) == [SLOT]
    assert "mercat_back" not in await shown()
    db = await asyncpg.connect(**scene.own.postgres())
    await db.execute("select pg_create_physical_replication_slot('mercat_back', true)")
    assert "slot mercat_back" in await shown()
    await db.execute("select pg_drop_replication_slot('mercat_back')")
    await db.close()


def test_what_has_no_room_is_not_copied(tmp_path):
    with pytest.raises(PlacesDiffer, match="MB are free for"):
        database._check_room(tmp_path, 2**60)
