"""`mercat move-in` as a person runs it: what it refuses, in one line, and what it shows."""

import asyncio
import os
from dataclasses import replace

import asyncpg
import psycopg2
import pytest
from buckets import KEY, s3_server
from certificates import behind_tls
from commands import mercat

from mercat.cli import move_in as command
from mercat.cli.moves import log as moving_log
from mercat.cli.moves.database import ShopDatabase
from mercat.cli.moves.mover import MoveState, states
from mercat.cli.moves.parts import PlacesDiffer
from mercat.embedded import Connection, Trouble, moved_in, record_moved_in
from mercat.shop import FOLLOWERS


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Give one of --to FILE, --back PART and --status."),
        (("--status", "--back", "log"), "Give one of --to FILE, --back PART and --status."),
        (
            ("--back", "letters"),
            "There is no part 'letters' that moves. There are: pictures, search, analytics, log, carts, ",
        ),
        (("--status",), "There is no shop in"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, options, said):
    done = mercat("move-in", "--data", tmp_path / "none", *options)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(said)


def test_a_shop_that_is_closed_is_not_moved(tmp_path):
    (tmp_path / "secret.key").write_text("a key")
    done = mercat("move-in", "--data", tmp_path, "--status")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is not open. Parts move while it is" in done.stderr


def test_what_has_moved_wins_over_what_the_shop_was_opened_with_until_a_file_has_all(tmp_path):
    record_moved_in(tmp_path, {"clickhouse_url": "http://there"})
    assert (tmp_path / "moved_in.json").stat().st_mode & 0o777 == 0o600
    shop = Connection(str(tmp_path), "key", "/run", 5432, "mercat", "unix:///s", "unix:///c", supervisor=1)
    assert shop.environment()["MERCAT_CLICKHOUSE_URL"] == "http://there"
    assert "MERCAT_CLICKHOUSE_URL" not in replace(shop, supervisor=0).environment()


def test_parts_that_an_open_shop_has_elsewhere_already_are_not_touched(tmp_path, monkeypatch):
    """By a variable that somebody has set, or at another address."""
    shop = Connection(str(tmp_path), "key", "/run", 5432, "mercat", "unix:///s", "unix:///c", supervisor=1)
    file = tmp_path / "shop.toml"
    file.write_text('[analytics]\nclickhouse = "http://here"\n[orders.shards]\nmain = "0-1023"\n')
    variables = {"MERCAT_CLICKHOUSE_URL": "http://by-hand"}
    monkeypatch.setattr(command, "environment_of", lambda _: variables)
    with pytest.raises(Trouble, match=r"opened with MERCAT_CLICKHOUSE_URL: analytics is not moved"):
        command._plan_of(shop, {}, file, "", "")
    variables.clear()
    [(part, way, there)] = command._plan_of(shop, {}, file, "", "")
    assert (part.name, way, there) == ("analytics", "there", {"clickhouse_url": "http://here"})
    with pytest.raises(Trouble, match="does not say where log is: kafka_url is not given"):
        command._plan_of(shop, {}, file, "log", "")
    with pytest.raises(Trouble, match="analytics is on this machine already"):
        command._plan_of(shop, {}, None, "", "analytics")
    record_moved_in(tmp_path, {"clickhouse_url": "http://there"})
    with pytest.raises(Trouble, match=r"at another address than .* mercat move-in --back analytics"):
        command._plan_of(shop, {}, file, "", "")


async def _ssl_request(reader, writer):
    assert await reader.readexactly(8) == b"\0\0\0\x08\x04\xd2\x16\x2f"
    writer.write(b"S")


