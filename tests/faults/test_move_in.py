"""A whole shop moves each of its parts to another engine and back while people buy, by the command, which is
killed on the way. No order that was confirmed is lost, and the books balance."""

import asyncio
import json
import os
import signal
import sys
from io import BytesIO
from pathlib import Path

import asyncpg
import pytest
from buckets import KEY, s3_server
from fact_engines import clickhouse
from faults.test_kafka_log import _FOLLOWED
from kafka_broker import broker
from PIL import Image
from search_engines import node
from waiting import until

from mercat.lab.bench import faults as scene
from mercat.lab.bench.crowd import crowded
from mercat.lab.bench.shop import audited, serving, staff
from mercat.search import SearchQuery

pytestmark = pytest.mark.scale


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


@pytest.mark.timeout(580)
@pytest.mark.parametrize("part", ["pictures", "analytics", "log", "search"])
async def test_a_part_moves_there_and_back_while_people_buy(part, request, tmp_path):
    tmp_path.chmod(0o755)
    file = tmp_path / "shop.toml"
    file.write_text(settings_of(part, request))
    data = tmp_path / "shop"
    data.mkdir(mode=0o755)
    async with serving(data, workers=1) as connection, crowded(connection, 15, shoppers=15) as crowd:
        db = await asyncpg.connect(**connection.postgres())
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
        await scene.settled(connection)

        async def followed():
            [found] = await db.fetch(_FOLLOWED)
            row: dict[str, int] = dict(found.items())
            same = {row[name] for name in ("orders", "letters", "written_to", "to_ship", "reported")}
            return len(same) == 1 and row["parked"] == 0

        await until(followed, 120)
        async with staff(connection) as shop:
            assert (await shop.media.picture(names[0])).exact
            assert (await shop.search.find(SearchQuery())).total > 0
        assert await scene.missing(scene.Site(connection), crowd) == (0, 0)
        assert [finding for finding in await audited(connection) if finding.violations] == []
        await db.close()
