"""Pictures and backups in a bucket of a server that is not ours; signed as Amazon's own library does."""

import json
import os
import random
import secrets
import shutil
import socket
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, cast

import httpx
import pytest
from buckets import KEY, s3_server
from msgspec.structs import replace
from PIL import Image

from mercat.embedded import Trouble
from mercat.embedded import mirror as mirrors
from mercat.embedded.archive import Archive
from mercat.embedded.backup import backups_in
from mercat.embedded.mirror import Mirror
from mercat.kit.refusals import Unavailable
from mercat.kit.s3 import Bucket, signed
from mercat.media import Media, storage_of
from mercat.media.storage import Folder
from mercat.settings import Secret, Settings

AT = datetime(2026, 11, 30, 12, 30, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def server():
    with s3_server() as root:
        yield root


@pytest.mark.parametrize(
    ("method", "url", "headers", "content"),
    [
        ("GET", "https://s3.example/pictures/a.jpg", {}, b""),
        ("GET", "https://s3.example/pictures?list-type=2&prefix=a%2Fb%20c~", {}, b""),
        ("PUT", "https://s3.example:9000/pictures/x/a.jpg", {"content-type": "image/jpeg"}, b"\x00\xff"),
        (
            "PUT",
            "http://127.0.0.1/b/a.avif",
            {"if-none-match": "*", "cache-control": "public,  max-age=1"},
            b"a",
        ),
    ],
)
def test_the_signature_is_that_of_amazons_own_library(monkeypatch, method, url, headers, content):
    pytest.importorskip("botocore", reason="boto3 is not here: uv sync --group dev")
    from botocore import auth, awsrequest, credentials

    monkeypatch.setattr(auth, "get_current_datetime", lambda: AT.replace(tzinfo=None), raising=False)
    request = awsrequest.AWSRequest(method, url, data=content, headers=dict(headers))
    their = auth.S3SigV4Auth(credentials.Credentials(KEY.access_key, KEY.secret_key), "s3", KEY.region)
    request.context["payload_signing_enabled"] = True
    request.context["timestamp"] = AT.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    request.headers["X-Amz-Content-SHA256"] = their.payload(request)
    wanted = their.signature(their.string_to_sign(request, their.canonical_request(request)), request)
    ours = signed(method, url, headers, content, KEY, AT)
    assert ours["authorization"].rpartition("Signature=")[2] == wanted


def bucket(server, folder=""):
    return Bucket(f"{server}/pictures{folder}", KEY)


def test_what_is_put_is_got_and_what_is_not_there_is_nothing(server):
    files = bucket(server, "/shop")
    assert files.get("a" * 32 + ".jpg") is None
    files.put("a" * 32 + ".jpg", b"one")
    files.put("a" * 32 + ".jpg", b"one")
    assert files.get("a" * 32 + ".jpg") == b"one"
    assert bucket(server).get("a" * 32 + ".jpg") is None
    url = f"{server}/pictures/shop/{'a' * 32}.jpg"
    asked = signed("GET", url, {}, b"", KEY, datetime.now(UTC))
    said = httpx.get(url, headers=asked, timeout=60).headers
    assert said["content-type"] == "image/jpeg"
    assert "immutable" in said["cache-control"]


def test_a_bucket_that_is_away_is_said():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = Bucket(f"http://127.0.0.1:{closed.getsockname()[1]}/b", KEY)
        with pytest.raises(Unavailable):
            away.get("a.jpg")


def test_a_refused_key_is_said(server):
    with pytest.raises(Unavailable):
        Bucket(f"{server}/no-such-bucket", KEY).put("a.jpg", b"one")


async def test_a_shops_pictures_and_their_sizes_lie_in_the_bucket(server, settings, db):
    settings = replace(
        settings,
        media_s3_url=f"{server}/pictures",
        media_s3_region=KEY.region,
        media_s3_access_key=KEY.access_key,
        media_s3_secret_key=Secret(KEY.secret_key),
    )
    storage: Any = storage_of(settings)
    shop = Media(db, storage, cast(Any, None), cast(Any, None))
    out = BytesIO()
    Image.new("RGB", (900, 600), "teal").save(out, "JPEG")
    made = await shop.add(out.getvalue())
    name = made.url.removeprefix("/media/")
    small = name.replace(".jpg", "-400.webp")
    assert (await shop.picture(small)).media_type == "image/webp"
    assert storage.get(name)
    assert Image.open(BytesIO(storage.get(small))).size == (400, 267)
    assert not (settings.data / "media").exists()


def test_without_the_setting_it_is_a_folder(tmp_path):
    assert isinstance(storage_of(Settings(data=tmp_path)), Folder)


def segment(number):
    return f"{1:08X}{0:08X}{number:08X}"


def made(folder, name, number):
    """A base backup as `mercat backup` makes it, with a file of two pieces and a folder without files."""
    base = folder / "base" / name
    (base / "postgres" / "pg_notify").mkdir(parents=True)
    (base / "postgres" / "big").write_bytes(random.Random(number).randbytes(mirrors.PIECE_BYTES + 5))
    (base / "secret.key").write_text("a key")
    ended = f"2026-11-{number:02}T00:00:00+00:00"
    record = {"system": "s", "timeline": 1, "start_segment": segment(number), "version": "1"}
    (base / "backup.json").write_text(json.dumps({**record, "began_at": ended, "ended_at": ended}))
    return base


@pytest.fixture
def mirror(server, tmp_path, monkeypatch):
    """A bucket for backups, and the archive on the way there of a shop with a picture."""
    monkeypatch.setattr(mirrors, "PIECE_BYTES", 100_000)
    kept = Archive.at(f"s3://pictures/{secrets.token_hex(4)}/", tmp_path / "shop")
    kept.wal.mkdir(parents=True)
    picture = tmp_path / "shop" / "media" / "ab" / "ab.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"a picture")
    settings = Settings(
        backup_s3_endpoint=server,
        backup_s3_access_key=KEY.access_key,
        backup_s3_secret_key=Secret(KEY.secret_key),
    )
    return Mirror.of(kept.bucket, settings), kept, tmp_path / "shop"


def test_what_a_bucket_gives_back_is_what_was_backed_up(mirror, tmp_path):
    sends, kept, shop = mirror
    base = made(kept.folder, "20261110T000000Z", 10)
    big = (base / "postgres" / "big").read_bytes()
    for number in (8, 9, 10, 11):
        (kept.wal / segment(number)).write_bytes(b"%d" % number * 1_000)
    being_written = kept.wal / f"{segment(12)}.partial"
    being_written.write_bytes(b"12")
    sends.send_bases(kept)
    sends.send(kept, shop)
    assert [path.name for path in base.iterdir()] == ["backup.json"], "what is sent takes no room here"
    assert {path.name for path in kept.wal.iterdir()} == {segment(11), being_written.name}
    being_written.write_bytes(b"1212")
    os.utime(being_written, ns=(1, 1))
    sends.send(kept, shop)
    fetched = tmp_path / "fetched"
    sends.fetch(fetched, None, lambda _: None)
    [path] = backups_in(fetched)
    assert (path / "postgres" / "big").read_bytes() == big
    assert (path / "postgres" / "pg_notify").is_dir()
    assert (path / "secret.key").read_text() == "a key"
    assert (fetched / "media" / "ab" / "ab.png").read_bytes() == b"a picture"
    assert (fetched / "wal" / f"{segment(12)}.partial").read_bytes() == b"1212"
    assert (fetched / "wal" / segment(8)).read_bytes() == b"8" * 1_000


def test_a_segment_that_became_whole_is_fetched_once(mirror, tmp_path):
    sends, kept, shop = mirror
    made(kept.folder, "20261110T000000Z", 10)
    being_written = kept.wal / f"{segment(10)}.partial"
    being_written.write_bytes(b"half")
    sends.send_bases(kept)
    sends.send(kept, shop)
    being_written.rename(kept.wal / segment(10))
    (kept.wal / segment(10)).write_bytes(b"whole")
    sends.send(kept, shop)
    sends.fetch(tmp_path / "fetched", None, lambda _: None)
    assert {path.name: path.read_bytes() for path in (tmp_path / "fetched" / "wal").iterdir()} == {
        segment(10): b"whole"
    }


def test_a_backup_that_was_not_sent_whole_is_none_and_goes(mirror, tmp_path):
    sends, kept, shop = mirror
    made(kept.folder, "20261101T000000Z", 1)
    made(kept.folder, "20261110T000000Z", 10)
    for number in (1, 7, 11):
        (kept.wal / segment(number)).write_bytes(b"log")
    sends.send_bases(kept)
    sends.send(kept, shop)
    records = tmp_path / "elsewhere"
    sends.fetch_records(records)
    assert [path.name for path in backups_in(records)] == ["20261101T000000Z", "20261110T000000Z"]
    shutil.rmtree(records / "base" / "20261101T000000Z")
    sends.prune(records)
    sends.fetch(tmp_path / "fetched", None, lambda _: None)
    assert [path.name for path in backups_in(tmp_path / "fetched")] == ["20261110T000000Z"]
    assert {path.name for path in (tmp_path / "fetched" / "wal").iterdir()} == {segment(7), segment(11)}
    with pytest.raises(Trouble, match="no earlier time"):
        sends.fetch(tmp_path / "early", datetime(2026, 11, 5, tzinfo=UTC), lambda _: None)


def test_without_a_backup_in_the_bucket_it_is_said(mirror, tmp_path):
    sends, _, _ = mirror
    with pytest.raises(Trouble, match="There is no backup"):
        sends.fetch(tmp_path / "fetched", None, lambda _: None)
