"""`make dev`: a worker stops for its supervisor to start it again, with what has changed."""

import asyncio

from mercat.cli import work


async def test_a_change_of_a_file_stops_the_worker(monkeypatch, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("before")
    monkeypatch.setattr(work, "_PACKAGE", tmp_path)
    stop = asyncio.Event()
    watching = asyncio.create_task(work._stop_at_changes(stop))

    async def keep_changing():
        while not stop.is_set():
            page.write_text("after")
            await asyncio.sleep(0.05)

    async with asyncio.timeout(20):
        await asyncio.gather(watching, keep_changing())
    assert stop.is_set()
