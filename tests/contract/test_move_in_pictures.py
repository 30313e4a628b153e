"""Pictures move into a bucket and back while sellers send new ones, whoever is killed when."""

import secrets
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, cast

import pytest
from buckets import KEY, s3_server
from moving import Replaced, each_death, nothing_is_broken
from msgspec.structs import replace
from PIL import Image

from mercat.cli.moves.mover import PartMover, states
from mercat.cli.moves.parts import PlacesDiffer
from mercat.cli.moves.pictures import PictureFiles, _copy
from mercat.embedded import Trouble
from mercat.media import Media, bucket_of, folder_of, storage_of
from mercat.media.storage import BothPlaces, Folder
from mercat.settings import Secret

BEFORE = 6


@pytest.fixture(scope="module")
def server():
    with s3_server() as root:
        yield root


def picture() -> bytes:
    out = BytesIO()
    colour = tuple(secrets.token_bytes(3))
    Image.new("RGB", (300, 200), cast(Any, colour)).save(out, "PNG")
    return out.getvalue()


@dataclass
class Sellers:
    """Two web workers that are asked in turn. What was sent to one can be seen at the other, at any time."""

    db: Any
    workers: list[Media] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    async def send(self) -> None:
        for worker in self.workers:
            made = await worker.add(picture())
            self.names.append(made.url.removeprefix("/media/"))
            small = self.names[-1].replace(".png", "-96.webp")
            for other in self.workers:
                assert (await other.picture(self.names[-1])).exact
                assert (await other.picture(small)).media_type == "image/webp"

    async def all_seen(self) -> bool:
        for worker in self.workers:
            for name in self.names:
                await worker.picture(name)
        return True


@pytest.fixture
async def begin(server, settings, db, tmp_path):
    """Make another shop whose pictures are in its folder; `there`: they are in its bucket."""
    await db.execute("delete from events.move")

    async def made(*, there: bool = False):
        await db.execute("delete from events.move")
        told = replace(
            settings,
            data=tmp_path / secrets.token_hex(4),
            media_s3_region=KEY.region,
        )
        given = {
            "media_s3_url": f"{server}/pictures/{secrets.token_hex(4)}",
            "media_s3_access_key": KEY.access_key,
            "media_s3_secret_key": KEY.secret_key,
        }
        sellers = Sellers(db)

        def worker(n):
            async def replaced(now):
                sellers.workers[n] = Media(db, storage_of(now), cast(Any, None), cast(Any, None))

            return replaced

        shop = Replaced(told, [worker(0), worker(1)], sellers.send)
        shop.kept = given if there else {}
        sellers.workers = [
            Media(db, storage_of(shop.settings()), cast(Any, None), cast(Any, None)) for _ in range(2)
        ]
        for _ in range(BEFORE // 2):
            await sellers.send()
        moved = replace(
            told,
            media_s3_url=given["media_s3_url"],
            media_s3_access_key=KEY.access_key,
            media_s3_secret_key=Secret(KEY.secret_key),
        )
        made.sellers, made.told = sellers, moved
        if there:
            await db.execute(
                "insert into events.move (part, way, step) values ('pictures', 'there', 'moved')"
            )
        return shop, PictureFiles(moved), given

    return made


@pytest.mark.scale
async def test_pictures_move_into_a_bucket_whoever_is_killed_when(begin, db):
    async for _ in each_death(begin, db, "there"):
        bucket = bucket_of(begin.told)
        assert {*bucket.names()} >= {*begin.sellers.names}
        assert await begin.sellers.all_seen()
        assert (await states(db))["pictures"].step == "moved"
        await begin.sellers.send()
        assert not {*folder_of(begin.told).names()} & {*begin.sellers.names[-2:]}


@pytest.mark.scale
async def test_pictures_come_back_whoever_is_killed_when(begin, db):
    async for _ in each_death(lambda: begin(there=True), db, "back"):
        folder = folder_of(begin.told)
        assert {*folder.names()} >= {*begin.sellers.names}
        assert await begin.sellers.all_seen()
        assert await states(db) == {}
        await begin.sellers.send()
        assert not {*bucket_of(begin.told).names()} & {*begin.sellers.names[-2:]}


async def test_a_picture_that_is_another_there_is_said_and_the_former_place_serves_on(begin, db):
    shop, part, given = await begin()
    bucket_of(begin.told).put(begin.sellers.names[0], b"what somebody else has put there")
    with pytest.raises(Trouble, match=r"1 are not the same .*--back pictures"):
        await PartMover(db, shop, nothing_is_broken, lambda _: None).move(part, "there", given)
    assert await begin.sellers.all_seen()
    assert shop.kept["moving"] == "pictures"
    await PartMover(db, shop, nothing_is_broken, lambda _: None).move(part, "back", given)
    assert shop.kept == {}
    assert await states(db) == {}
    assert await begin.sellers.all_seen()


async def test_what_was_let_go_in_the_bucket_does_not_come_back(begin, db):
    shop, part, given = await begin(there=True)
    folder_of(begin.told).put("a" * 32 + ".png", b"forgotten since")
    await PartMover(db, shop, nothing_is_broken, lambda _: None).move(part, "back", given)
    assert folder_of(begin.told).get("a" * 32 + ".png") is None
    assert await begin.sellers.all_seen()


async def test_a_broken_law_stops_the_move_and_says_what_to_do(begin, db):
    shop, part, given = await begin()

    async def broken() -> str:
        raise Trouble("1 laws are broken: stock.")

    with pytest.raises(Trouble, match=r"has switched, and 1 laws are broken.*--back pictures"):
        await PartMover(db, shop, broken, lambda _: None).move(part, "there", given)
    assert (await states(db))["pictures"].step == "switching"
    await PartMover(db, shop, nothing_is_broken, lambda _: None).move(part, "there", given)
    assert (await states(db))["pictures"].step == "moved"


async def test_the_plan_counts_and_changes_nothing(begin):
    _, part, _ = await begin()
    assert await part.plan("there") == "12 of 12 files are to be copied, all are compared: 0 min"
    assert [*bucket_of(begin.told).names()] == []
    await part.fill("there", lambda _: None)
    assert await part.plan("there") == "0 of 12 files are to be copied, all are compared: 0 min"
    bucket_of(begin.told).remove(begin.sellers.names[:1])
    with pytest.raises(PlacesDiffer):
        await part.verify("there")


class Interrupted(Folder):
    """A place where something happens after each removal."""

    meanwhile: Any = staticmethod(lambda: None)

    def remove(self, names):
        super().remove(names)
        self.meanwhile()


@pytest.mark.parametrize("way", ["there", "back"])
def test_a_picture_that_is_removed_while_it_is_copied_does_not_come_back(tmp_path, way):
    near, far = Interrupted(tmp_path / "near"), Interrupted(tmp_path / "far")
    source, target = (near, far) if way == "there" else (far, near)
    near.put("a.png", b"a")
    far.put("a.png", b"a")
    near.meanwhile = far.meanwhile = lambda: _copy(source, target, "a.png")
    BothPlaces(near, far).remove(["a.png"])
    assert near.get("a.png") is far.get("a.png") is None


async def test_what_only_the_bucket_has_is_said(begin):
    _, part, _ = await begin()
    await part.fill("there", lambda _: None)
    bucket_of(begin.told).put("b" * 32 + ".png", b"of another time")
    assert "; 1 more are there, and are served from there." in await part.verify("there")
