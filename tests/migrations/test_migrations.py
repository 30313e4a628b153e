"""What migrations promise: an old shop becomes what a new one is, and the previous release runs on it."""

import asyncio
import os
import re
import subprocess
import sys
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import msgspec
import pytest
from migrations.keep import dumped

from mercat.migrations import CannotMigrate, Migration, apply, migrate, migrations_in

HERE = Path(__file__).parent
RELEASES = sorted(path.stem for path in HERE.glob("*.sql") if not path.stem.endswith("-statements"))
COMMITS = {"0.1.0": "a1c46e8"}
SALES = "is_a_purchase or gives_back_once or to_the_door"
TEA = Migration("teas", 1, "initial", "create schema teas; create table teas.tea (name text primary key)")
CUP = Migration("teas", 2, "cup", "create table teas.cup (name text); insert into teas.tea values ('green')")
BROKEN = Migration("teas", 3, "broken", "create table teas.pot (name text); select 1 / 0")
INDEX = Migration(
    "teas", 3, "index", "-- not in a transaction\ncreate index concurrently tea_name on teas.tea (name)"
)


@pytest.fixture
async def database(engines, furnished):
    """`async with database("name") as (owner, settings)`: an empty database of its own."""
    owner = await asyncpg.connect(**engines.postgres())

    @asynccontextmanager
    async def database(name):
        await owner.execute(f"create database {name}")
        settings = msgspec.structs.replace(furnished[0], postgres_database=name)
        own = await asyncpg.connect(**{**engines.postgres(), "database": name})
        try:
            yield own, settings
        finally:
            await own.close()
            await owner.execute(f"drop database {name} with (force)")

    yield database
    await owner.close()


@pytest.fixture
async def teas(database):
    async with database("teas") as (owner, _):
        yield owner


async def tables(owner):
    rows = await owner.fetch("select tablename as name from pg_tables where schemaname = 'teas' order by 1")
    return [row["name"] for row in rows]


def schema(engines, name):
    """The statements that make a database, in an order that does not depend on when they were executed."""
    return sorted(dumped(replace(engines, postgres_database=name), "--schema-only").split(";\n"))


@pytest.mark.parametrize("release", RELEASES)
async def test_a_shop_of_an_earlier_release_becomes_what_a_new_one_is(release, engines, database):
    async with database("earlier") as (earlier, told), database("fresh") as (fresh, fresh_told):
        await earlier.execute((HERE / f"{release}.sql").read_text())
        assert await earlier.fetchval("select count(*) from events.worker") == 64
        await earlier.reset()
        await migrate(earlier, told)
        await migrate(fresh, fresh_told)
        assert schema(engines, "earlier") == schema(engines, "fresh")
        recorded = "select service, number, name, checksum from migrations.applied order by 1, 2"
        assert await earlier.fetch(recorded) == await fresh.fetch(recorded)


@pytest.mark.parametrize("release", RELEASES)
async def test_the_statements_of_an_earlier_release_are_valid_on_the_new_schema(release, settings):
    said = (HERE / f"{release}-statements.sql").read_text()
    _, *parts = re.split(r"^-- statement: (\w+): (.+)\n", said, flags=re.MULTILINE)
    by_role = defaultdict(list)
    for role, name, statement in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        by_role[f"mercat_{role}"].append((name, statement))
    assert sum(map(len, by_role.values())) > 200
    for role, statements in by_role.items():
        db = await asyncpg.connect(**settings.database(), user=role, password=settings.secret(role))
        for name, statement in statements:
            try:
                if "create temporary table" in statement:
                    await db.execute(statement)
                await db.prepare(statement)
            except asyncpg.PostgresError as error:
                pytest.fail(f"{role}: {name}: {error}")
        await db.close()


