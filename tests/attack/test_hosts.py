"""Who names a host of their own: it is refused, or at least never repeated in what caches keep."""

import asyncio
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
from attack.conftest import Open

from mercat.app import build_shop, public_app
from mercat.settings import Settings
from mercat.shop import every_product

CACHEABLE = (
    "/",
    "/search?q=lamp",
    "/departments",
    "/help",
    "/robots.txt",
    "/sitemap.xml",
    "/sitemap/pages.xml",
)


async def client(settings: Settings, stack: AsyncExitStack, **more: object) -> httpx.AsyncClient:
    shop = await build_shop(msgspec.structs.replace(settings, **more), stack)
    await shop.search.rebuild(every_product(shop.catalog))
    transport = httpx.ASGITransport(await public_app(shop), raise_app_exceptions=False)
    return await stack.enter_async_context(
        httpx.AsyncClient(transport=transport, base_url="http://localhost")
    )


async def test_every_absolute_address_is_the_public_one(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        http = await client(settings, stack, public_url="https://shop.example/")
        for host in ("shop.example", "SHOP.example:443", "localhost:8000", "127.0.0.1"):
            for path in CACHEABLE:
                said = await http.get(path, headers={"host": host})
                assert said.status_code == 200, (host, path)
                assert "http://" + host not in said.text
            assert "Sitemap: https://shop.example/sitemap.xml" in (await http.get("/robots.txt")).text
            assert '<link rel="canonical" href="https://shop.example/">' in (await http.get("/")).text


async def test_a_host_that_is_not_ours_is_421_but_for_probes(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        http = await client(settings, stack, public_url="https://shop.example")
        for path in ("/", "/api/v1/categories"):
            said = await http.get(path, headers={"host": "evil.example"})
            assert said.status_code == 421
            assert "evil.example" not in said.text
        assert (await http.get("/health", headers={"host": "10.0.0.7"})).status_code == 200


async def test_allowed_hosts_are_a_setting(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        http = await client(settings, stack, hosts="a.example B.example")
        for host, status in (("a.example", 200), ("b.example:81", 200), ("localhost", 421)):
            assert (await http.get("/help", headers={"host": host})).status_code == status


async def test_without_a_public_address_nothing_cacheable_names_a_foreign_host(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        http = await client(settings, stack)
        for path in CACHEABLE:
            said = await http.get(path, headers={"host": "evil.example"})
            assert said.status_code == 200
            assert "evil.example" not in said.text, path


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n", b"Host: a b\r\n", b"Host: a/b@c\r\n"])
async def test_a_request_without_one_proper_host_is_400(opened: Open, hosts: bytes) -> None:
    port, _ = await opened()
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /help HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


@pytest.mark.parametrize("coding", [b"identity, chunked", b"gzip", b"chunked\r\nTransfer-Encoding: chunked"])
async def test_a_body_of_which_two_readers_might_see_two_ends_is_400(opened: Open, coding: bytes) -> None:
    port, _ = await opened()
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = b"POST /api/v1/sessions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        writer.write(head + b"Transfer-Encoding: " + coding + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


@pytest.mark.parametrize(
    "chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\n{}", b"2;%s\r\n{}" % (b"a" * 20_000)]
)
async def test_chunks_that_are_none_are_400_at_once(opened: Open, chunks: bytes) -> None:
    port, _ = await opened()
    head = b"POST /api/v1/sessions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await _told(port, head + chunks)).startswith(b"HTTP/1.1 400 ")


async def test_a_probe_of_http_1_0_needs_no_host(opened: Open) -> None:
    port, _ = await opened()
    assert (await _told(port, b"GET /health HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 200 ")
    assert (await _told(port, b"GET /help HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 400 ")


async def _told(port: int, request: bytes) -> bytes:
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        said = await reader.read()
        writer.close()
        return said
