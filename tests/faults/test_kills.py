"""The short form of `mercat bench faults`: each part of a shop that sells is killed, paused or cut off in
turn; then all of them at once."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from mercat.kit.db_errors import AWAY
from mercat.lab.bench import faults as scene
from mercat.lab.bench.crowd import crowded
from mercat.lab.bench.shop import audited, serving, staff
from mercat.lab.bench.stripe_double import StripeDouble

RATE = 40
SHOPPERS = 40
BACK_WITHIN_S = 5
LEASE_S = "3"


@pytest.mark.long
async def test_whatever_fails_no_order_is_lost_or_doubled_and_the_shop_is_back(tmp_path: Path):
    tmp_path.chmod(0o755)
    double = StripeDouble()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(double.serving())
        more = scene.with_stripe(url, timeout_s=0.5)
        connection = await stack.enter_async_context(serving(tmp_path, more=more))
        crowd = await stack.enter_async_context(crowded(connection, RATE, "pm_card_visa", SHOPPERS, more))
        site = scene.Site(connection, double)
        store = crowd.shop.host.store
        for fault in (*scene.ENGINES, *scene.PROVIDER):
            await store.do("SET", "witness", fault)
            outcome = await scene.suffer(site, crowd, fault, before_s=0.6, lasts_s=0.8)
            assert outcome.wrong() == [], outcome
            assert outcome.back_s is not None
            assert outcome.back_s < BACK_WITHIN_S, outcome
            assert outcome.acknowledged > RATE / 4, outcome
            kept = await store.do("EXISTS", "witness")
            assert kept == (fault != "valkey loses its data"), fault
            if fault in scene.PROVIDER:
                assert outcome.down_s > 0.4, "nothing was paid while the provider was away"
        async with staff(connection) as shop:
            assert await scene.drained(shop) < 30


@pytest.mark.long
async def test_after_kill_9_of_everything_the_next_start_loses_nothing(tmp_path: Path):
    tmp_path.chmod(0o755)
    more = {"MERCAT_LEASE_S": LEASE_S, "MERCAT_PROVIDER_TIMEOUT_S": "1"}
    async with serving(tmp_path, more=more) as connection:
        with suppress(*AWAY):  # whoever set the scene finds nobody to say goodbye to
            async with crowded(connection, RATE, shoppers=SHOPPERS) as crowd:
                crowd.come()
                async with asyncio.timeout(30):
                    while len(crowd.told) < RATE:
                        await asyncio.sleep(0.01)
                for pid in scene.family(connection.supervisor):
                    with suppress(ProcessLookupError):  # some live for a moment only
                        os.kill(pid, signal.SIGKILL)
    async with serving(tmp_path, more=more) as connection:
        await scene.settled(connection)
        assert await scene.missing(scene.Site(connection), crowd) == (0, 0)
        assert [finding for finding in await audited(connection) if finding.violations] == []
        assert crowd.undocumented == 0, crowd.unlike


def test_a_family_is_a_process_and_all_below_it():
    assert os.getpid() in scene.family(os.getppid())
    assert os.getppid() not in scene.family(os.getpid())
