"""What a table of tax rates takes, whoever brings it."""

from datetime import date

import pytest

from mercat.kit.refusals import Invalid
from mercat.pricing.messages import TAX_RULES_MAX, TaxRule
from mercat.pricing.tax_table import checked

RULE = TaxRule(country="US", ppm=10_000, shipping_taxed=True, included=False)


def test_more_rates_than_one_may_set_are_refused_by_every_way():
    with pytest.raises(Invalid, match="at most"):
        checked([RULE] * (TAX_RULES_MAX + 1), date(2026, 1, 1))


def test_a_rate_counts_at_once_so_one_of_the_future_is_refused():
    def from_(day):
        return TaxRule(country="US", ppm=1, shipping_taxed=True, included=False, valid_from=day)

    assert checked([from_(date(2026, 1, 1))], date(2026, 1, 1))
    with pytest.raises(Invalid, match="on its day"):
        checked([from_(date(2026, 2, 1))], date(2026, 1, 1))
