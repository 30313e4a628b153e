"""The drill: a shop that sells is backed up and killed, and another is made of the backup, to the second."""

import asyncio
import json
import os
import shutil
import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from commands import mercat
from waiting import until

from mercat.embedded import Connection, Home
from mercat.embedded.backup import SEGMENT_BYTES, backups_in, restore
from mercat.ids import OrderId, made_at, parse
from mercat.kit.db_errors import AWAY
from mercat.lab.bench import faults as scene
from mercat.lab.bench.crowd import Crowd, crowded
from mercat.lab.bench.shop import audited, serving

RATE = 40
SHOPPERS = 40


async def orders_of(shop: Connection) -> set[str]:
    db = await asyncpg.connect(**shop.postgres())
    try:
        return {str(OrderId(row["order_id"])) for row in await db.fetch("select order_id from orders.orders")}
    finally:
        await db.close()


async def unpacked(shop: Connection) -> int:
    """Orders whose event no follower has heard of."""
    db = await asyncpg.connect(**shop.postgres())
    try:
        told = "select count(*) from events.log where kind = 'OrderPlaced'"
        return await db.fetchval("select count(*) from orders.orders") - await db.fetchval(told)
    finally:
        await db.close()


async def followed(shop: Connection) -> bool:
    """Say whether every follower has read the log to its end."""
    db = await asyncpg.connect(**shop.postgres())
    try:
        ends = "select min(p.at) >= max(r.last_id) from events.position p cross join events.relayed r"
        return await db.fetchval(ends)
    finally:
        await db.close()


async def sold(crowd: Crowd, more: int) -> set[str]:
    before = len(crowd.told)

    async def enough() -> bool:
        return len(crowd.told) >= before + more

    await until(enough, 30)
    return set(crowd.told.values())


async def behind(shop: Connection, crowd: Crowd) -> None:
    """Have the relay miss more of the log than a backup looks back by itself."""
    db = await asyncpg.connect(**shop.postgres())
    for _ in range(6):
        await sold(crowd, 2)
        await db.fetchval("select pg_switch_wal()::text")
    await db.close()


def said(done: object) -> str:
    assert getattr(done, "returncode", 1) == 0, done
    return getattr(done, "stderr", "")


@pytest.mark.long
async def test_what_a_restore_loses_is_what_the_time_says(tmp_path: Path):
    tmp_path.chmod(0o755)
    backups, shop = tmp_path / "backups", tmp_path / "shop"
    shop.mkdir(mode=0o711)
    early: set[str] = set()
    before: set[str] = set()
    after: set[str] = set()
    moment = datetime.now(UTC)
    async with serving(shop) as connection:
        picture = shop / "media" / "early.png"
        picture.parent.mkdir(exist_ok=True)
        picture.write_bytes(b"a picture")
        with suppress(*AWAY):  # whoever set the scene finds nobody to say goodbye to
            async with crowded(connection, RATE, shoppers=SHOPPERS) as crowd:
                crowd.come()
                await sold(crowd, 20)
                family = scene.family(connection.supervisor)
                [back] = [pid for pid, command in family.items() if command.endswith("work back")]
                os.kill(back, signal.SIGSTOP)  # what is told from now on reaches no follower
                await behind(connection, crowd)
                told = said(await asyncio.to_thread(mercat, "backup", backups, "--data", shop))
                assert "Every commit goes to" in told
                assert (backups / "media" / "early.png").read_bytes() == b"a picture"
                early = await sold(crowd, 20)
                before = await sold(crowd, 20)
                moment = datetime.now(UTC)
                after = await sold(crowd, RATE) - before
                os.kill(back, signal.SIGCONT)
                for pid in scene.family(connection.supervisor):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
    to_the_second = tmp_path / "second"
    told = said(
        await asyncio.to_thread(
            mercat, "restore", backups, "--data", to_the_second, "--to-time", moment.isoformat()
        )
    )
    assert "Events that had been told and not yet passed on: 0" not in told
    assert (to_the_second / "media" / "early.png").read_bytes() == b"a picture"
    assert len(backups_in(backups)) == 1
    async with serving(to_the_second) as connection:
        await scene.settled(connection)
        kept = await orders_of(connection)
        assert early <= before <= kept, "each that was told before the moment is there"
        late = {
            order for order in kept if made_at(parse(OrderId, order)) > moment + timedelta(milliseconds=50)
        }
        finished = {order for order in late if order in after}
        assert finished == set(), "and none that was told after it"
        assert await unpacked(connection) == 0
        await until(partial(followed, connection), 60)
        assert [finding for finding in await audited(connection) if finding.violations] == []
        await keeps_house(connection, tmp_path / "more", backups)
    refuses_what_cannot_be(backups, to_the_second, tmp_path / "nowhere")


