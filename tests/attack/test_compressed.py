"""Answers travel in the smallest form that the asker reads, and a secret in one is guessed from no length."""

import gzip
import re
import sys
from typing import Any, cast

import brotli  # pyright: ignore[reportMissingTypeStubs]
import httpx
import pytest
from one_scene import one_scene

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LONG = ("/", "/search?q=lamp", "/help", "/cart", "/signin", "/api/v1/openapi.json", "/api/v1/docs")
PRIVATE = ("/cart", "/signin")
PLAIN: dict[str, Any] = {
    "": bytes,
    "gzip": gzip.decompress,
    "br": cast(Any, brotli).decompress,
    "zstd": zstd.decompress,
}


async def raw(visitor: httpx.AsyncClient, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    given = {"accept-encoding": "", **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with visitor.stream("GET", path, headers=given) as said:
        return said, b"".join([part async for part in said.aiter_raw()])


@one_scene(
    ("accepts", "coding"),
    [
        ("", ""),
        ("identity", ""),
        ("deflate", ""),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, br;q=0.5, zstd;q=0.1", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=0", ""),
        ("gzip;q=0.5, identity;q=0.9", ""),
        ("*", "gzip"),
        ("*;q=0", ""),
        ("GZIP", "gzip"),
        ("gzip;q=much, br;q=0.1", "br"),
        (",;,=;q=", ""),
        ("gzip," * 1_000, ""),
    ],
)
async def test_an_answer_travels_as_the_asker_likes_best(
    visitor: httpx.AsyncClient, accepts: str, coding: str
) -> None:
    plain, body = await raw(visitor, "/help")
    said, small = await raw(visitor, "/help", accept_encoding=accepts)
    assert said.headers.get("content-encoding", "") == coding
    assert PLAIN[coding](small) == body
    assert int(said.headers["content-length"]) == len(small)
    assert said.headers["etag"] == plain.headers["etag"]
    assert "accept-encoding" in said.headers["vary"].lower()
    assert "accept-encoding" in plain.headers["vary"].lower(), "a cache must know before it meets the first"


async def test_whatever_is_long_becomes_much_smaller(visitor: httpx.AsyncClient) -> None:
    for path in LONG:
        _, body = await raw(visitor, path)
        for coding in ("zstd", "br", "gzip"):
            said, small = await raw(visitor, path, accept_encoding=coding, sec_fetch_site="same-origin")
            assert said.headers["content-encoding"] == coding, path
            assert len(small) * 2 < len(body), (path, coding)
            if path not in PRIVATE:  # whose tokens are never the same twice
                assert PLAIN[coding](small) == body


async def test_what_is_short_stays_as_it_is(visitor: httpx.AsyncClient) -> None:
    for path in ("/health", "/api/v1/cart", "/api/v1/nothing"):
        said, _ = await raw(visitor, path, accept_encoding="gzip")
        assert "content-encoding" not in said.headers


async def test_who_has_it_already_is_told_so_whatever_the_coding(visitor: httpx.AsyncClient) -> None:
    first, _ = await raw(visitor, "/help", accept_encoding="br")
    again, body = await raw(visitor, "/help", accept_encoding="gzip", if_none_match=first.headers["etag"])
    assert (again.status_code, body) == (304, b"")
    assert "accept-encoding" in again.headers["vary"].lower()
    assert "content-encoding" not in again.headers


async def test_head_says_what_get_would(visitor: httpx.AsyncClient) -> None:
    said, small = await raw(visitor, "/help", accept_encoding="br")
    head = await visitor.head("/help", headers={"accept-encoding": "br"})
    assert head.content == b""
    for name in ("content-length", "content-encoding", "etag"):
        assert head.headers[name] == said.headers[name]
    assert int(head.headers["content-length"]) == len(small)


async def test_static_files_come_small_and_for_ever(visitor: httpx.AsyncClient) -> None:
    page = (await visitor.get("/help")).text
    files = set(re.findall(r'"(/static/[^"]+\.(?:css|js)\?[^"]+)"', page))
    assert files
    for path in files:
        _, body = await raw(visitor, path)
        for coding in ("zstd", "br", "gzip"):
            said, small = await raw(visitor, path, accept_encoding=coding)
            assert said.headers["content-encoding"] == coding
            assert said.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert PLAIN[coding](small) == body
            assert len(small) < len(body)


@pytest.mark.parametrize("path", PRIVATE)
async def test_no_other_site_makes_a_browser_ask_for_a_secret_compressed(
    visitor: httpx.AsyncClient, path: str
) -> None:
    """BREACH: who can make a victim ask, with words of theirs in the page, learns from its length."""
    visitor.cookies.set("mercat_form", "a-nonce-of-the-victim")
    for site in ("cross-site", "same-site", ""):
        asked = {"sec_fetch_site": site} if site else {}
        said, _ = await raw(visitor, path, accept_encoding="gzip, br, zstd", **asked)
        assert "content-encoding" not in said.headers, site
    for site in ("same-origin", "none"):
        said, _ = await raw(visitor, path, accept_encoding="gzip, br, zstd", sec_fetch_site=site)
        assert said.headers["content-encoding"] == "zstd", site
    public, _ = await raw(visitor, "/help", accept_encoding="gzip", sec_fetch_site="cross-site")
    assert public.headers["content-encoding"] == "gzip", "what is everybody's holds no secret"
