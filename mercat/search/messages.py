"""What search is asked and what it answers."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from mercat.ids import ProductId, RuleChangeId, RuleId, SellerId
from mercat.kit import codec
from mercat.kit.refusals import Conflict

Sort = Literal["relevance", "price_asc", "price_desc", "rating", "newest"]
SoldOut = Literal["among_others", "last", "hidden"]
PAGE_MAX = 1_000
LIMIT_MAX = 100
Words = Annotated[str, Meta(max_length=20_000)]
Page = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
Limit = Annotated[int, Meta(ge=1, le=LIMIT_MAX)]

Wanted = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=100)],
        Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=20)],
    ],
    Meta(max_length=8),
]
"""Values of attributes or options, by name; several values of one mean any of them. What no product has finds
nothing, as a brand that nobody sells does."""


class Query(Struct, frozen=True, kw_only=True):
    """What a shopper looks for. No words: everything that passes the filters. Prices are minor units of the
    shop's currency, both ends included; several brands, or several categories, mean any of them."""

    q: Words = ""
    price_min: int | None = None
    price_max: int | None = None
    brand: list[str] = []
    category: list[str] = []
    rating_min: float | None = None
    in_stock: bool | None = None
    attributes: Wanted = {}
    seller_id: SellerId | None = None
    sort: Sort = "relevance"
    page: Page = 1
    limit: Limit = 20
    cursor: str | None = None
    """Goes on where an answer's `next_cursor` says; `page` is then not looked at."""


class Seller(Struct, frozen=True):
    seller_id: SellerId
    name: str


class Card(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A product in a list. The price is decimal, as the public answers show it."""

    product_id: ProductId
    title: str
    price: float
    currency: str
    rating: float
    review_count: int
    image_url: str
    in_stock: bool
    seller: Seller
    category: str
    brand: str | None
    external_id: str | None = None


class Count(Struct, frozen=True):
    value: str
    count: int


class StarCount(Struct, frozen=True):
    """So many products have at least this many stars."""

    value: int
    count: int


class Trait(Struct, frozen=True):
    """An attribute, or an option of variants, as a facet."""

    name: str
    values: list[Count]


class Facets(Struct, frozen=True):
    """How many products each choice would leave. A facet does not mind its own filter."""

    brands: list[Count]
    price_ranges: list[Count]
    categories: list[Count]
    ratings: list[StarCount]
    attributes: list[Trait] = []
    """Where the products lie in one category: the few attributes that tell those of it apart; and whatever
    the filters name."""


class Relaxed(Struct, frozen=True):
    """Nothing has all the words asked for, so these were looked for instead."""

    q: str
    """The words that were looked for: spelling mended, hopeless ones left out."""
    dropped: list[str]


class Found(Struct, frozen=True, kw_only=True):
    """A page of products. Each is the bytes of a card, ready to be sent on."""

    results: list[Raw]
    total: int
    page: int
    total_pages: int
    facets: Facets
    next_cursor: str | None = None
    relaxed: Relaxed | None = None
    did_you_mean: str | None = None
    """The question with words mended that hardly any product has, one letter from words that many have."""
    all_words: int | None = None
    """Set where few products have all the words: so many have; the others have most of them."""

    def cards(self) -> list[Card]:
        """The products, for those who want to look inside."""
        return [codec.decode(bytes(card), Card) for card in self.results]


class Why(Struct, frozen=True):
    """Why a product is where it is: its score is the prior's parts, what was learnt, 1,000 where it has all
    the words and 1 where it has them in attributes or otherwise said, and what boosts add. A pinned one is
    where operators put it."""

    product_id: ProductId
    title: str
    score: float
    engine: float
    bonus: float
    prior: dict[str, float]
    learnt: float
    numbers: dict[str, float | None]
    boosted: float = 0
    pinned: int | None = None
    rules: list[RuleId] = []
    """The operators' rules that are about it."""


class Explained(Struct, frozen=True):
    """A question as search understands it, and the reasons of its first products."""

    words: list[str]
    otherwise: list[str]
    candidates: int
    why: list[Why]


class Department(Struct, frozen=True):
    """A category as a suggestion."""

    slug: str
    name: str


class Suggestions(Struct, frozen=True):
    """What the first letters may become."""

    words: list[str]
    products: list[Raw]
    categories: list[Department]
    brands: list[str]
    queries: list[str] = []
    """What others have searched for with success."""


# -- what operators want of searches

RULES_MAX, PLACE_MAX = 1_000, 20
RuleKind = Literal["pin", "boost", "synonym"]
PHRASE_MAX = 200
Phrase = Annotated[str, Meta(max_length=PHRASE_MAX)]
PinPlace = Annotated[int, Meta(ge=1, le=PLACE_MAX)]
BoostFactor = Annotated[float, Meta(ge=0.1, le=10)]


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an operator wants of searches, from a day until a day (both included, UTC), or always.

    pin: `product_id` stands at `place` for `words`, whether or not it has them. boost: whatever is of
    `product_id`, `brand` or `category` counts `factor` times as much, for `words` or, without, for all.
    synonym: who asks for `words` also means `other`; with `same` also the other way about."""

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


class KeptRule(Rule, frozen=True, kw_only=True):
    rule_id: RuleId
    version: int
    changed_at: datetime
    changed_by: str


class Rules(Struct, frozen=True):
    rules: list[KeptRule]


class RuleChange(Struct, frozen=True, kw_only=True):
    """Who changed what, and from what to what."""

    change_id: RuleChangeId
    rule_id: RuleId
    what: Literal["added", "changed", "removed"]
    by: str
    at: datetime
    was: Rule | None = None
    now: Rule | None = None


class RuleChanges(Struct, frozen=True):
    changes: list[RuleChange]


class TooManyRules(Conflict):
    """There are as many rules of search as there may be. Remove one first."""
