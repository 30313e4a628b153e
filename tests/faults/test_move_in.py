"""A whole shop moves each of its parts to another engine and back while people buy, by the command, which is
killed on the way. No order that was confirmed is lost, and the books balance."""

import asyncio
import json
import os
import signal
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from buckets import KEY, s3_server
from commands import mercat
from fact_engines import clickhouse
from faults.test_kafka_log import _FOLLOWED
from kafka_broker import broker
from PIL import Image
from search_engines import node
from standby import standby
from valkeys import one_valkey
from waiting import until

from mercat.embedded import Home
from mercat.embedded.postgres import Postgres
from mercat.kit.valkey_cluster import open_store
from mercat.lab.bench import faults as scene
from mercat.lab.bench.crowd import crowded
from mercat.lab.bench.shop import audited, serving, staff
from mercat.search import SearchQuery

pytestmark = pytest.mark.scale


def _long(part: str) -> Any:
    """Workers are replaced eight times, which takes minutes. `contract` kills moves at each statement."""
    return pytest.param(part, marks=pytest.mark.long)


@pytest.fixture
def bucket():
    with s3_server() as root:
        yield f"{root}/pictures/shop"


def settings_of(part: str, request: pytest.FixtureRequest) -> str:
    """The settings file by which a part is elsewhere."""
    if part == "pictures":
        url = request.getfixturevalue("bucket")
        return (
            f'media_s3_url = "{url}"\nmedia_s3_region = "{KEY.region}"\n'
            f'media_s3_access_key = "{KEY.access_key}"\nmedia_s3_secret_key = "{KEY.secret_key}"\n'
        )
    if part == "analytics":
        return f'[analytics]\nclickhouse = "{clickhouse().new_url()}"\n'
    if part == "log":
        return f'[log]\nkafka = ["{broker().address}"]\ntopic = "{broker().new_topic()}"\n'
    return f'[search]\nopensearch = "{node()}"\nindex = "moved-{os.getpid()}"\n'


