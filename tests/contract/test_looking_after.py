"""What the back worker measures of backups holds in bad times too, and backups never fill the shop's disk."""

import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path

import msgspec
import pytest

from mercat.app import build_shop
from mercat.cli import looking_after
from mercat.cli.looking_after import LookingAfter
from mercat.embedded.archive import SLOT
from mercat.kit import metrics

DROP = """select count(pg_drop_replication_slot(slot_name)) from pg_replication_slots
    where slot_name = $1"""
HELD = "select count(*) from pg_replication_slots where slot_name = $1"


@pytest.fixture
async def looking(settings, tmp_path):
    async with AsyncExitStack() as stack:
        shop = await build_shop(msgspec.structs.replace(settings, data=tmp_path), stack)
        yield LookingAfter(shop)


def figure(gauge) -> float:
    [sample] = [each for family in gauge.collect() for each in family.samples]
    return sample.value


def keeps_backups(data: Path, folder: Path, age: timedelta) -> None:
    (data / "archive.json").write_text(json.dumps({"folder": str(folder)}))
    base = folder / "base" / "one"
    base.mkdir(parents=True)
    ended = (datetime.now(UTC) - age).isoformat()
    known = ("1", 1, "0" * 24, ended, ended, "0.2.0")
    names = ("system", "timeline", "start_segment", "began_at", "ended_at", "version")
    (base / "backup.json").write_text(json.dumps(dict(zip(names, known, strict=True))))


async def test_a_shop_without_a_backup_shows_the_alarm_one_that_is_too_old(looking):
    await looking.look()
    assert figure(metrics.backup_age) == inf
    assert figure(metrics.archive_stopped) == 0


async def test_figures_hold_where_pictures_cannot_be_copied(looking, tmp_path):
    keeps_backups(tmp_path, tmp_path / "backups", timedelta(hours=5))
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "1.png").write_bytes(b"a picture")
    await looking.look()
    assert figure(metrics.backup_age) == pytest.approx(5 * 3_600, abs=60)
    assert figure(metrics.archive_stopped) == 1, "nothing receives the log"
    assert not (tmp_path / "backups" / "media").exists()
    (tmp_path / "backups" / "media").mkdir()
    await looking.look()
    assert (tmp_path / "backups" / "media" / "1.png").exists()


async def test_log_for_backups_is_let_go_before_it_fills_the_disk(looking, tmp_path, db, monkeypatch):
    keeps_backups(tmp_path, tmp_path / "backups", timedelta())
    await db.execute("select pg_create_physical_replication_slot($1, true)", SLOT)
    try:
        await looking.look()
        assert await db.fetchval(HELD, SLOT) == 1, "there is room"
        monkeypatch.setattr(looking_after, "holds_too_much", lambda held, free: held >= 0)
        await looking.look()
        assert await db.fetchval(HELD, SLOT) == 0
        await looking.look()
        assert figure(metrics.archive_stopped) == 1
    finally:
        await db.fetchval(DROP, SLOT)
