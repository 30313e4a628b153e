"""The crash simulator finds nothing in this shop, and something in every shop with a bug."""

import json
import logging
import subprocess
import sys

import pytest
import structlog

from mercat import showing
from mercat.kit import sql
from mercat.simulate import PLANTS, sweep, without_constraints
from mercat.simulate.run import NAMES


@pytest.fixture(autouse=True)
def quiet():
    """What dies says so with a long trace, and is meant to die."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


async def test_purchases_that_break_off_anywhere_end_well(settings):
    report = await sweep(settings, 1, 40)
    assert report["violations"] == 0, report
    assert report["seeds"] == 40
    assert report["crash_points"] >= 60
    assert report["bought"] > 10
    assert report["refused"] > 10


async def test_a_seed_does_the_same_again(settings):
    assert (await sweep(settings, 41, 8))["run"] == (await sweep(settings, 41, 8))["run"]
    assert (await sweep(settings, 41, 1))["run"] != (await sweep(settings, 42, 1))["run"]


@pytest.mark.parametrize("plant", PLANTS)
async def test_a_planted_bug_is_found(settings, db, plant):
    async with without_constraints(db, plant):
        report = await sweep(settings, 1, 200, plant)
    assert report["violations"] > 0
    assert report["found_at_seed"] <= 200


def test_every_point_is_a_statement_of_the_shop():
    for name in NAMES:
        service, verb, *commit = name.split(".")
        assert service == "store" or verb in vars(sql.load(f"mercat.{service}")), name
        assert not commit or commit == ["commit"]


def test_a_bug_that_nobody_knows_is_refused(capsys):
    assert showing.simulate_of(1, 1, "gremlins", as_json=True) == 2
    assert "lost-compensation" in capsys.readouterr().err


def test_a_found_bug_is_an_exit_code_and_one_object():
    command = [sys.executable, "-m", "mercat.cli", "simulate", "--plant", "one-sided-entry", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    report = json.loads(ran.stdout)
    assert ran.returncode == 1, ran.stderr
    assert (report["seeds"], report["found_at_seed"], report["plant"]) == (1, 1, "one-sided-entry")
    assert report["violations"] > 0


def test_help_names_every_bug():
    ran = subprocess.run(
        [sys.executable, "-m", "mercat.cli", "simulate", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        env={"COLUMNS": "400", "PATH": "/usr/bin"},
    )
    assert all(plant in ran.stdout for plant in PLANTS), ran.stdout
