"""Experiments at the terminal: begun, read and stopped on a running shop, and on one that is closed."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from commands import mercat
from journeys.people import until

from mercat.embedded import temporary
from mercat.lab.bench.shop import serving


async def _experiment(folder: Path, *arguments: str) -> tuple[int, str]:
    done = await asyncio.to_thread(mercat, "experiment", *arguments, "--data", folder)
    return done.returncode, done.stdout or done.stderr


@pytest.mark.long
async def test_an_experiment_is_begun_read_and_stopped_at_the_terminal():
    with temporary() as home:
        folder = Path(home.path)
        async with (
            serving(folder, workers=1) as shop,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{shop.port}", timeout=30) as http,
        ):
            code, begun = await _experiment(folder, "start", "Two rankers", "search_ranking")
            assert code == 0, begun
            assert begun.startswith("exp_")
            code, said = await _experiment(folder, "start", "Another", "search_ranking")
            assert (code, "is running" in said) == (1, True)
            code, said = await _experiment(folder, "start", "Another", "search")
            assert (code, "search" in said) == (1, True)
            agent = {"user-agent": "Mozilla/5.0 (X11; Linux) Firefox/150"}

            async def counted() -> bool:
                await http.get("/search?q=cup", headers=agent)
                _, said = await _experiment(folder, "list", "--json")
                return sum(arm["visitors"] for arm in json.loads(said)[0]["arms"]) == 1

            await until(counted, 40)
            _, said = await _experiment(folder, "list")
            assert "No difference can be seen yet" in said
            code, said = await _experiment(folder, "stop", begun.strip())
            assert (code, said.strip()) == (0, "Two rankers: An operator stopped it.")
        code, said = await _experiment(folder, "list")
        assert code == 0
        assert "stopped: An operator stopped it." in said
