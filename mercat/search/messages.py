"""What search is asked and what it answers. Prices are minor units of the shop's currency."""

from datetime import date, datetime
from typing import Annotated, Literal, get_args

from msgspec import Meta, Raw, Struct, structs

from mercat.events import ComingPrice
from mercat.ids import LearntId, ProductId, RuleChangeId, RuleId, SellerId
from mercat.kit import clock, codec
from mercat.kit.refusals import Conflict
from mercat.kit.text import LINE

SearchSort = Literal["relevance", "price_asc", "price_desc", "rating", "newest"]
SEARCH_SORTS: tuple[SearchSort, ...] = get_args(SearchSort)
SoldOutPolicy = Literal["among_others", "last", "hidden"]
QUERY_LETTERS_MAX = 20_000
PAGE_MAX, PAGE_SIZE_MAX = 1_000, 100
QueryText = Annotated[str, Meta(max_length=QUERY_LETTERS_MAX)]
PageNumber = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
PageSize = Annotated[int, Meta(ge=1, le=PAGE_SIZE_MAX)]

ATTRIBUTE_FILTERS_MAX, FILTER_VALUES_MAX = 8, 20
ATTRIBUTE_NAME_LETTERS_MAX, ATTRIBUTE_VALUE_LETTERS_MAX = 100, 200
AttributeFilters = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=ATTRIBUTE_NAME_LETTERS_MAX)],
        Annotated[
            list[Annotated[str, Meta(max_length=ATTRIBUTE_VALUE_LETTERS_MAX)]],
            Meta(max_length=FILTER_VALUES_MAX),
        ],
    ],
    Meta(max_length=ATTRIBUTE_FILTERS_MAX),
]
"""Values of attributes or options, by name, or ranges of their numbers (`20..50`); several of one mean any of
them. What no product has finds nothing, as a brand that nobody sells does."""


class SearchQuery(Struct, frozen=True, kw_only=True):
    """What a shopper looks for. No words: everything that passes the filters. Prices are minor units of the
    shop's currency, both ends included; several brands, or several categories, mean any of them."""

    q: QueryText = ""
    price_min: int | None = None
    price_max: int | None = None
    brand: list[str] = []
    category: list[str] = []
    rating_min: float | None = None
    in_stock: bool | None = None
    attributes: AttributeFilters = {}
    seller_id: SellerId | None = None
    sort: SearchSort = "relevance"
    learnt: bool = True
    """Whether what the ranker learnt counts; without it words, rating and sales decide."""
    page: PageNumber = 1
    limit: PageSize = 20
    cursor: str | None = None
    """Continues where an answer's `next_cursor` says; `page` is then ignored."""


class CardSeller(Struct, frozen=True):
    """Who sells a product, as a card shows it."""

    seller_id: SellerId
    name: str