@pytest.mark.long
@pytest.mark.parametrize("release", RELEASES)
def test_an_earlier_release_sells_on_the_new_schema(release, tmp_path):
    commit = COMMITS[release]
    if subprocess.run(["git", "cat-file", "-e", commit], cwd=HERE, capture_output=True).returncode:
        pytest.skip(f"the commit of {release}, {commit}, is not in this copy's history")
    tree = subprocess.check_output(["git", "archive", commit], cwd=HERE.parents[1])
    subprocess.run(["tar", "-x", "-C", tmp_path], input=tree, check=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "new_schema",
        "-k",
        SALES,
        "tests/contract/test_checkout.py",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(HERE)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


async def test_applying_again_changes_nothing(teas):
    await apply(teas, [TEA, CUP])
    await teas.execute("insert into teas.tea values ('black')")
    before = await teas.fetch("select * from migrations.applied")
    await apply(teas, [TEA, CUP])
    assert await teas.fetch("select * from migrations.applied") == before
    assert await teas.fetchval("select count(*) from teas.tea") == 2


async def test_two_that_migrate_at_once_apply_each_once(engines, database):
    async with database("twice") as (one, told):
        other = await asyncpg.connect(**{**engines.postgres(), "database": "twice"})
        await asyncio.gather(migrate(one, told), migrate(other, told))
        await other.close()
        assert await one.fetchval("select count(*) from migrations.applied") == len(migrations_in())


async def test_one_that_fails_leaves_nothing_behind_and_is_applied_once_it_is_mended(teas):
    with pytest.raises(CannotMigrate, match="teas/0003_broken failed, and nothing of it was kept: division"):
        await apply(teas, [TEA, CUP, BROKEN])
    assert await tables(teas) == ["cup", "tea"]
    await apply(teas, [TEA, CUP, BROKEN._replace(text="create table teas.pot (name text)")])
    assert await tables(teas) == ["cup", "pot", "tea"]


async def test_what_cannot_run_in_a_transaction_runs_without_one(teas):
    await apply(teas, [TEA, CUP, INDEX])
    assert await teas.fetchval("select indisvalid from pg_index where indexrelid = 'teas.tea_name'::regclass")


async def test_a_migration_that_was_changed_after_it_was_applied_is_refused(teas):
    await apply(teas, [TEA, CUP])
    with pytest.raises(CannotMigrate, match="teas/0002_cup is not the 0002_cup that was applied"):
        await apply(teas, [TEA, CUP._replace(text="create table teas.cup (name text)")])


async def test_a_database_that_is_newer_than_the_code_is_refused(teas):
    await apply(teas, [TEA, CUP])
    with pytest.raises(CannotMigrate, match="newer than this version of Mercat: it has had teas/0002_cup"):
        await apply(teas, [TEA])


async def test_tables_without_a_record_are_those_of_the_first_release(teas):
    await teas.execute(TEA.text + "; insert into teas.tea values ('black')")
    await apply(teas, [TEA, CUP])
    assert await tables(teas) == ["cup", "tea"]
    assert await teas.fetchval("select array_agg(name order by name) from teas.tea") == ["black", "green"]


@pytest.mark.parametrize("names", [["0002_late.sql"], ["0001_a.sql", "0001_b.sql"], ["1_short.sql"]])
def test_numbers_that_do_not_go_up_by_one_are_refused(names, tmp_path):
    (tmp_path / "teas").mkdir()
    for name in names:
        (tmp_path / "teas" / name).write_text("select 1")
    with pytest.raises(ValueError, match="teas/"):
        migrations_in(tmp_path)


@pytest.mark.parametrize("each", migrations_in(), ids=str)
def test_a_migration_says_what_it_changes_and_whether_the_previous_release_runs_on_it(each):
    assert re.match(r"-- Change: .+\n(-- .+\n)*-- Previous release: .+\n", each.text)
    assert not re.search(r"\bif (not )?exists\b", each.text)


async def test_refusals_that_0_1_0_stored_become_values_and_their_bytes_stay(database):
    body = (
        b'{"type":"/problems/out_of_stock","title":"There are not that many left.","status":409,'
        b'"detail":"It is sold out.","code":"out_of_stock","available":0}'
    )
    async with database("refused") as (owner, told):
        await owner.execute((HERE / "0.1.0.sql").read_text())
        await owner.reset()
        await owner.executemany(
            "insert into checkout.answer (checkout_id, status, body, at) values ($1, $2, $3, now())",
            [(1, 409, body), (2, 201, b"{}"), (3, 409, b"")],
        )
        await migrate(owner, told)
        rows = await owner.fetch(
            "select confirmed, refusal::text, body from checkout.answer order by checkout_id"
        )
    assert [row["confirmed"] for row in rows] == [False, True, False]
    assert msgspec.json.decode(rows[0]["refusal"]) == {
        "type": "refused",
        "code": "out_of_stock",
        "detail": "It is sold out.",
        "facts": {"available": 0},
    }
    assert [row["refusal"] for row in rows[1:]] == [None, None]
    assert [row["body"] for row in rows] == [body, b"{}", b""]
