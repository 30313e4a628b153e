"""A list of products: what its address asks for, and what it offers to narrow it down by."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request

from mercat import money
from mercat.search import (
    ATTRIBUTE_FILTERS_MAX,
    ATTRIBUTE_NAME_LETTERS_MAX,
    ATTRIBUTE_VALUE_LETTERS_MAX,
    FILTER_VALUES_MAX,
    PAGE_MAX,
    RATING_STEPS,
    SEARCH_SORTS,
    SearchQuery,
    SearchResults,
    SearchSort,
    number_range,
    price_range,
)
from mercat.web.forms import number_in
from mercat.web.schemas import SEARCH_WORDS_MAX

A_PAGE = 24
_SORT_NAMES: dict[SearchSort, str] = {
    "relevance": "Best match",
    "price_asc": "Price, low to high",
    "price_desc": "Price, high to low",
    "rating": "Best rated",
    "newest": "Newest",
}
SORTS = [(sort, _SORT_NAMES[sort]) for sort in SEARCH_SORTS]
DEFAULT_SORT: SearchSort = "relevance"
_TRAIT = "attr."
_PRICE_ENDS = ("price_from", "price_to")
_TICKS_MAX = 5
"""More different numbers of an attribute are shown as ranges."""


@dataclass(frozen=True)
class FacetChoice:
    value: str
    name: str
    count: int
    on: bool


class AttributeFacet(NamedTuple):
    """An attribute to narrow down by."""

    param: str
    name: str
    choices: list[FacetChoice]
    """In the order of numbers where they are numbers, else the most frequent first."""
    open: bool
    ends: str
    """From the least to the greatest, where they are numbers."""


@dataclass(frozen=True)
class Link:
    name: str
    url: str
    count: int = 0
    here: bool = False


class Chip(NamedTuple):
    words: str
    url: str


class ListingQuery:
    """What the address of a list asks for. What makes no sense in it is left out."""

    def __init__(self, request: Request, base: str, currency: str) -> None:
        given = request.query_params
        self._currency = currency
        self.base = base
        self.q = given.get("q", "").replace("\0", "").strip()[:SEARCH_WORDS_MAX]
        self.brands = [brand for brand in dict.fromkeys(given.getlist("brand")) if brand][:FILTER_VALUES_MAX]
        self.price_from, self.price_to = (_amount(given.get(name), currency) for name in _PRICE_ENDS)
        self.price = given.get("price", "") if price_range(given.get("price", ""), currency) else ""
        rating = given.get("rating", "")
        self.rating = rating if rating in map(str, RATING_STEPS) else ""
        self.stock = given.get("stock") == "1"
        self.traits = _traits(given.multi_items())
        self.sort: SearchSort = _sort(given.get("sort"))
        self.page = number_in(given.get("page"), 1, 1, PAGE_MAX)

    @property
    def filters(self) -> list[tuple[str, str]]:
        given = [("brand", brand) for brand in self.brands]
        given += [(_TRAIT + name, value) for name, values in self.traits.items() for value in values]
        given += [("price", self.price)] if self.price else []
        ends = zip(_PRICE_ENDS, (self.price_from, self.price_to), strict=True)
        given += [(name, end) for name, end in ends if end]
        given += [("rating", self.rating)] if self.rating else []
        return given + ([("stock", "1")] if self.stock else [])

    def url(
        self,
        *,
        but: tuple[str, str] | None = None,
        page: int = 1,
        filters: bool = True,
        base: str | None = None,
    ) -> str:
        """Write this list's address, without one filter, or without all, or on another page."""
        given = [("q", self.q)] if self.q else []
        given += [each for each in self.filters if each != but] if filters else []
        given += [("sort", self.sort)] if self.sort != DEFAULT_SORT else []
        given += [("page", str(page))] if page > 1 else []
        return (base or self.base) + (f"?{urlencode(given)}" if given else "")

    def shown(self) -> dict[str, Any]:
        """Collect what the page of a list shows of its address."""
        return {
            "q": self.q,
            "base": self.base,
            "sort": self.sort,
            "default_sort": DEFAULT_SORT,
            "sorts": SORTS,
            "price_on": bool(self.price),
            "price_from": self.price_from,
            "price_to": self.price_to,
            "rating_on": bool(self.rating),
            "stock_on": self.stock,
            "kept": [each for each in [("q", self.q), *self.filters] if each[1]],
            "chips": [
                Chip(words_of(name, value, self._currency), self.url(but=(name, value)))
                for name, value in self.filters
            ],
            "clear": self.url(filters=False),
            "page_url": lambda page: self.url(page=page),  # type: ignore[reportUnknownLambdaType]
        }

    def query(self, category: str | None) -> SearchQuery:
        lowest, highest = self._price_bounds()
        return SearchQuery(
            q=self.q,
            price_min=lowest,
            price_max=highest,
            brand=self.brands,
            category=[category] if category else [],
            rating_min=float(self.rating) if self.rating else None,
            in_stock=True if self.stock else None,
            attributes=self.traits,
            sort=self.sort,
            page=self.page,
            limit=A_PAGE,
        )

    def _price_bounds(self) -> tuple[int | None, int | None]:
        """Return the bounds that hold for all that is asked of prices."""
        ends = (self.price_from, self.price_to)
        low, high = (money.minor(Decimal(end), self._currency) if end else None for end in ends)
        prices = price_range(self.price, self._currency)
        lowest, highest = prices.bounds(self._currency) if prices else (None, None)
        lows, highs = (
            [each for each in pair if each is not None] for pair in ((low, lowest), (high, highest))
        )
        return max(lows, default=None), min(highs, default=None)


