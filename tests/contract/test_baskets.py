"""Baskets of eight countries come to what was computed by hand, by the rates that a shop begins with."""

import csv
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from mercat import ids, money
from mercat.events import AppliedDiscount
from mercat.pricing import PartPrice, PricedBasket, PricedLine, Pricing, Reduction

_TABLE = Path(__file__).with_name("baskets.csv")
_SELLERS = {"bob": ids.SellerId(7), "eve": ids.SellerId(8)}


def _rows():
    lines = [line for line in _TABLE.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def _basket(row):
    def minor(amount):
        return money.minor(Decimal(amount), row["currency"])

    lines = []
    for n, each in enumerate(row["goods"].split("; ")):
        seller, quantity, _, price, *kind = each.split()
        lines.append(PricedLine(ids.OfferId(n), int(quantity), minor(price), _SELLERS[seller], "".join(kind)))
    parts = [
        PartPrice(_SELLERS[seller], minor(price))
        for seller, price in map(str.split, row["delivery"].split("; "))
    ]
    country, region, code, *_ = [*row["place"].replace(" .", " ").split(" "), "", ""]
    off = (
        [Reduction(AppliedDiscount(ids.PromotionId(1), "Off"), [minor(row["off"])], [0])]
        if row["off"]
        else []
    )
    return PricedBasket(lines, parts, row["currency"], country, region, code, off)


@pytest.mark.parametrize("row", _rows(), ids=lambda row: f"{row['no']}-{row['place']}".replace(" ", "-"))
async def test_a_basket_comes_to_what_was_computed_by_hand(row, pool, settings):
    told = msgspec.structs.replace(
        settings, currency=row["currency"], tax_rounding=row["rounding"], tax_by=row["by"]
    )
    totals = await Pricing(await pool("pricing"), told).total(_basket(row))
    shown = [money.shown(each, row["currency"]) for each in (totals.tax, totals.total)]
    assert shown == [float(row["tax"]), float(row["total"])], row["why"]
    assert totals.tax_included == (row["place"].split()[0] not in ("US", "CA"))
    assert totals.tax_note == ""
    assert (totals.rounding, totals.taxed_by) == (row["rounding"], row["by"])


def test_they_are_of_eight_countries():
    assert len({row["place"].split()[0] for row in _rows()}) == 8
    assert len(_rows()) >= 60
