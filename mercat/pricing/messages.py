"""What pricing is asked and what it answers. Amounts are integers of minor units."""

from datetime import datetime

from msgspec import Struct

from mercat.ids import AddressId, CartId, OfferId, UserId
from mercat.kit.refusals import Conflict


class PricedLine(Struct, frozen=True, array_like=True):
    """So many of an offer, and what one of them costs."""

    offer_id: OfferId
    quantity: int
    unit_price: int


class PricedBasket(Struct, frozen=True):
    """What is bought, at which prices, and where it goes (`country` is ISO 3166-1 alpha-2)."""

    lines: list[PricedLine]
    shipping: int
    currency: str
    country: str
    region: str = ""


class Totals(Struct, frozen=True):
    """subtotal - discount + shipping + tax = total (prices exclude tax); `taxes` are the lines' shares."""

    subtotal: int
    discount: int
    shipping: int
    tax: int
    total: int
    taxes: list[int] = []


class Quoted(Struct, frozen=True):
    """What a shopper was shown. Sealed, it is the quote's id."""

    user_id: UserId
    cart_id: CartId
    address_id: AddressId
    shipping_method: str
    lines: list[PricedLine]
    totals: Totals
    expires_at: datetime


class QuoteExpired(Conflict):
    """This quote no longer holds: it is old, or the cart, address or delivery changed. Ask for a new one."""