@pytest.mark.parametrize("tls", ["require", "verify-full"])
async def test_a_database_that_moved_to_a_server_with_tls_is_reached_by_every_client(
    engines, settings, tmp_path, monkeypatch, tls
):
    """By asyncpg as the migration does, by psycopg2, and by libpq's variables; ours stay as they were."""
    monkeypatch.delenv("PGSSLMODE", raising=False)
    socket = f"{engines.postgres_host}/.s.PGSQL.{engines.postgres_port}"
    async with behind_tls(socket, tmp_path, "localhost", _ssl_request) as (port, root):
        moved = {"postgres_host": "localhost", "postgres_port": str(port), "postgres_tls": tls}
        if tls == "verify-full":
            moved["postgres_tls_root"] = str(root)
        record_moved_in(tmp_path, moved | {"postgres_database": settings.postgres_database})
        shop = replace(engines, data=str(tmp_path)).where_it_is()
        db = await asyncpg.connect(**shop.postgres())
        assert await db.fetchval("select 1") == 1
        await db.close()
        one = await asyncio.to_thread(psycopg2.connect, **shop.psycopg2())
        assert one.info.ssl_in_use
        one.close()
        part = ShopDatabase(command.told_of(shop, moved_in(tmp_path)))
        assert part._elsewhere.keys() == shop.postgres().keys()
    assert shop.libpq()["PGSSLMODE"] == tls
    assert shop.libpq().get("PGSSLROOTCERT") == moved.get("postgres_tls_root")
    assert "PGSSLMODE" not in os.environ


async def test_where_tls_leaves_no_way_back_that_is_said_before_anything_is_changed(engines, tmp_path):
    there = {"postgres_host": "127.0.0.1", "postgres_port": "1", "postgres_tls": "require"}
    shop = replace(engines, data=str(tmp_path))
    part = ShopDatabase(command.told_of(shop, there))
    part._own = engines.postgres()
    if not part._no_way_back():
        pytest.skip("this PostgreSQL has TLS")
    assert "no way back by this command" in await part.plan("there")
    with pytest.raises(PlacesDiffer, match=r"no way back by this command.*pg_dump --create"):
        await part.check("back")