def facets_of(asked: ListingQuery, found: SearchResults, currency: str) -> dict[str, list[FacetChoice]]:
    facets = found.facets
    brands = [
        FacetChoice(each.value, each.value, each.count, each.value in asked.brands) for each in facets.brands
    ]
    listed = {each.value for each in brands}
    gone = [FacetChoice(brand, brand, 0, on=True) for brand in asked.brands if brand not in listed]
    brands.sort(key=lambda choice: not choice.on)
    return {
        "prices": [
            FacetChoice(
                each.value, words_of("price", each.value, currency), each.count, each.value == asked.price
            )
            for each in facets.price_ranges
        ],
        "brands": gone + brands,
        "ratings": [
            FacetChoice(
                str(each.value),
                words_of("rating", str(each.value), currency),
                each.count,
                str(each.value) == asked.rating,
            )
            for each in facets.ratings
        ],
    }


def traits_of(asked: ListingQuery, found: SearchResults) -> list[AttributeFacet]:
    facets: list[AttributeFacet] = []
    for trait in found.facets.attributes:
        wanted = asked.traits.get(trait.name, [])
        counts = {each.value: each.count for each in trait.values}
        values = list(counts) + [value for value in wanted if value not in counts]
        numbers = [_number(value) for value in values]
        if None not in numbers:
            values.sort(key=lambda value: _number(value) or 0)
        if trait.ranges and len(trait.values) > _TICKS_MAX:
            counts = {each.value: each.count for each in trait.ranges}
            values = list(counts) + [value for value in wanted if value not in counts]
        choices = [
            FacetChoice(value, _trait_value(value), counts.get(value, 0), value in wanted) for value in values
        ]
        ends = f"{trait.min:g} to {trait.max:g}" if trait.min != trait.max else ""
        facets.append(
            AttributeFacet(_TRAIT + trait.name, _trait_name(trait.name), choices, bool(wanted), ends)
        )
    return facets


def price_ends(found: SearchResults, currency: str) -> tuple[str, str] | None:
    """Write the lowest and the highest price of a list; None where it has one price or none."""
    price = found.facets.price
    if price is None or price.min == price.max:
        return None
    return money.words(price.min, currency), money.words(price.max, currency)


def words_of(name: str, value: str, currency: str) -> str:
    if name.startswith(_TRAIT):
        return f"{_trait_name(name.removeprefix(_TRAIT))}: {_trait_value(value)}"
    match name:
        case "price":
            low, _, high = value.partition("-")
            unit = 10 ** money.exponent(currency)
            lowest, highest = (
                money.words(int(amount or 0) * unit, currency).removesuffix(".00") for amount in (low, high)
            )
            if not high:
                return f"{lowest} and more"
            return f"Under {highest}" if low == "0" else f"{lowest} to {highest}"
        case "price_from" | "price_to":
            amount = money.words(money.minor(Decimal(value), currency), currency)
            return f"{'From' if name == 'price_from' else 'Up to'} {amount}"
        case "rating":
            return f"{value} {'star' if value == '1' else 'stars'} and up"
        case "stock":
            return "In stock only"
        case _:
            return value


def _sort(given: str | None) -> SearchSort:
    known: dict[str | None, SearchSort] = {sort: sort for sort in SEARCH_SORTS}
    return known.get(given, DEFAULT_SORT)


def _traits(given: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Read the attributes that an address asks for, by name."""
    found: dict[str, list[str]] = {}
    for param, value in given:
        name = param.removeprefix(_TRAIT)
        if not (param.startswith(_TRAIT) and 0 < len(name) <= ATTRIBUTE_NAME_LETTERS_MAX):
            continue
        if not 0 < len(value) <= ATTRIBUTE_VALUE_LETTERS_MAX:
            continue
        if name not in found and len(found) == ATTRIBUTE_FILTERS_MAX:
            continue
        values = found.setdefault(name, [])
        if value not in values and len(values) < FILTER_VALUES_MAX:
            values.append(value)
    return found


def _trait_name(name: str) -> str:
    words = " ".join(name.replace("_", " ").split())
    return words[:1].upper() + words[1:]


def _trait_value(value: str) -> str:
    if found := number_range(value):
        low, _, high = found.value.partition("..")
        return f"{low} to {high}" if low and high else f"{low} and more" if low else f"Under {high}"
    return {"true": "Yes", "false": "No"}.get(value, value)


def _amount(given: str | None, currency: str) -> str:
    """Read a price that somebody typed; what is none is left out."""
    try:
        amount = money.minor(Decimal((given or "").strip()), currency)
    except (ValueError, InvalidOperation):
        return ""
    return str(money.shown(amount, currency)).removesuffix(".0") if amount >= 0 else ""


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