class Command:
    """`mercat move-in`, with what it says."""

    def __init__(self, data: Path, *options: object) -> None:
        given = map(str, options)
        self._argv = [sys.executable, "-m", "mercat", "move-in", "--data", str(data), *given]

    async def carries_out(self) -> str:
        process = await self._begun()
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()

    async def is_killed_after(self, lines: int) -> None:
        process = await self._begun()
        assert process.stderr
        for _ in range(lines):
            await process.stderr.readline()
        process.send_signal(signal.SIGKILL)
        await process.communicate()

    async def is_killed_once_it_says(self, text: str) -> None:
        process = await self._begun()
        assert process.stderr
        while text.encode() not in (line := await process.stderr.readline()):
            assert line, f"it ended, and never said {text!r}"
        process.send_signal(signal.SIGKILL)
        await process.communicate()

    async def _begun(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        environment = os.environ | {"COLUMNS": "400"}
        return await asyncio.create_subprocess_exec(*self._argv, stderr=pipe, stdout=pipe, env=environment)


async def pictures_of(connection) -> list[str]:
    async with staff(connection) as shop:
        out = BytesIO()
        Image.new("RGB", (80, 60), "teal").save(out, "PNG")
        made = await shop.media.add(out.getvalue())
        return [made.url.removeprefix("/media/")]


async def buys_on(crowd, count=10):
    before = len(crowd.told)

    async def bought():
        return len(crowd.told) >= before + count

    await until(bought, 90)


async def carts_are_filled_where_they_are(data, crowd):
    """The crowd fills carts past the door, so it has to know where they are."""
    own, known = crowd.shop.host.store, ""
    while True:
        url = json.loads((data / "moved_in.json").read_text()).get("store_url", "") if known_at(data) else ""
        if url != known:
            crowd.shop.host.store, known = open_store(url) if url else own, url
        await asyncio.sleep(0.02)


def known_at(data):
    return (data / "moved_in.json").exists()


async def all_is_followed_and_well(connection, crowd):
    """Nothing is missing, nothing is there twice, all followers have done their work, and the laws hold."""
    db = await asyncpg.connect(**connection.postgres())
    await scene.settled(connection)

    async def followed():
        [found] = await db.fetch(_FOLLOWED)
        row: dict[str, int] = dict(found.items())
        same = {row[name] for name in ("orders", "letters", "written_to", "to_ship", "reported")}
        return len(same) == 1 and row["parked"] == 0

    await until(followed, 120)
    assert await scene.missing(scene.Site(connection), crowd) == (0, 0)
    assert [finding for finding in await audited(connection) if finding.violations] == []
    await db.close()


@pytest.mark.timeout(580)
@pytest.mark.parametrize("part", ["database", _long("carts")])
async def test_what_one_place_alone_writes_is_handed_over_there_and_back_while_people_buy(part, tmp_path):
    tmp_path.chmod(0o755)
    data, file = tmp_path / "shop", tmp_path / "shop.toml"
    data.mkdir(mode=0o755)
    with standby(Postgres(Home(data)).account) as there, one_valkey(tmp_path) as store:
        async with serving(data, workers=2) as connection, crowded(connection, 15, shoppers=15) as crowd:
            crowd.come()
            following = asyncio.create_task(carts_are_filled_where_they_are(data, crowd))
            await buys_on(crowd)
            if part == "database":
                there.copy(connection.postgres())
            file.write_text(there.toml() if part == "database" else f'[valkey]\nstore = "{store}"\n')
            for way, command in (("there", ("--to", file, "--only", part)), ("back", ("--back", part))):
                await Command(data, *command).is_killed_once_it_says("nothing is written")
                await buys_on(crowd)
                if part == "database" and way == "there":
                    there.copy(connection.postgres())  # the one before may have taken over
                said = await Command(data, *command).carries_out()
                assert f"{part}: done." in said
                assert "laws hold" in said
                await buys_on(crowd)
            assert await crowd.have_been_served() == 0
            following.cancel()
            now = Home(data).running()
            assert now
            await all_is_followed_and_well(now, crowd)


@pytest.mark.timeout(400)
async def test_a_shop_whose_database_is_elsewhere_is_closed_and_opened_again(tmp_path):
    tmp_path.chmod(0o755)
    data, file = tmp_path / "shop", tmp_path / "shop.toml"
    data.mkdir(mode=0o755)
    with standby(Postgres(Home(data)).account) as there:
        async with serving(data, workers=1) as connection:
            there.copy(connection.postgres())
            file.write_text(there.toml())
            said = await Command(data, "--to", file, "--only", "database", "--dry-run").carries_out()
            assert "MB are copied while a server there follows" in said
            await Command(data, "--to", file, "--only", "database").carries_out()
            assert "127.0.0.1" in await Command(data, "--status").carries_out()
        done = await asyncio.to_thread(mercat, "audit", "--data", data)
        assert done.returncode == 0, done.stderr
        backup = await asyncio.to_thread(mercat, "backup", tmp_path / "copies", "--data", data)
        assert "back it up there" in backup.stderr
        async with serving(data, workers=1):
            now, own = Home(data).running(), Home(data).engines()
            assert now
            assert own
            assert now.postgres_port == there.port
            for place in (now, own):  # what was left says so too
                db = await asyncpg.connect(**place.postgres())
                assert await db.fetchval("select step from events.move") == "moved"
                await db.close()
            assert [finding for finding in await audited(now) if finding.violations] == []


@pytest.mark.timeout(580)
@pytest.mark.parametrize("part", ["log", _long("pictures"), _long("analytics"), _long("search")])
async def test_a_part_moves_there_and_back_while_people_buy(part, request, tmp_path):
    tmp_path.chmod(0o755)
    file = tmp_path / "shop.toml"
    file.write_text(settings_of(part, request))
    data = tmp_path / "shop"
    data.mkdir(mode=0o755)
    async with serving(data, workers=1) as connection, crowded(connection, 15, shoppers=15) as crowd:
        crowd.come()
        await buys_on(crowd)
        names = await pictures_of(connection)
        await Command(data, "--to", file).is_killed_after(1 if part == "log" else 2)
        await buys_on(crowd)
        said = await Command(data, "--to", file).carries_out()
        assert f"{part}: done." in said
        assert "laws hold" in said
        await buys_on(crowd)
        assert json.loads((data / "moved_in.json").read_text())
        await Command(data, "--back", part).is_killed_after(1)
        await buys_on(crowd)
        assert f"{part}: done." in await Command(data, "--back", part).carries_out()
        assert json.loads((data / "moved_in.json").read_text()) == {}
        await buys_on(crowd)
        assert await crowd.have_been_served() == 0
        async with staff(connection) as shop:
            assert (await shop.media.picture(names[0])).exact
            assert (await shop.search.find(SearchQuery())).total > 0
        await all_is_followed_and_well(connection, crowd)
