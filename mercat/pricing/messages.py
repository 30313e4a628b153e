"""What pricing is asked and what it answers. Amounts are integers of minor units."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from mercat.events import AppliedDiscount
from mercat.ids import AddressId, CartId, OfferId, OrderId, SellerId, UserId
from mercat.kit.refusals import Conflict
from mercat.kit.text import LINE, SEEN_LINE

Rounding = Literal["half_up", "half_even"]
"""Where a tax that falls in the middle of two amounts goes: up, or to the even one."""
TaxedBy = Literal["total", "line"]
"""Whether tax is rounded on all that has the same rate, or on each line."""


TaxNote = Literal["", "rate_unknown", "reverse_charge", "exempt", "by_provider", "provider_away"]
"""Why an order has no tax where others have: nobody knows the rate, the buyer owes it themselves, or they
are free of it. Or that the tax provider said its tax; or did not answer, so that the shop's own rates did."""
TAX_RULES_MAX = 20_000
PPM = 1_000_000
TaxCountry = Annotated[
    str, Meta(pattern=r"^[A-Za-z]{2}$", extra={"words": "Two letters, such as AT (ISO 3166-1)."})
]
TaxSubdivision = Annotated[str, Meta(max_length=80, pattern=LINE)]
PostalBound = Annotated[str, Meta(max_length=12, pattern=r"^[A-Za-z0-9 -]*$")]
TaxedClass = Annotated[
    str,
    Meta(
        max_length=30,
        pattern=r"^([a-z0-9][a-z0-9_-]*)?$",
        extra={"words": "A short code in small letters, such as food."},
    ),
]
RatePpm = Annotated[int, Meta(ge=0, le=PPM)]
TaxSource = Annotated[str, Meta(max_length=200, pattern=LINE)]
ExemptBecause = Annotated[str, Meta(min_length=1, max_length=300, pattern=SEEN_LINE)]


class TaxRule(Struct, frozen=True, kw_only=True):
    """A rate of tax, in parts per million, and whose it is: a country's, or a subdivision's, or that of a
    range of postal codes; of all goods, or of a class. `shipping_taxed`: whether delivery is taxed at it;
    `included`: whether prices have it in them."""

    country: TaxCountry
    subdivision: TaxSubdivision = ""
    postal_from: PostalBound = ""
    postal_to: PostalBound = ""
    tax_class: TaxedClass = ""
    ppm: RatePpm
    shipping_taxed: bool
    included: bool
    source: TaxSource = ""
    valid_from: date | None = None


class SoldWithoutRate(Struct, frozen=True):
    """Where was sold to without a known rate, how often, and when last."""

    country: str
    subdivision: str
    orders: int
    last_at: datetime


class TaxRuleSet(Struct, frozen=True):
    """All rates; `built_in`: those the package comes with, since none were set."""

    rules: list[TaxRule]
    built_in: bool = False
    version: int = 0


TaxRecordKind = Literal["sale", "reversal"]
TaxRecordStatus = Literal["waiting", "recorded", "refused"]
TAX_RECORDS_MAX = 500


class TaxRecord(Struct, frozen=True, kw_only=True):
    """A sale that the tax provider is told, or what was paid back of it.

    `key` is the order's id or the refund's; `tax` what was charged, `said_tax` what the provider reckoned."""

    key: str
    order_id: OrderId
    kind: TaxRecordKind
    amount: int
    currency: str
    status: TaxRecordStatus
    tries: int
    made_at: datetime
    recorded_at: datetime | None
    reference: str
    tax: int
    said_tax: int | None
    failure: str


class TaxExemption(Struct, frozen=True):
    """Somebody who pays no tax, and why."""

    user_id: UserId
    reason: str
    granted_at: datetime


class PricedLine(Struct, frozen=True, array_like=True):
    """So many of an offer, what one of them costs, who sells it, and the class by which it is taxed."""

    offer_id: OfferId
    quantity: int
    unit_price: int
    seller_id: SellerId = SellerId(0)
    tax_class: str = ""


class PartPrice(Struct, frozen=True, array_like=True):
    """What the delivery of a seller's part costs."""

    seller_id: SellerId
    shipping: int


class Reduction(Struct, frozen=True):
    """What a promotion takes off each line and the delivery of each part, both in the order of the basket.

    `by_seller`: the sellers bear it; otherwise the shop does."""

    discount: AppliedDiscount
    lines: list[int] = []
    parts: list[int] = []
    by_seller: bool = False


class PricedBasket(Struct, frozen=True):
    """What is bought at which prices, what is taken off, and where it goes (`country`: ISO 3166-1)."""

    lines: list[PricedLine]
    parts: list[PartPrice]
    currency: str
    country: str
    region: str = ""
    postal_code: str = ""
    reductions: list[Reduction] = []
    vat_number: str = ""
    """Of the buyer, in full, where it has its form."""
    user_id: UserId = UserId(0)


class LineTotal(Struct, frozen=True, array_like=True):
    """What is taken off a line, how much of that its seller bears, and its tax.

    `shop_tax`: the tax within what the shop bears, where prices include it: nobody collects it, so nobody is
    paid it. `unit_price`: where a unit costs less than was asked, since its tax was taken out."""

    discount: int
    seller_discount: int
    tax: int
    shop_tax: int = 0
    unit_price: int | None = None


class PartTotal(Struct, frozen=True, array_like=True):
    """What the delivery of a seller's part costs its shopper, what the shop pays of it, and its tax;
    `shop_tax`: the tax within what the shop pays."""

    seller_id: SellerId
    shipping: int
    waived: int
    tax: int
    shop_tax: int = 0


class Totals(Struct, frozen=True):
    """subtotal - discount + shipping + tax = total; where prices include their tax it is not added again."""

    subtotal: int
    discount: int
    shipping: int
    tax: int
    total: int
    lines: list[LineTotal] = []
    parts: list[PartTotal] = []
    tax_included: bool = False
    discounts: list[AppliedDiscount] = []
    """What was taken off by which promotion; a delivery that is waived is not in `discount`."""
    tax_note: TaxNote = ""
    rounding: Rounding = "half_up"
    taxed_by: TaxedBy = "total"


class Quoted(Struct, frozen=True):
    """What a shopper was shown. Sealed, it is the quote's id."""

    user_id: UserId
    cart_id: CartId
    address_id: AddressId
    shipping_method: str
    lines: list[PricedLine]
    totals: Totals
    expires_at: datetime
    held: str = ""
    """What else is to be as it was when this was quoted, as its asker writes it."""


class QuoteExpired(Conflict):
    """This quote no longer holds: it is old, or the cart, address or delivery changed. Ask for a new one."""
