"""The crash simulator finds nothing in this shop, and something in every shop with a bug."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import structlog
from commands import mercat

from mercat.checkout import Neighbours
from mercat.checkout.customer_limits import CustomerLimits
from mercat.checkout.saga import Decision, Ending, Saga
from mercat.cli import lab
from mercat.kit.event_keys import keys_of
from mercat.lab.simulate import MUTATIONS, sweep, without_constraints
from mercat.lab.simulate.shuffled import PARTITIONS
from mercat.web import present_checkout


@pytest.fixture(autouse=True)
def quiet():
    """What dies says so with a long trace, and is meant to die."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("seeds", [15, pytest.param(200, marks=pytest.mark.long)])
async def test_purchases_that_break_off_anywhere_end_well(settings, seeds):
    report = await sweep(settings, 1, seeds)
    assert report["violations"] == 0, str(report)
    assert report["seeds"] == seeds
    assert report["crash_points"] >= 2 * seeds
    assert report["possible_points"] >= 50
    assert report["largest_set"] > 3, "purchases pass their steps in sets of many"
    for what in ("bought", "refused", "cancelled", "shipped", "returned"):
        assert report[what] > 0, report


@pytest.mark.scale
async def test_followers_are_right_whatever_order_partitions_come_in(settings):
    def by_key(kind, body):
        return min(keys_of(kind, body, PARTITIONS)) + 1

    report = await sweep(settings, 1, 20, partition_of=by_key)
    assert report["violations"] == 0, report
    assert report["cancelled"] > 0


async def test_seeds_leave_no_promotion_standing_for_the_next(settings, db):
    """A shop has 500 at most, and may be asked for more seeds."""
    await sweep(settings, 1, 3)
    assert await db.fetchval("select count(*) from promotions.promotion where deleted_at is null") == 1


async def test_a_seed_does_the_same_again(settings):
    assert (await sweep(settings, 41, 3))["run"] == (await sweep(settings, 41, 3))["run"]
    assert (await sweep(settings, 41, 1))["run"] != (await sweep(settings, 42, 1))["run"]


_FOUND_AT = {"no-tombstone": 35, "told-twice": 29, "no-version-test": 104}
"""Where to look first: seeds before find nothing. All other bugs are found by one of the first ten."""


@pytest.mark.parametrize("plant", MUTATIONS)
async def test_a_planted_bug_is_found(settings, db, plant):
    first = _FOUND_AT.get(plant, 1)
    async with without_constraints(db, plant):
        report = await sweep(settings, first, 10, plant)
        if not report["violations"]:  # statements have another order now, and seeds find other things
            report = await sweep(settings, 1, 200, plant)
    assert report["violations"] > 0


def test_a_bug_that_nobody_knows_is_refused(capsys):
    assert lab.simulate_of(1, 1, "gremlins", as_json=True) == 2
    assert "lost-compensation" in capsys.readouterr().err


def test_a_found_bug_is_an_exit_code_and_one_object():
    ran = mercat("simulate", "--plant", "one-sided-entry", "--json")
    report = json.loads(ran.stdout)
    assert ran.returncode == 1, ran.stderr
    assert (report["seeds"], report["found_at_seed"], report["plant"]) == (1, 1, "one-sided-entry")
    assert report["violations"] > 0


def test_help_names_every_bug():
    ran = mercat("simulate", "--help", COLUMNS="1000")
    assert all(plant in ran.stdout for plant in MUTATIONS), ran.stdout


async def test_in_one_batch_only_the_holder_of_the_lease_decides_and_ends(settings, db):
    """Found by the simulator, seed 632: an old and a new holder of one purchase in one statement."""
    nobody = Neighbours(*cast(Any, [None] * len(Neighbours._fields)))
    saga = Saga(db, nobody, settings, present_checkout, CustomerLimits(db, settings))
    now = datetime.now(UTC)
    await db.execute("insert into checkout.running values (7, 2, $1, null, null, null, 0, $1)", now)
    asks: list[Decision] = [(7, 2, "forward", None), (7, 1, "undo", None)]
    assert await saga._decide_many(asks) == [True, False]
    ends: list[Ending] = [(7, 1, 402, b"{}", "{}", now), (7, 2, 201, b"{}", None, now)]
    assert await saga._finish_many(ends) == [False, True]
    assert await db.fetchval("select status from checkout.answer where checkout_id = 7") == 201
