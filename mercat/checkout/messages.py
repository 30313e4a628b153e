"""What checkout is asked and what it answers."""

from datetime import datetime
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct

from mercat.accounts import Email
from mercat.ids import AddressId, CheckoutId, LineId, OrderId, PaymentMethodId, ReturnId
from mercat.kit.refusals import Conflict, Forbidden, Invalid
from mercat.orders import NewOrder
from mercat.payments import SellerPart

Code = Annotated[str, Meta(min_length=1, max_length=40)]
Quantity = Annotated[int, Meta(ge=1, le=9_999)]


class Buy(Struct, frozen=True):
    """What a shopper sends to buy their cart."""

    shipping_address_id: AddressId
    payment_method_id: PaymentMethodId
    shipping_method: Code
    quote_id: Annotated[str, Meta(max_length=60_000)] | None = None
    email: Email | None = None
    flash_pass: Annotated[str, Meta(max_length=2_000)] | None = None
    """For what is sold in a flash sale."""
    expected_total: int | None = None
    """Minor units; where it differs from the total of now, it is price_changed and nothing is bought."""


class Health(Struct, frozen=True):
    """How buying did in the last seconds: answers, of these failed by our fault, the 99th percentile of their
    time, and purchases that run for longer than they should."""

    answers: int
    failed: int
    p99_s: float
    overdue: int


class Said(Struct, frozen=True):
    """An answer as it goes over the wire, byte for byte the same whenever it is repeated."""

    status: int
    body: bytes
    replayed: bool = False
    retry_after: int | None = None


class Quote(Struct, frozen=True, kw_only=True):
    quote_id: str
    subtotal: int
    shipping: int
    tax: int
    discount: int
    total: int
    currency: str
    expires_at: datetime


class Record(Struct, frozen=True):
    """The pending order: all that the steps after begin need."""

    order: NewOrder
    token: str
    sellers: list[SellerPart]


class ShippedLine(Struct, frozen=True):
    order_line_id: LineId
    quantity: Quantity


class Ship(Struct, frozen=True):
    """A seller hands a parcel over."""

    order_id: OrderId
    lines: Annotated[list[ShippedLine], Meta(min_length=1, max_length=500)]
    carrier: Annotated[str, Meta(min_length=1, max_length=80)]
    tracking_number: Annotated[str, Meta(min_length=1, max_length=80)]


class Track(Struct, frozen=True):
    """A carrier saw a parcel."""

    status: Literal["shipped", "in_transit", "out_for_delivery", "delivered", "exception"]
    location: Annotated[str, Meta(max_length=200)] | None = None
    at: datetime | None = None


class Return(Struct, frozen=True):
    lines: Annotated[list[ShippedLine], Meta(min_length=1, max_length=500)]
    reason: Annotated[str, Meta(max_length=1_000)] = ""


class Returned(Struct, frozen=True):
    return_id: ReturnId


class Parked(Struct, frozen=True):
    """Something that recovery has given up until an operator says otherwise. `reference`: `buy/…` is a
    purchase, the others are cancellations, returns and parcels."""

    reference: str
    order_id: OrderId
    reason: str
    tries: int
    direction: str
    since: datetime


class Gate(Protocol):
    """Who lets orders in, where not everybody may buy everything."""

    async def admit(self, order: NewOrder, card: str, flash_pass: str | None, /) -> str | None:
        """Raises NotAdmitted, or answers the name of the pass under which this is bought, once."""
        ...

    async def give_back(self, name: str, checkout_id: CheckoutId, /) -> None:
        """This checkout did not begin after all."""
        ...


class NotAdmitted(Forbidden):
    """This cannot be bought by everybody at the moment."""


class CartEmpty(Invalid):
    """There is nothing in the cart to buy."""


class KeyReused(Invalid):
    """This Idempotency-Key was used for another request. Use a new key for a new purchase."""


class CheckoutInProgress(Conflict):
    """This purchase is being carried out. Ask again in a moment with the same key."""

    retry_after = 1


class PriceChanged(Conflict):
    """The total is not what you expected. Nothing was bought: accept the new one, or go back to the cart."""
