"""The crash simulator finds nothing in this shop, and something in shops with a bug."""

import pytest

from mercat.checkout.saga import Saga
from mercat.inventory import Inventory
from mercat.orders import Orders
from mercat.simulate import simulate


async def test_purchases_that_break_off_anywhere_end_well():
    report = await simulate(1, 20)
    assert report["violations"] == 0, report
    assert report["seeds"] == 20
    assert report["crash_points"] >= 12
    assert report["bought"] > 10
    assert report["refused"] > 10


async def nothing(*args, **more):
    return None


async def told_but_not_kept(self, checkout_id, fence, said):
    return said


@pytest.mark.parametrize(
    ("where", "verb", "bug"),
    [
        (Inventory, "release", nothing),  # a lost compensation
        (Orders, "create", nothing),  # paid, and no order
        (Saga, "_end", told_but_not_kept),  # a final answer given before its commit
    ],
)
async def test_a_planted_bug_is_found(monkeypatch, where, verb, bug):
    monkeypatch.setattr(where, verb, bug)
    report = await simulate(1, 20)
    assert report["violations"] > 0
