"""Pictures in a bucket that speaks S3, of a server that is not ours; signed as Amazon's own library does."""

import socket
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, cast

import httpx
import pytest
from msgspec.structs import replace
from PIL import Image

from mercat.kit.refusals import Unavailable
from mercat.media import Media, storage_of
from mercat.media.s3 import Bucket, S3Key, signed
from mercat.media.storage import Folder
from mercat.settings import Secret, Settings

pytest.importorskip("botocore", reason="boto3 is not here: uv sync --group dev")
pytest.importorskip("moto", reason="moto is not here: uv sync --group dev")

KEY = S3Key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-west-1")
AT = datetime(2026, 11, 30, 12, 30, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def server():
    """An S3 server with one bucket; its address."""
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    root = f"http://{host}:{port}"
    assert httpx.put(f"{root}/pictures", timeout=60).is_success
    yield root
    moto.stop()


@pytest.mark.parametrize(
    ("method", "url", "headers", "content"),
    [
        ("GET", "https://s3.example/pictures/a.jpg", {}, b""),
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
