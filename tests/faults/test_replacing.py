"""Workers are replaced and ended under load, and nobody who asks is left without an answer."""

import os
import signal

import pytest
from waiting import until

from mercat.embedded import Connection
from mercat.embedded.processes import Process
from mercat.lab.bench import faults as scene
from mercat.lab.bench.restarts import Clients, reload
from mercat.lab.bench.shop import opened


def workers(shop: Connection) -> set[Process]:
    family = scene.family(shop.supervisor)
    found = [Process.of(pid) for pid, command in family.items() if command.endswith("mercat.cli.work web")]
    return {process for process in found if process}


@pytest.mark.long
async def test_no_request_is_lost_while_workers_are_replaced_or_ended():
    async with opened() as shop:
        clients = Clients(shop.port, pause_s=0.02)
        clients.come(12)
        former = workers(shop)
        assert len(former) == 2
        await reload(shop)
        assert not former & workers(shop)
        before = sum(clients.result.statuses.values())
        ended = next(iter(workers(shop)))
        os.kill(ended.pid, signal.SIGTERM)

        async def is_back() -> bool:
            return not ended.lives() and len(workers(shop)) == 2

        await until(is_back)
        result = await clients.leave()
        assert clients.lost == {}
        assert {status for status in result.statuses if status >= 400} == set()
        assert sum(result.statuses.values()) > before > 50
