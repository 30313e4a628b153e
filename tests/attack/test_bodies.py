"""A body that does not come, comes slowly, or is not wanted."""

import asyncio
from contextlib import AsyncExitStack
from time import perf_counter

import httpx
from attack.conftest import Open

_HEAD = (
    (
        "POST /api/v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    )
    .replace("{{", "{")
    .encode()
)


async def _unfinished(stack: AsyncExitStack, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.callback(writer.close)
    writer.write(_HEAD)
    return reader, writer


async def test_pages_answer_within_a_second_beside_1500_bodies_that_never_come(opened: Open) -> None:
    port, _ = await opened()
    async with AsyncExitStack() as stack, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        for _ in range(15):
            await asyncio.gather(*(_unfinished(stack, port) for _ in range(100)))
        for path in ("/", "/search?q=lamp", "/api/v1/categories", "/health"):
            began = perf_counter()
            said = await http.get(path)
            assert said.status_code == 200, (path, said.text[:200])
            assert perf_counter() - began < 1
        whole = await http.post("/api/v1/sessions/guest")
        assert whole.status_code == 201


async def test_a_body_that_is_not_whole_in_time_is_408_and_its_connection_ends(opened: Open) -> None:
    port, _ = await opened(body_s=0.3)
    async with AsyncExitStack() as stack, asyncio.timeout(5):
        reader, _ = await _unfinished(stack, port)
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"request_timeout"' in said


async def test_one_network_holds_so_many_unfinished_bodies_and_is_told_at_once(
    opened: Open,
) -> None:
    port, _ = await opened(requests_at_once=20, bodies_at_once=5)
    async with AsyncExitStack() as stack, asyncio.timeout(10):
        held = [await _unfinished(stack, port) for _ in range(30)]
        first = [asyncio.create_task(reader.read()) for reader, _ in held]
        answers = iter(asyncio.as_completed(first))
        for _ in range(10):
            assert (await next(answers)).startswith(b"HTTP/1.1 429 ")
        assert sum(not task.done() for task in first) == 20
        for task in first:
            task.cancel()
        for _, writer in held:
            writer.close()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            while (await http.post("/api/v1/sessions", json={})).status_code != 422:
                pass


async def test_3000_connections_that_say_nothing_keep_nobody_out(opened: Open) -> None:
    port, _ = await opened()
    async with AsyncExitStack() as stack, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        for _ in range(3_000):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
        began = perf_counter()
        assert (await http.get("/")).status_code == 200
        assert perf_counter() - began < 1


async def test_an_upload_that_is_refused_hears_why(opened: Open) -> None:
    port, _ = await opened()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        for size in (200, 20_000, 900_000, 2_000_000):
            body = b'"' + b"x" * size + b'"'
            for path, status in (
                ("/api/v1/nothing", 404),
                ("/api/v1/addresses", 401),
                ("/api/v1/sessions", 413 if size > 1_000_000 else 422),
                ("/cart", 405),
            ):
                said = await http.post(path, content=body, headers={"content-type": "application/json"})
                assert said.status_code == status, (size, path, said.text[:200])
            there = {"sec-fetch-site": "cross-site"}
            said = await http.post("/api/v1/addresses", content=body, headers=there)
            assert said.status_code == 403, (size, said.text[:200])


async def test_an_upload_of_more_than_anybody_reads_hears_why(opened: Open) -> None:
    port, _ = await opened()
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /api/v1/addresses HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99000000\r\n\r\n"
        )
        writer.write(b"x" * 100_000)
        assert (await reader.read(13)).startswith(b"HTTP/1.1 401 ")
        writer.close()
