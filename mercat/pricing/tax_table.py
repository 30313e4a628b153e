"""Which rate of tax counts where: decisions without IO.

Of the rates of a class, that of the most specific place counts: a range of postal codes before a subdivision
before a country. Goods of a class for which no such rate is given are taxed at the standard one. Delivery is
taxed at the standard rate of the place, where that rule says so.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache

from msgspec import structs

from mercat.addresses import known_country, known_region, region_code, regions
from mercat.kit.refusals import Invalid
from mercat.pricing.messages import TAX_RULES_MAX, TaxRule

_NOT_IN_CODES = re.compile(r"[^A-Z0-9]")
_FOUND_MAX = 16_384
_SOMEWHERE_TOMORROW = timedelta(days=1)
"""In the east it is tomorrow already."""


class TaxTable:
    """All rates, found by place and class."""

    def __init__(self, rules: Iterable[TaxRule]) -> None:
        by_country: dict[tuple[str, str], list[TaxRule]] = defaultdict(list)
        for rule in rules:
            by_country[rule.country, rule.tax_class].append(rule)
        self._rules: Mapping[tuple[str, str], Sequence[TaxRule]] = {
            key: sorted(each, key=_specific, reverse=True) for key, each in by_country.items()
        }
        self.included = {country for (country, _), each in self._rules.items() if each[0].included}
        """Countries whose prices have the tax in them."""
        self.find = lru_cache(_FOUND_MAX)(self._find)

    def _find(self, country: str, region: str, postal_code: str, tax_class: str = "") -> TaxRule | None:
        """Find the rule of a place for a class of goods, or the standard one; None where there is none."""
        country = country.upper()
        region, code = known_region(country, region), _plain(postal_code)
        for kind in dict.fromkeys((tax_class, "")):
            for rule in self._rules.get((country, kind), ()):
                if rule.subdivision in ("", region) and _within(rule, code):
                    return rule
        return None


def checked(rules: Sequence[TaxRule], today: date) -> list[TaxRule]:
    """Bring rules into their form; Invalid points to what cannot be, as `/rates/3/subdivision`. Rates count
    from when they are set, so one that is valid later only is refused."""
    if len(rules) > TAX_RULES_MAX:
        raise Invalid(f"There are at most {TAX_RULES_MAX:,} rates.", pointer="/rates")
    kept: dict[tuple[str, ...], TaxRule] = {}
    included: dict[str, bool] = {}
    for n, given in enumerate(rules):
        rule = _checked(given, f"/rates/{n}")
        if rule.valid_from and rule.valid_from > today + _SOMEWHERE_TOMORROW:
            raise Invalid("Rates count at once: set this one on its day.", pointer=f"/rates/{n}/valid_from")
        if included.setdefault(rule.country, rule.included) != rule.included:
            raise Invalid(
                f"Prices of {rule.country} include the tax or do not: say the same of all its rates.",
                pointer=f"/rates/{n}/included",
            )
        key = (rule.country, rule.subdivision, rule.postal_from, rule.postal_to, rule.tax_class)
        if key in kept:
            raise Invalid("This rate is given twice.", pointer=f"/rates/{n}")
        kept[key] = rule
    return list(kept.values())


def _checked(rule: TaxRule, at: str) -> TaxRule:
    country = known_country(rule.country, f"{at}/country")
    subdivision = rule.subdivision.strip()
    if subdivision:
        code = region_code(country, subdivision)
        if code is None:
            raise Invalid("There is no such state, province or prefecture.", pointer=f"{at}/subdivision")
        subdivision = code if regions(country) else known_region(country, subdivision)
    first = _plain(rule.postal_from)
    last = _plain(rule.postal_to) or first
    if last and not first:
        raise Invalid("Say where the range begins.", pointer=f"{at}/postal_from")
    if len(first) != len(last) or first > last:
        raise Invalid(
            "A range ends after it begins, and has as many characters there.",
            pointer=f"{at}/postal_to",
        )
    return structs.replace(rule, country=country, subdivision=subdivision, postal_from=first, postal_to=last)


def _specific(rule: TaxRule) -> tuple[int, str, bool]:
    """Say how narrow a place is; of ranges that overlap, the one that begins later is."""
    return len(rule.postal_from), rule.postal_from, bool(rule.subdivision)


def _within(rule: TaxRule, code: str) -> bool:
    length = len(rule.postal_from)
    return not length or (len(code) >= length and rule.postal_from <= code[:length] <= rule.postal_to)


def _plain(code: str) -> str:
    return _NOT_IN_CODES.sub("", code.upper())
