"""What a table of tax rates takes, whoever brings it."""

from datetime import date

import pytest

from mercat.kit.refusals import Invalid
from mercat.pricing.messages import TAX_RULES_MAX, TaxRule
from mercat.pricing.tax_files import shipped
from mercat.pricing.tax_table import TaxTable, checked

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


def test_nothing_is_taxed_where_a_countrys_tax_does_not_reach():
    rules = shipped()
    table = TaxTable(rules)
    outside = [each for each in rules if each.postal_from and not each.ppm]
    assert {each.country for each in outside} == {"DE", "ES", "FI", "FR", "GB", "GR", "IT"}
    for place in outside:
        for kind in {each.tax_class for each in rules if each.country == place.country}:
            found = table.find(place.country, "", place.postal_from, kind)
            assert found
            assert not found.ppm, f"{place.country} {place.postal_from} {kind}"


def test_what_is_taxed_as_its_neighbour_has_all_of_its_rates():
    rates = {(each.country, each.tax_class): each.ppm for each in shipped() if not each.postal_from}
    for neighbour, small in (("FR", "MC"), ("GB", "IM"), ("CH", "LI")):
        of_both = [
            {kind: ppm for (country, kind), ppm in rates.items() if country == each}
            for each in (neighbour, small)
        ]
        assert of_both[0] == of_both[1]