async def keeps_house(connection: Connection, backups: Path, old: Path) -> None:
    """Backups of a restored shop go into a folder of their own; the newest stay; the log can be let go."""

    async def run(*arguments: object) -> str:
        return said(await asyncio.to_thread(mercat, *arguments, "--data", connection.data))

    mine = await asyncio.to_thread(mercat, "backup", old, "--data", connection.data)
    assert "before it was restored. Choose another folder." in mine.stderr
    await run("backup", backups)
    left = backups / "base" / "20260101T000000Z.part"
    left.mkdir()
    assert f"Removed: {left}" in await run("backup", backups, "--keep", "1")
    assert not left.exists()
    [kept] = backups_in(backups).values()
    assert kept.timeline == 2
    looked = await asyncio.to_thread(mercat, "check", "--data", connection.data, "--json")
    assert looked.returncode in (0, 1), looked.stdout  # this machine's clock may be nobody's care
    assert "backup" not in {each["what"] for each in json.loads(looked.stdout)["found"] if each["do"]}
    assert all(path.name >= kept.start_segment for path in (backups / "wal").glob("0*[0-9A-F]"))
    await run("backup", "--stop")
    assert "Every commit goes to" in await run("backup", backups), "the log of before is not gone on with"
    assert [*backups.glob("wal-*")]
    await tells_where_commits_do_not_arrive(connection, backups)
    await run("backup", "--stop")
    await run("backup", "--stop")
    db = await asyncpg.connect(**connection.postgres())
    slots = await db.fetch("select slot_name from pg_replication_slots where not temporary")
    assert [row["slot_name"] for row in slots] == ["mercat"]
    await db.close()


async def tells_where_commits_do_not_arrive(connection: Connection, backups: Path) -> None:
    """Have what receives the log ask for what PostgreSQL has not written yet."""
    wrong = backups / "wal" / f"{2:08X}{15:08X}{255:08X}"
    with wrong.open("wb") as file:
        file.truncate(SEGMENT_BYTES)
    done = await asyncio.to_thread(mercat, "backup", backups, "--data", connection.data)
    assert (done.returncode, "later commits do not reach" in done.stderr) == (1, True), done.stderr
    wrong.unlink()


def ends_early(_: object) -> None:
    raise InterruptedError


def refuses_what_cannot_be(backups: Path, restored: Path, new: Path) -> None:
    there = mercat("restore", backups, "--data", restored)
    assert (there.returncode, "There is a shop in" in there.stderr) == (1, True)
    early = mercat("restore", backups, "--data", new, "--to-time", "2026-01-01T00:00:00Z")
    assert "no earlier time can be had" in early.stderr
    late = mercat("restore", backups, "--data", new, "--to-time", "2126-01-01T00:00:00Z")
    assert "has not come yet" in late.stderr
    none = mercat("restore", new, "--data", new)
    assert "There is no backup in" in none.stderr
    with pytest.raises(InterruptedError):
        restore(backups, Home(new), None, ends_early, print)
    assert "was not restored to its end" in mercat("serve", "--data", new).stderr
    said(mercat("restore", backups, "--data", new))
    shutil.rmtree(new)
    (next(iter(backups_in(backups))) / "postgres" / "PG_VERSION").write_text("18 ")
    assert "The backup is damaged" in mercat("restore", backups, "--data", new).stderr
    assert not Home.made(new)