def test_what_is_handed_over_moves_only_where_it_is_asked_for_alone(tmp_path, monkeypatch, capsys):
    shop = Connection(str(tmp_path), "key", "/run", 5432, "mercat", "unix:///s", "unix:///c", supervisor=1)
    monkeypatch.setattr(command, "environment_of", lambda _: {})
    file = tmp_path / "shop.toml"
    file.write_text(
        '[postgres]\nmain = "postgresql://there/mercat"\n[valkey]\nstore_file = "/run/url"\n'
        '[analytics]\nclickhouse = "http://there"\n'
    )
    [(part, *_)] = command._plan_of(shop, {}, file, "", "")
    assert part.name == "analytics"
    said = capsys.readouterr().err
    assert "--only carts." in said
    assert "--only database." in said
    [(part, *_)] = command._plan_of(shop, {}, file, "database", "")
    assert part.name == "database"
    with pytest.raises(Trouble, match=r"stands in the settings as store_url, not in a file"):
        command._plan_of(shop, {}, file, "carts", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes settings that another account has to read")
def test_what_root_keeps_the_account_of_the_shop_can_read(tmp_path):
    os.chown(tmp_path, 65_534, 65_533)
    record_moved_in(tmp_path, {})
    kept = (tmp_path / "moved_in.json").stat()
    assert (kept.st_uid, kept.st_gid, kept.st_mode & 0o777) == (65_534, 65_533, 0o600)


@pytest.fixture
def shop(engines, settings, tmp_path, monkeypatch):
    """An open shop whose workers are replaced by whoever takes the place of `replace_workers`."""
    monkeypatch.setattr(command, "environment_of", lambda _: {})
    monkeypatch.setattr(command, "replace_workers", lambda _: None)
    at = {"store_url": settings.store_url, "cache_url": settings.cache_url, "data": str(tmp_path)}
    return replace(engines, postgres_database=settings.postgres_database, **at)


async def goes(shop, to, only=""):
    await command._carry_out(shop, to, only, "", dry_run=False)


async def comes_back(shop, part):
    await command._carry_out(shop, None, "", part, dry_run=False)


_NOBODY = {
    "pictures": """
        media_s3_url = "http://127.0.0.1:1/there"
        media_s3_access_key = "a"
        media_s3_secret_key = "b"
    """,
    "search": '[search]\nopensearch = "http://127.0.0.1:1"',
    "analytics": '[analytics]\nclickhouse = "http://127.0.0.1:1/there"',
    "log": '[log]\nkafka = ["127.0.0.1:1"]\ntopic = "there"',
}


@pytest.mark.parametrize("part", [*_NOBODY])
async def test_a_part_that_could_not_begin_is_given_up_and_keeps_no_other_from_moving(
    shop, db, tmp_path, monkeypatch, capsys, part
):
    def replaced(data):
        if moved_in(data):
            raise Trouble("The back worker cannot be replaced.")

    monkeypatch.setattr(command, "replace_workers", replaced)
    file = tmp_path / "shop.toml"
    file.write_text(_NOBODY[part])
    with pytest.raises(Trouble):
        await goes(shop, file)
    assert moved_in(tmp_path) == {}
    assert await states(db) == {part: MoveState("there", "filling")}
    await command._show(shop)
    assert "filling, there" in capsys.readouterr().err
    other = next(each for each in _NOBODY if each != part)
    file.write_text(_NOBODY[other])
    with pytest.raises(Trouble, match=f"{part} is on its way.*--back {part}"):
        await goes(shop, file)
    await comes_back(shop, part)
    assert await states(db) == {}
    with pytest.raises(Trouble, match="is on this machine already"):
        await comes_back(shop, part)


async def test_a_part_that_is_back_with_a_broken_law_ends_its_move_once_that_is_mended(
    shop, db, tmp_path, monkeypatch
):
    async def broken(_):
        raise Trouble("1 laws are broken: stock.")

    file = tmp_path / "shop.toml"
    with s3_server() as root:
        file.write_text(
            f'media_s3_url = "{root}/pictures/moved"\nmedia_s3_region = "{KEY.region}"\n'
            f'media_s3_access_key = "{KEY.access_key}"\nmedia_s3_secret_key = "{KEY.secret_key}"\n'
        )
        await goes(shop, file)
        with monkeypatch.context() as patched:
            patched.setattr(command, "_laws", broken)
            for _ in range(2):
                with pytest.raises(Trouble, match=r"has switched, and 1 laws are broken"):
                    await comes_back(shop, "pictures")
        assert moved_in(tmp_path) == {}
        assert await states(db) == {"pictures": MoveState("back", "switching")}
        await comes_back(shop, "pictures")
    assert await states(db) == {}


async def test_a_log_that_was_killed_when_it_was_back_ends_its_move(shop, db):
    await db.execute("insert into events.move values ('log', 'back', 'switching')")
    await comes_back(shop, "log")
    assert await states(db) == {}


async def test_a_log_that_kafka_has_begun_is_not_given_up(shop, db):
    await db.execute("insert into events.move values ('log', 'there', 'switching')")
    await db.execute("update events.relayed set closed = last_id")
    try:
        with pytest.raises(Trouble, match=r"goes on in Kafka already\. First finish that"):
            await comes_back(shop, "log")
        assert await states(db) == {"log": MoveState("there", "switching")}
    finally:
        await db.execute("update events.relayed set closed = null")


async def test_a_log_waits_for_no_follower_that_the_shop_has_no_more(db):
    await db.execute("update events.relayed set last_id = 7, closed = 7")
    try:
        await db.executemany(
            "insert into events.position values ($1, $2)", [("gone", 3), *((name, 7) for name in FOLLOWERS)]
        )
        async with db.acquire() as connection:
            for who in (moving_log.queries.before_kafka, moving_log.queries.in_kafka):
                await asyncio.wait_for(moving_log._all_read(connection, who, lambda _: None), 10)
            await db.execute("update events.position set at = 6 where follower = 'search'")
            [row] = await connection.fetch(moving_log.queries.before_kafka, sorted(FOLLOWERS))
            assert row["follower"] == "search"
    finally:
        await db.execute("update events.relayed set closed = null")
