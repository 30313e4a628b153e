"""The races bite: each bug that would lose, double or oversell something makes one of them fail."""

import pytest
from anomalies import test_races as races
from anomalies.test_races import two  # noqa: F401

_FENCE = "r.checkout_id = a.checkout_id and r.fence = a.fence"
_NO_FENCE = "r.checkout_id = a.checkout_id"
_TAKES_OVER = races.test_who_takes_over_a_purchase_ends_it_and_who_lost_it_writes_nothing
MUTANTS = {
    "decides without the fence": ("checkout.decide_many", _FENCE, _NO_FENCE, _TAKES_OVER),
    "ends without the fence": ("checkout.finish_many", _FENCE, _NO_FENCE, _TAKES_OVER),
    "spends whatever the cart's id is": (
        "SPEND",
        "if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end",
        "",
        _TAKES_OVER,
    ),
    "confirms again what is sold": (
        "inventory.confirm",
        "r.state = 'held' and (select",
        "r.state in ('held', 'sold') and (select",
        _TAKES_OVER,
    ),
    "reserves without the version": (
        "inventory.reserve",
        "s.version = w.version and s.on_hand - s.reserved - s.safety >= w.units as held",
        "true as held",
        races.test_of_the_last_units_one_buyer_gets_them_and_the_other_pays_nothing,
    ),
    "releases without a tombstone": (
        "inventory.release",
        "from unnest($1::bigint[]) c order by c",
        "from unnest($1::bigint[]) c where false",
        _TAKES_OVER,
    ),
    "gives a gift card back without a tombstone": (
        "payments.give_back_values",
        "where (select count(*) from locked) >= 0",
        "where (select count(*) from locked) >= 0"
        " and exists (select from payments.tender x where x.checkout_id = c)",
        races.test_who_takes_over_a_purchase_spends_its_gift_card_once_or_gives_it_back,
    ),
    "cancels what has shipped": (
        "orders.lines",
        "quantity, shipped, delivered",
        "quantity, 0 as shipped, 0 as delivered",
        races.test_an_order_is_cancelled_or_shipped_never_both,
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_mutant_does_not_survive(two, mutant):  # noqa: F811
    statement, old, new, race = MUTANTS[mutant]
    two.mutate(statement, old, new)
    with pytest.raises(AssertionError) as found:
        await race(two)
    assert "no longer fits" not in str(found.value)