class ProductCard(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A product in a list. The price is in minor units; `was_price`: before a reduction."""

    product_id: ProductId
    title: str
    price: int
    currency: str
    rating: float
    review_count: int
    image_url: str
    in_stock: bool
    seller: CardSeller
    category: str
    brand: str | None
    external_id: str | None = None
    was_price: int | None = None


class IndexedCard(ProductCard, frozen=True, kw_only=True, omit_defaults=True):
    """A card as the index stores it, with what it will cost where sales begin or end."""

    coming_prices: list[ComingPrice] = []

    def at(self, now: datetime) -> "IndexedCard":
        """Return the card with the price of a time, and what comes after it."""
        come = [each for each in self.coming_prices if each.at <= now]
        if not come:
            return self
        coming = self.coming_prices[len(come) :]
        return structs.replace(self, price=come[-1].price, was_price=come[-1].was_price, coming_prices=coming)

    @property
    def until(self) -> datetime | None:
        """Say how long the price holds; none: nobody knows of a change."""
        return self.coming_prices[0].at if self.coming_prices else None


class FacetCount(Struct, frozen=True):
    """How many products have a value of a facet."""

    value: str
    count: int


class RatingCount(Struct, frozen=True):
    """How many products have at least so many stars."""

    value: int
    count: int


class AttributeCounts(Struct, frozen=True):
    """An attribute, or an option of variants, as a facet. Where its values are numbers, also as adjoining
    ranges (`20..50`: from 20, below 50), with the least and the greatest."""

    name: str
    values: list[FacetCount]
    ranges: list[FacetCount] = []
    min: float | None = None
    max: float | None = None


class PriceExtremes(Struct, frozen=True):
    """The lowest and the highest price."""

    min: int
    max: int


class Facets(Struct, frozen=True):
    """How many products each choice would leave. A facet ignores its own filter."""

    brands: list[FacetCount]
    price_ranges: list[FacetCount]
    categories: list[FacetCount]
    ratings: list[RatingCount]
    attributes: list[AttributeCounts] = []
    """Where most products are of one category: the few attributes that tell those of it apart; and whatever
    the filters name."""
    price: PriceExtremes | None = None
    """Of all that would be found without a filter by price; none where that is nothing."""


class RelaxedQuery(Struct, frozen=True):
    """What was looked for instead, where no product has all the words."""

    q: str
    """The words that were looked for: spelling corrected, unknown ones left out."""
    dropped: list[str]


class SearchResults(Struct, frozen=True, kw_only=True):
    """A page of products with the facets of all that were found."""

    results: list[Raw]
    """The JSON of each product's card, undecoded: whoever shows it decides the form."""
    total: int
    page: int
    total_pages: int
    facets: Facets
    next_cursor: str | None = None
    relaxed: RelaxedQuery | None = None
    did_you_mean: str | None = None
    """The query with words corrected that hardly any product has, one letter from words that many have."""
    all_words: int | None = None
    """How many products have all the words, where that is few and the others have most of them."""

    def cards(self) -> list[IndexedCard]:
        """Decode the products, with the prices of now."""
        now = clock.now()
        return [codec.decode(bytes(card), IndexedCard).at(now) for card in self.results]


class RankingReasons(Struct, frozen=True):
    """Why a product is where it is: its score is the sum of the prior's parts, the learnt correction, the
    bonus (1,000 where it has all the words, 1 where it has them in attributes or as synonyms) and what
    boosts, and clicks and orders, add. A pinned product is where operators put it."""

    product_id: ProductId
    title: str
    score: float
    engine: float
    bonus: float
    prior: dict[str, float]
    learnt: float
    numbers: dict[str, float | None]
    boosted: float = 0
    chosen: float = 0
    """What clicks and orders for these words add."""
    pinned: int | None = None
    rules: list[RuleId] = []
    """The operators' rules that are about it."""


class Explanation(Struct, frozen=True):
    """A query as search understands it, and why its first products come first."""

    words: list[str]
    otherwise: list[str]
    candidates: int
    why: list[RankingReasons]


class CategorySuggestion(Struct, frozen=True):
    """A category as a suggestion."""

    slug: str
    name: str


class Suggestions(Struct, frozen=True):
    """What the first letters of a query may become."""

    words: list[str]
    products: list[Raw]
    """The JSON of each product's card, undecoded."""
    categories: list[CategorySuggestion]
    brands: list[str]
    queries: list[str] = []
    """Past queries that found something, the most frequent first."""


# -- merchandising rules

RULES_MAX, PLACE_MAX = 1_000, 20
RuleKind = Literal["pin", "boost", "synonym"]
PHRASE_MAX = 200
Phrase = Annotated[str, Meta(max_length=PHRASE_MAX, pattern=LINE)]
PinPlace = Annotated[int, Meta(ge=1, le=PLACE_MAX)]
BoostFactor = Annotated[float, Meta(ge=0.1, le=10)]


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an operator wants of searches, from a day until a day (both included, UTC), or always.

    pin: `product_id` is at `place` for `words`, whether or not it has them. boost: what is of `product_id`,
    `brand` or `category` counts `factor` times as much, for `words` or, without, for all. synonym: a query
    for `words` also means `other`; with `same` also the reverse."""

    kind: RuleKind
    words: Phrase = ""
    product_id: ProductId | None = None
    place: PinPlace | None = None
    brand: Phrase | None = None
    category: Phrase | None = None
    factor: BoostFactor | None = None
    other: Phrase | None = None
    same: bool | None = None
    starts_on: date | None = None
    ends_on: date | None = None


class StoredRule(Rule, frozen=True, kw_only=True):
    """A rule with its version and who changed it last."""

    rule_id: RuleId
    version: int
    changed_at: datetime
    changed_by: str


class Rules(Struct, frozen=True):
    """All rules, those of other days included."""

    rules: list[StoredRule]


class RuleChange(Struct, frozen=True, kw_only=True):
    """Who changed what, and from what to what."""

    change_id: RuleChangeId
    rule_id: RuleId
    what: Literal["added", "changed", "removed"]
    by: str
    at: datetime
    was: Rule | None = None
    now: Rule | None = None


class ChangesAsked(Struct, frozen=True):
    """Which changes of rules: of a kind of rule, added, changed or removed, with words of who did it or of
    what the rule is for."""

    kind: Literal["pin", "boost", "synonym"] | None = None
    what: Literal["added", "changed", "removed"] | None = None
    words: str = ""
    oldest_first: bool = False


ALL_CHANGES = ChangesAsked()


class RuleChanges(Struct, frozen=True):
    """Changes of rules, the newest first."""

    changes: list[RuleChange]


# -- what is learnt from clicks and orders

CHOICES_MAX = 100_000


class Choice(Struct, frozen=True, array_like=True):
    """How often searches for words showed a product at a place, and what came of it."""

    words: str
    product: int
    place: int
    shown: int
    clicked: int
    bought: int


Choices = Annotated[list[Choice], Meta(max_length=CHOICES_MAX)]


class LearntOrder(Struct, frozen=True, kw_only=True):
    """What was learnt at a time, for so many searches: `served`, `former` (it was, until something newer),
    or `kept_out`, and why.

    `chosen_…`: the share of what shoppers chose that stands first, on days that taught nothing; `judged_…`:
    of the shop's judged queries. Each before and after."""

    learnt_id: LearntId
    at: datetime
    state: Literal["served", "former", "kept_out"]
    why: str
    searches: int
    chosen_before: float | None
    chosen_after: float | None
    judged_before: float | None
    judged_after: float | None


class TooManyRules(Conflict):
    """There are as many rules of search as there may be. Remove one first."""
