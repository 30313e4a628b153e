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
    assert {each.country for each in outside} == {"CH", "DE", "DK", "ES", "FI", "FR", "GB", "GR", "IT", "NO"}
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


@pytest.mark.parametrize(
    ("country", "postal_code"),
    [
        *(
            ("GR", "63087"),
            ("FR", "97133"),
            ("FR", "97800"),
            ("FR", "98413"),
            ("IT", "47893"),
            ("DK", "3900"),
        ),
        *(("NO", "9170"), ("NO", "8099"), ("CH", "7562")),
        *((code, "") for code in ("GG", "JE", "AX", "GP", "MQ", "GF", "RE", "YT", "PM", "BL", "MF", "NC")),
        *((code, "") for code in ("PF", "WF", "TF", "SM", "GL", "FO", "SJ")),
    ],
)
def test_a_territory_without_the_tax_has_a_rate_of_nothing(country, postal_code):
    table = TaxTable(shipped())
    for kind in ("", "food", "books"):
        found = table.find(country, "", postal_code, kind)
        assert found
        assert not found.ppm


@pytest.mark.parametrize(
    ("country", "postal_code"),
    [("FR", "96999"), ("FR", "98000"), ("GR", "63085"), ("IT", "47888"), ("NO", "9180"), ("CH", "7560")],
)
def test_what_lies_beside_such_a_territory_is_taxed(country, postal_code):
    found = TaxTable(shipped()).find(country, "", postal_code)
    assert found
    assert found.ppm
