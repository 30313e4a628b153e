"""The crash simulator finds nothing in this shop, and something in every shop with a bug."""

import pytest

from mercat.simulate import PLANTS, simulate


async def test_purchases_that_break_off_anywhere_end_well():
    report = await simulate(1, 30)
    assert report["violations"] == 0, report
    assert report["seeds"] == 30
    assert report["crash_points"] >= 40
    assert report["bought"] > 10
    assert report["refused"] > 10


@pytest.mark.parametrize("plant", PLANTS)
async def test_a_planted_bug_is_found(plant):
    report = await simulate(1, 200, plant)
    assert report["violations"] > 0
    assert report["found_at_seed"] <= 200
