"""A shop of four processes on one settings file: each is killed while people buy, and the books are right."""

from pathlib import Path

import pytest
from waiting import until

from mercat.lab.bench import faults as scene
from mercat.lab.bench.apart import APART, PARTS, split
from mercat.lab.bench.crowd import crowded
from mercat.lab.bench.shop import audited

RATE = 10
SHOPPERS = 40
MORE = "lease_s = 3\n"


@pytest.mark.scale
async def test_whichever_process_is_killed_no_order_is_lost_or_doubled(tmp_path: Path):
    tmp_path.chmod(0o755)
    async with split(tmp_path, MORE) as shop:
        await shop.start(APART)
        async with crowded(shop.connection, RATE, shoppers=SHOPPERS) as crowd:
            crowd.come()
            for name in PARTS:
                told = len(crowd.told)

                async def more_are_told(told: int = told) -> bool:
                    return len(crowd.told) > told + RATE / 2

                await until(more_are_told, 120)
                await shop.kill(name)
                await shop.start(APART, name)
                told = len(crowd.told)
                await until(more_are_told, 120)
            assert await crowd.have_been_served() == 0
            await scene.settled(shop.connection)
            assert await scene.drained(crowd.shop) < 100
            assert await scene.missing(scene.Site(shop.connection), crowd) == (0, 0)
            assert [finding for finding in await audited(shop.connection) if finding.violations] == []
            assert crowd.undocumented == 0, crowd.unlike
