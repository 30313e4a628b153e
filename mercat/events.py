"""Everything that can happen in Mercat, on one page.

A fact in the past tense. A service writes it to the log in the statement that makes it true; whoever
declared `@on(TheFact)` is told. Fields are only ever added. Where a subject has a `version`, it was raised
under the row's lock: an older one never overwrites a newer.
"""

from datetime import datetime
from typing import Annotated

import msgspec

from mercat.ids import (
    CartId,
    CheckoutId,
    LineId,
    OfferId,
    OrderId,
    ProductId,
    ReviewId,
    SellerId,
    ShipmentId,
    UserId,
)

STOCK_MAX = 10_000_000
StockQuantity = Annotated[int, msgspec.Meta(ge=0, le=STOCK_MAX)]
"""Units on a shelf: as many as an offer may be listed or counted with."""


class Event(msgspec.Struct, frozen=True, tag_field="event", kw_only=True):
    """A fact. The tag is its name on the wire: renaming a class breaks history."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A product as shoppers find it: its featured offer's price, and where it stands."""

    product_id: ProductId
    offer_id: OfferId
    seller_id: SellerId
    seller_name: str
    title: str
    description: str
    price: int
    currency: str
    created_at: datetime
    external_id: str | None = None
    brand: str | None = None
    category: str = "uncategorised"
    categories: list[str] = []
    """Slugs: its own and all ancestors'."""
    category_names: list[str] = []
    """Names from the root to its own."""
    tags: list[str] = []
    attributes: dict[str, str | float | bool] = {}
    options: dict[str, list[str]] = {}
    """What one chooses among its variants by."""
    rating: float = 0
    review_count: int = 0
    image_url: str = ""
    in_stock: bool = False
    popularity: int = 0


class ProductChanged(Event, frozen=True, kw_only=True):
    """The whole product as it now is; no document: it is not for sale any more."""

    product_id: ProductId
    version: int
    document: Document | None = None


class ListedOffer(msgspec.Struct, frozen=True):
    offer_id: OfferId
    quantity: StockQuantity


class OffersListed(Event, frozen=True, kw_only=True):
    """New offers were listed, with so many units each. `reference`: the delivery that brings them, once."""

    reference: str
    seller_id: SellerId
    offers: list[ListedOffer]


class StockChanged(Event, frozen=True, kw_only=True):
    """An offer ran out, came back, or fell to its low mark: told at those crossings only."""

    offer_id: OfferId
    version: int
    available: int
    low: bool = False


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    seller_id: SellerId
    title: str
    quantity: int
    unit_price: int
    total: int
    image_url: str = ""


class OrderPlaced(Event, frozen=True, kw_only=True):
    """Paid and confirmed. The one fact of buying."""

    order_id: OrderId
    checkout_id: CheckoutId
    cart_id: CartId
    user_id: UserId
    email: str
    total: int
    currency: str
    lines: list[OrderLine]
    placed_at: datetime
    subtotal: int = 0
    discount: int = 0
    shipping: int = 0
    tax: int = 0
    shipping_method: str = ""
    estimated_delivery: str = ""
    address: dict[str, str] = {}


class OrderCancelled(Event, frozen=True, kw_only=True):
    order_id: OrderId
    user_id: UserId
    email: str = ""
    total: int = 0
    currency: str = "USD"


class ShipmentLine(msgspec.Struct, frozen=True):
    order_line_id: LineId
    quantity: int


class ParcelMoved(Event, frozen=True, kw_only=True):
    """A shipment was handed over (`shipped`) or seen on its way; `status` as the carrier says."""

    shipment_id: ShipmentId
    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    version: int
    status: str
    at: datetime
    carrier: str
    tracking_number: str
    lines: list[ShipmentLine]
    location: str = ""


class OrderDelivered(Event, frozen=True, kw_only=True):
    """Every line of the order has arrived."""

    order_id: OrderId
    user_id: UserId
    product_ids: list[ProductId]


class ReviewWritten(Event, frozen=True, kw_only=True):
    review_id: ReviewId
    product_id: ProductId
    user_id: UserId
    stars: int
    verified: bool


class RatingChanged(Event, frozen=True, kw_only=True):
    """What all reviews of a product come to: `histogram` counts one to five stars."""

    product_id: ProductId
    version: int
    rating: float
    review_count: int
    histogram: list[int] = []


class SellerRegistered(Event, frozen=True, kw_only=True):
    seller_id: SellerId
    user_id: UserId
    name: str


class AccountOpened(Event, frozen=True, kw_only=True):
    user_id: UserId
    email: str
    name: str


AnyEvent = (
    ProductChanged
    | OffersListed
    | StockChanged
    | OrderPlaced
    | OrderCancelled
    | ParcelMoved
    | OrderDelivered
    | ReviewWritten
    | RatingChanged
    | SellerRegistered
    | AccountOpened
)
