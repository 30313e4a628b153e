"""What promotions are asked and what they answer. Amounts are integers of minor units."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from mercat.events import AppliedDiscount
from mercat.ids import CheckoutId, OfferId, OrderId, ProductId, PromotionId, SellerId, UserId
from mercat.kit.refusals import Conflict
from mercat.kit.text import LINE, SEEN_LINE
from mercat.money import MINOR_MAX
from mercat.pricing import PartPrice, Reduction

NAME_MAX = 120
CODE_MAX = 60
CODES_MAX = 100_000
"""Codes that are made at once."""
CODES_EVER_MAX = 1_000_000
"""Codes for a single use that are made for one promotion in all; the database counts them."""
STANDING_MAX = 500
"""Promotions that a seller, or the shop, has at once, live and scheduled."""
MEMBERS_MAX = 500
"""Things that a condition names."""
GROUPS_MAX = 50
PRIORITY_MAX = 1_000_000
LISTED_MAX = 100
PromotionName = Annotated[
    str,
    Meta(min_length=1, max_length=NAME_MAX, pattern=SEEN_LINE, extra={"words": "Give it a name."}),
]
Code = Annotated[
    str, Meta(min_length=1, max_length=CODE_MAX, pattern=SEEN_LINE, extra={"words": "Type the code."})
]
CodeCount = Annotated[int, Meta(ge=1, le=CODES_MAX)]
CodePrefix = Annotated[str, Meta(max_length=20, pattern=LINE)]
UsesMax = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Priority = Annotated[int, Meta(ge=-PRIORITY_MAX, le=PRIORITY_MAX)]
MoneyOff = Annotated[int, Meta(ge=1, le=MINOR_MAX, extra={"money": True})]
GroupName = Annotated[
    str, Meta(min_length=1, max_length=60, pattern=SEEN_LINE, extra={"words": "Name the group."})
]
CategorySlug = Annotated[str, Meta(min_length=1, max_length=200)]
NamedThing = Annotated[str, Meta(min_length=1, max_length=100, pattern=SEEN_LINE)]
Percent = Annotated[float, Meta(gt=0, le=100)]
Units = Annotated[int, Meta(ge=1, le=1_000)]
PreviewCodes = Annotated[list[Code], Meta(max_length=10)]
GroupNames = Annotated[list[GroupName], Meta(max_length=GROUPS_MAX)]
FundedBy = Literal["shop", "seller"]
PromotionState = Literal["live", "scheduled", "ended"]
Why = Literal[
    "code_unknown",
    "code_expired",
    "code_used_up",
    "below_minimum",
    "not_for_these_goods",
    "does_not_combine",
    "not_for_you",
]
"""Why a promotion takes nothing off."""
Terms = dict[str, Any]
"""Members of `when` or `then` by name; each kind is a module that says what its value is."""


class CodesAsk(Struct, frozen=True):
    """How many codes for a single use each are to be made, and how they begin."""

    count: CodeCount
    prefix: CodePrefix = ""


class NewPromotion(Struct, frozen=True, kw_only=True):
    """A promotion as it is set up. `code`: one that anybody may use; `codes`: so many for a single use.

    `seller_id`: whose it is, for their goods alone and borne by them; the shop's without."""

    name: PromotionName
    then: Terms
    when: Terms = {}
    code: Code | None = None
    codes: CodesAsk | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    limit: UsesMax | None = None
    limit_per_customer: UsesMax | None = None
    budget: MoneyOff | None = None
    combines: bool = True
    by_seller: bool = False
    priority: Priority = 0
    seller_id: SellerId | None = None


class PromotionChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of a promotion is to be otherwise; None takes a limit, a time or a code away."""

    name: PromotionName | UnsetType = UNSET
    then: Terms | UnsetType = UNSET
    when: Terms | UnsetType = UNSET
    code: Code | UnsetType | None = UNSET
    starts_at: datetime | UnsetType | None = UNSET
    ends_at: datetime | UnsetType | None = UNSET
    limit: UsesMax | UnsetType | None = UNSET
    limit_per_customer: UsesMax | UnsetType | None = UNSET
    budget: MoneyOff | UnsetType | None = UNSET
    combines: bool | UnsetType = UNSET
    by_seller: bool | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET


class Promotion(Struct, frozen=True, kw_only=True):
    """A promotion as it stands, and how often it was used where anything of it is limited."""

    promotion_id: PromotionId
    name: str
    then: Terms
    created_at: datetime
    seller_id: SellerId | None = None
    code: str | None = None
    has_codes: bool = False
    """It needs one of its codes; of codes for a single use there may be many."""
    when: Terms = {}
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    combines: bool = True
    by_seller: bool = False
    priority: int = 0
    limit: int | None = None
    limit_per_customer: int | None = None
    budget: int | None = None
    uses: int = 0
    spent: int = 0

    @property
    def first_order(self) -> bool:
        return bool(self.when.get("first_order"))

    @property
    def limited(self) -> bool:
        """Whether a use of it has to be counted."""
        return (
            self.limit is not None
            or self.limit_per_customer is not None
            or self.budget is not None
            or self.first_order
        )


class AddedPromotion(Struct, frozen=True):
    """A promotion that was set up, and the codes that were made for it."""

    promotion: Promotion
    codes: list[str]


class PromotionCode(Struct, frozen=True):
    """A code for a single use, and whether it was used."""

    code: str
    used: bool


class StateCounts(Struct, frozen=True):
    live: int
    scheduled: int
    ended: int


class PromotionOnGoods(Struct, frozen=True):
    """A promotion as a product's page says it: its name, what it does, and what it asks for."""

    name: str
    does: str
    asks: list[str]


class PricedGoods(Struct, frozen=True, array_like=True):
    """A line as promotions look at it. `categories`: slugs from the root to the product's own; `is_money`: a
    gift card, of which nothing is taken off and which counts for nothing."""

    offer_id: OfferId
    product_id: ProductId
    seller_id: SellerId
    quantity: int
    unit_price: int
    categories: list[str] = []
    brand: str | None = None
    tags: list[str] = []
    is_money: bool = False


class ReductionAsk(Struct, frozen=True):
    """What is bought by whom, with which codes. `parts` and `country`: None until an address is known."""

    user_id: UserId
    goods: list[PricedGoods]
    codes: list[str] = []
    parts: list[PartPrice] | None = None
    country: str | None = None
    email: str | None = None


class CodeState(Struct, frozen=True):
    """A code that was given, and why it takes nothing off where it does not."""

    code: str
    applied: bool
    why: Why | None = None


class Use(Struct, frozen=True, array_like=True):
    """A use of a promotion that has to be counted; `code`: where it is for a single use."""

    promotion_id: PromotionId
    amount: int
    code: str = ""
    name: str = ""


class Tried(Struct, frozen=True, array_like=True):
    """A promotion that was looked at, and what came of it."""

    promotion_id: PromotionId
    amount: int = 0
    why: Why | None = None
    code: str = ""


class Gift(Struct, frozen=True):
    """A unit of an offer that comes along for nothing, by which promotion, and who bears it.

    `seller_id`: whose offer it has to be, of a seller's promotion."""

    offer_id: OfferId
    discount: AppliedDiscount
    by_seller: bool = False
    seller_id: SellerId | None = None


class Reduced(Struct, frozen=True):
    """What promotions take off. `uses`: what has to be redeemed before money moves; `tried`: all that was
    looked at, in order."""

    reductions: list[Reduction] = []
    codes: list[CodeState] = []
    uses: list[Use] = []
    tried: list[Tried] = []
    free_from: int | None = None
    """How much more has to be bought for a delivery that is free; none where there is no such promotion."""
    gifts: list[Gift] = []
    """What comes along; what it costs, who looks offers up takes off."""


class Redeem(Struct, frozen=True):
    """The uses of one purchase, to be counted once."""

    checkout_id: CheckoutId
    order_id: OrderId
    user_id: UserId
    email: str
    uses: list[Use]


class UsedUp(Struct, frozen=True):
    """Why a purchase may not use a promotion any more."""

    promotion_id: PromotionId
    name: str
    code: str
    why: Why


class Redemption(Struct, frozen=True):
    """What became of the uses that an order had counted."""

    state: Literal["used", "refused", "given_back"]
    because: str
    given_back_at: datetime | None


class CodeTaken(Conflict):
    """Another promotion has this code, also where it is over. Choose another one, or delete that promotion
    first."""


class TooManyPromotions(Conflict):
    """500 promotions stand at once. End or delete one first."""


class CodesExhausted(Conflict):
    """A promotion has 1,000,000 codes in all. Set up another one for more."""
