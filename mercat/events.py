"""Everything that can happen in Mercat, on one page.

An event is told by the statement that makes it true: `events.tell` writes it into PostgreSQL's write-ahead
log. The relay moves it to the event log in the order of commits, and every service with a method
`@on(TheEvent)` follows from a position of its own. The log is in PostgreSQL, or in Kafka; there only what is
told of one bucket of ids stays in order, so each event names its key. Fields are only ever added. Where a
subject has a `version`, it was raised under the row's lock: an older one never overwrites a newer. Ids are
numbers or their shown form (`prod_…`); amounts are integers of minor units.

- What was rolled back was never told; what was committed is told once, and what is of one key in the order of
  commits. What is told of another key may come earlier or later.
- A follower commits its work together with its position. Work outside PostgreSQL (the search index, mail)
  comes first and the position after it, so an event may come twice: `version` says which is newer.
- An event that a follower cannot digest is tried five times, then parked in `events.parked` with the reason;
  the others go on.
- Buying goes on while the relay and every follower are down: the write-ahead log keeps the events.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec

from mercat.ids import (
    BatchId,
    CancellationId,
    CartId,
    CategoryId,
    CheckoutId,
    GiftCardId,
    LineId,
    LinkId,
    OfferId,
    OrderId,
    PayoutId,
    ProductId,
    PromotionId,
    RefundId,
    ReturnId,
    ReviewId,
    SellerId,
    ShipmentId,
    UserId,
    ViewId,
)

STOCK_MAX = 10_000_000
StockQuantity = Annotated[int, msgspec.Meta(ge=0, le=STOCK_MAX)]
"""Units on a shelf: as many as an offer may be listed or counted with."""


class Event(msgspec.Struct, frozen=True, tag_field="event", kw_only=True):
    """Something that happened. The tag is its name on the wire: renaming a class breaks history."""

    key: ClassVar[str]
    """The field with the id of what it is about. Events of one bucket stay in order, whatever the log is; of
    several ids (a list) each follows what was told of that id before. It never changes."""


class ComingPrice(msgspec.Struct, frozen=True):
    """What a product costs from a time on: a sale of it begins or ends then."""

    at: datetime
    price: int
    was_price: int | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A product as shoppers find it, with the price of the offer that it shows first."""

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
    """Slugs from the root to its own."""
    category_names: list[str] = []
    """Their names."""
    tags: list[str] = []
    attributes: dict[str, str | float | bool] = {}
    options: dict[str, list[str]] = {}
    """The values by which one chooses among its variants."""
    rating: float = 0
    review_count: int = 0
    image_url: str = ""
    in_stock: bool = False
    popularity: int = 0
    codes: list[str] = []
    """SKUs and barcodes of its variants."""
    was_price: int | None = None
    """What it cost before a reduction."""
    coming_prices: list[ComingPrice] = []
    """The next ones, where sales begin or end."""


class ProductChanged(Event, frozen=True, kw_only=True):
    """A product, its offers, its state of stock or its rating changed."""

    key = "product_id"

    product_id: ProductId
    version: int
    document: Document | None = None
    """The whole product as it is now; null: it is not for sale any more."""


class ListedOffer(msgspec.Struct, frozen=True):
    offer_id: OfferId
    quantity: StockQuantity


class CategoriesRenamed(Event, frozen=True, kw_only=True):
    """Categories have other slugs: one was renamed or moved, with those below it. `slugs` says what each
    former one is now. A category that was merged is not in it: what was for its goods is for no others."""

    key = "category_id"

    category_id: CategoryId
    """Always 0, so that all come in the order of their commits."""
    slugs: dict[str, str]


class OffersListed(Event, frozen=True, kw_only=True):
    """New offers were listed, with so many units each. `reference`: the delivery that brings them, once."""

    key = "seller_id"

    reference: str
    seller_id: SellerId
    offers: list[ListedOffer]


class StockChanged(Event, frozen=True, kw_only=True):
    """An offer ran out, came back, or fell to its low mark; it is told at those crossings only."""

    key = "offer_id"

    offer_id: OfferId
    version: int
    available: int
    low: bool = False
    fell: bool = False
    """Whether it fell to its low mark now: once a fall."""


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """So many units of one offer in an order: `total` is what they cost, before the discount."""

    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    seller_id: SellerId
    title: str
    quantity: int
    unit_price: int
    total: int
    image_url: str = ""
    discount: int = 0
    seller_discount: int = 0
    """What of the discount its seller bears; the shop bears the rest."""
    tax: int | None = None
    """None: release 0.1.0 told it; its lines share the order's discount and tax by what they cost."""
    shop_tax: int = 0
    """The tax within what the shop bears of the discount, where prices include it: nobody collected it."""
    tax_class: str = ""
    """By which it was taxed; "" is the standard rate."""


class PartShipping(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the delivery of one seller's part of an order costs its shopper, what the shop pays of it
    (`waived`), and its tax; `shop_tax`: that within what the shop pays."""

    seller_id: SellerId
    amount: int
    waived: int = 0
    tax: int = 0
    shop_tax: int = 0
    pickup_name: str = ""
    """Where its shopper fetches it; nothing where it is brought."""
    pickup_address: str = ""


class SellerCommission(msgspec.Struct, frozen=True):
    """What the shop keeps of a seller's goods in an order: commission and fees."""

    seller_id: SellerId
    amount: int


class AppliedDiscount(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a promotion took off: of goods (`amount`), and of deliveries (`shipping`); `words`: what it does,
    for shoppers."""

    promotion_id: PromotionId
    name: str
    code: str | None = None
    amount: int = 0
    shipping: int = 0
    words: str = ""


class GiftCardsBought(msgspec.Struct, frozen=True, omit_defaults=True):
    """The lines of an order whose units are gift cards, made once they are paid; to whom their letters go,
    and what is said with them."""

    lines: list[LineId]
    email: str
    name: str = ""
    message: str = ""
    sender: str = ""


class OrderPlaced(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An order was paid and confirmed: the one event of buying."""

    key = "order_id"

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
    part_shipping: list[PartShipping] | None = None
    """What the delivery of each seller's part costs; where it is empty, the parts share the order's."""
    tax_included: bool = False
    discounts: list[AppliedDiscount] = []
    tax_note: str = ""
    """Why it has no tax: `rate_unknown`, `reverse_charge` or `exempt`. Or whose word the tax is:
    `by_provider`, or `provider_away`: that of the shop's own rates, since the provider did not answer."""
    gift_cards: GiftCardsBought | None = None
    commissions: list[SellerCommission] | None = None
    """None where it is not known here whether it was charged so: payments know."""
    number: int | None = None
    """What people say; ids are for programs."""
    channel: str = "web"
    """By what it came: `web`, a page of the shop, or `api`."""


class GiftCardSold(Event, frozen=True, kw_only=True):
    """A gift card that was bought was made. Its code is in no event: it follows from the card's id."""

    key = "order_id"

    gift_card_id: GiftCardId
    order_id: OrderId
    amount: int
    currency: str
    email: str
    name: str = ""
    message: str = ""
    sender: str = ""


class OrderCancelled(Event, frozen=True, kw_only=True):
    """Every unit of a confirmed order was cancelled; what was told of each stands in `UnitsCancelled`."""

    key = "order_id"

    order_id: OrderId
    user_id: UserId
    email: str = ""
    total: int = 0
    currency: str = "USD"
    refund: int | None = None
    """What the last cancellation gives back; none where release 0.1.0 told it: the total."""


class OrderNotPlaced(Event, frozen=True, kw_only=True):
    """An order was paid and could not be stored: it is given up, and the money goes back."""

    key = "order_id"

    order_id: OrderId
    checkout_id: CheckoutId
    user_id: UserId
    email: str
    total: int
    currency: str


class PaymentNotConfirmed(Event, frozen=True, kw_only=True):
    """Somebody walked away from their bank's page: nothing was charged, and the purchase is over."""

    key = "checkout_id"

    checkout_id: CheckoutId
    user_id: UserId
    email: str
    total: int
    currency: str


class OrderLinkAsked(Event, frozen=True, kw_only=True):
    """Somebody who knows an order's number and address wants its letter again."""

    key = "order_id"

    notice_id: LinkId
    order_id: OrderId
    email: str


class CancelledUnits(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of an order's line that were cancelled now, and how many are in all."""

    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    seller_id: SellerId
    quantity: int
    cancelled: int


class UnitsCancelled(Event, frozen=True, kw_only=True):
    """Units of an order were cancelled before they were shipped, by its shopper, a seller or an operator."""

    key = "order_id"

    cancellation_id: CancellationId
    order_id: OrderId
    user_id: UserId
    email: str
    lines: list[CancelledUnits]
    amount: int
    """What is paid back for it."""
    currency: str
    who: str
    reason: str = ""
    whole: bool = False
    """Whether nothing of the order is left."""


class PartChanged(Event, frozen=True, kw_only=True):
    """A seller's part of an order came to another status."""

    key = "order_id"

    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    status: str
    product_ids: list[ProductId]


class ProductsArrived(Event, frozen=True, kw_only=True):
    """The first units of these products in an order were delivered, whatever of it is still on its way."""

    key = "order_id"

    order_id: OrderId
    user_id: UserId
    product_ids: list[ProductId]


class ProductsRefunded(Event, frozen=True, kw_only=True):
    """Every unit of these products in an order was paid back: cancelled, come back, or left where it was."""

    key = "order_id"

    order_id: OrderId
    user_id: UserId
    product_ids: list[ProductId]


class RefundPaid(Event, frozen=True, kw_only=True):
    """A refund was paid by the bank."""

    key = "order_id"

    refund_id: RefundId
    order_id: OrderId
    amount: int
    currency: str
    reference: str
    """What it is for: `cancel/…`, `return/…` or `refund/…`."""
    seller_ids: list[SellerId]
    """Whose goods it is for."""


class RefundFailed(Event, frozen=True, kw_only=True):
    """The bank could not pay a refund: it is owed still, and an operator has a case."""

    key = "order_id"

    refund_id: RefundId
    order_id: OrderId
    amount: int
    currency: str


class PayoutPaid(Event, frozen=True, kw_only=True):
    """A seller was paid out. `account`: where to, but for its last digits hidden."""

    key = "seller_id"

    payout_id: PayoutId
    seller_id: SellerId
    amount: int
    currency: str
    account: str


class PayoutFailed(Event, frozen=True, kw_only=True):
    """A payout was not taken by the bank: the money is available again, and waits for another account."""

    key = "seller_id"

    payout_id: PayoutId
    seller_id: SellerId
    amount: int
    currency: str
    account: str
    reason: str


class ShipmentLine(msgspec.Struct, frozen=True):
    """So many units of an order's line in a parcel."""

    order_line_id: LineId
    quantity: int


class ParcelMoved(Event, frozen=True, kw_only=True):
    """A parcel was handed over (`shipped`) or seen on its way."""

    key = "order_id"

    shipment_id: ShipmentId
    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    version: int
    status: str
    """As the carrier says: shipped, in_transit, out_for_delivery, delivered or exception."""
    at: datetime
    carrier: str
    tracking_number: str
    lines: list[ShipmentLine]
    location: str = ""


class OrderDelivered(Event, frozen=True, kw_only=True):
    """Every unit of the order that was not cancelled has arrived."""

    key = "order_id"

    order_id: OrderId
    user_id: UserId
    product_ids: list[ProductId]


class ReturnLine(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of an order's line that come back; once they are here, how many in which condition."""

    order_line_id: LineId
    title: str
    quantity: int
    sellable: int = 0
    damaged: int = 0
    missing: int = 0


class ReturnRequested(Event, frozen=True, kw_only=True):
    """Somebody wants to send goods of one seller back."""

    key = "order_id"

    return_id: ReturnId
    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    seller_name: str
    reason: str
    comment: str
    lines: list[ReturnLine]
    approved: bool
    """Whether the shop approved it by itself."""
    seller_email: str = ""
    """Where the seller is told."""


class ReturnApproved(Event, frozen=True, kw_only=True):
    """Goods may be sent back."""

    key = "order_id"

    return_id: ReturnId
    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    seller_name: str
    by: str
    """Who decided it: shop, seller or operator."""


class ReturnRefused(Event, frozen=True, kw_only=True):
    """Goods may not be sent back."""

    key = "order_id"

    return_id: ReturnId
    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    seller_name: str
    by: str
    why: str


class ReturnSent(Event, frozen=True, kw_only=True):
    """Goods are on their way back."""

    key = "order_id"

    return_id: ReturnId
    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    seller_name: str
    carrier: str
    tracking_number: str


class ReturnReceived(Event, frozen=True, kw_only=True):
    """Goods came back, each unit in one condition."""

    key = "order_id"

    return_id: ReturnId
    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    seller_name: str
    by: str
    lines: list[ReturnLine]


class ReturnRefunded(Event, frozen=True, kw_only=True):
    """What came back was paid back."""

    key = "order_id"

    return_id: ReturnId
    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    seller_name: str
    amount: int
    currency: str
    withheld: int = 0
    withheld_because: str = ""


class ReturnClosed(Event, frozen=True, kw_only=True):
    """A return ended without money: its shopper withdrew it, or nothing that came is paid."""

    key = "order_id"

    return_id: ReturnId
    order_id: OrderId
    user_id: UserId
    seller_id: SellerId
    seller_name: str
    withdrawn: bool


class PriceDropped(Event, frozen=True, kw_only=True):
    """A product on wishlists costs less than when its price last stood still for a day; told once a day."""

    key = "product_id"

    product_id: ProductId
    version: int
    price: int
    was_price: int
    currency: str


class BackInStock(Event, frozen=True, kw_only=True):
    """A product on wishlists can be bought again; told once a day."""

    key = "product_id"

    product_id: ProductId
    version: int


class ReviewWritten(Event, frozen=True, kw_only=True):
    """A buyer wrote a review."""

    key = "product_id"

    review_id: ReviewId
    product_id: ProductId
    user_id: UserId
    stars: int
    verified: bool
    written_at: datetime | None = None
    """Long ago, where it was brought along from elsewhere."""


class RatingChanged(Event, frozen=True, kw_only=True):
    """The mean of a product's reviews changed."""

    key = "product_id"

    product_id: ProductId
    version: int
    rating: float
    review_count: int
    histogram: list[int] = []
    """Counts of one to five stars."""


class SellerRegistered(Event, frozen=True, kw_only=True):
    """Somebody with an account became a seller."""

    key = "seller_id"

    seller_id: SellerId
    user_id: UserId
    name: str


class SellerStatusChanged(Event, frozen=True, kw_only=True):
    """A seller was let in, suspended, or began and waits to be let in."""

    key = "seller_id"

    seller_id: SellerId
    status: str
    version: int


class AccountOpened(Event, frozen=True, kw_only=True):
    """Somebody registered."""

    key = "user_id"

    user_id: UserId
    email: str
    name: str
    link_id: LinkId | None = None
    """Of the link that confirms the e-mail address."""


class AccountOpenedAgain(Event, frozen=True, kw_only=True):
    """Somebody tried to register with the e-mail address of an account, or to move theirs to it."""

    key = "user_id"

    notice_id: LinkId
    user_id: UserId
    email: str
    name: str


class PasswordResetAsked(Event, frozen=True, kw_only=True):
    """Somebody forgot the password of an account."""

    key = "user_id"

    link_id: LinkId
    user_id: UserId
    email: str
    name: str


class PersonInvited(Event, frozen=True, kw_only=True):
    """Somebody who bought in the former shop has an account now, and sets its password by a link."""

    key = "user_id"

    link_id: LinkId
    user_id: UserId
    email: str
    name: str


class EmailConfirmationAsked(Event, frozen=True, kw_only=True):
    """An e-mail address of an account, or its next one, is to be confirmed."""

    key = "user_id"

    link_id: LinkId
    user_id: UserId
    email: str
    name: str


class SignInChanged(Event, frozen=True, kw_only=True):
    """How a person signs in changed, or is about to; `email` is where they are told."""

    key = "user_id"

    notice_id: LinkId
    user_id: UserId
    email: str
    name: str
    new_email: str = ""
    """The address that is to be confirmed; empty where something else changed."""
    what: Literal["password", "two_factor_on", "two_factor_off"] = "password"


class AccountErased(Event, frozen=True, kw_only=True):
    """Somebody is to be forgotten. Orders keep what the law asks for until its term has passed."""

    key = "people"

    user_id: UserId
    people: list[UserId]
    """The person, and the guests they were."""
    email: str = ""
    guest: bool = False
    """They had no account; the e-mail address is that of an order."""


class StandingChanged(Event, frozen=True, kw_only=True):
    """An operator has disabled somebody, or said whether they are one too: their sessions follow."""

    key = "user_id"

    user_id: UserId


class OrderForgotten(Event, frozen=True, kw_only=True):
    """An order does not know any more who bought it, nor where it went."""

    key = "order_id"

    order_id: OrderId
    checkout_id: CheckoutId


LookKind = Literal["view", "search", "cart", "checkout", "order", "exposed"]
"""`exposed`: somebody was shown one of the ways of an experiment, `words` says which; `found` is how many
microseconds it took."""
Device = Literal["phone", "tablet", "desktop"]


class Look(msgspec.Struct, frozen=True, array_like=True):
    """Something that a visitor did. `visitor` is a number of the day alone, made with a salt that is
    forgotten after it: the same browser is another visitor tomorrow, and nobody can be found by it."""

    at: int
    """Seconds since 1970."""
    what: LookKind
    visitor: int
    device: Device
    product_id: ProductId | None = None
    words: str = ""
    """Of a search, in small letters; what looks like an address or a long number is left out."""
    found: int = 0
    shown: list[ProductId] = []
    """The products of a search's first page, in their order."""


class ThingsLookedAt(Event, frozen=True, kw_only=True):
    """Visitors looked at things: what a worker gathered in two seconds."""

    key = "batch_id"

    batch_id: BatchId
    looks: list[Look]


class ReportWeekOver(Event, frozen=True, kw_only=True):
    """A week of a report that somebody has saved is over: what it came to, beside the week before."""

    key = "user_id"

    view_id: ViewId
    user_id: UserId
    seller_id: SellerId | None = None
    """Of that seller's goods alone; none: of the whole shop."""
    name: str
    path: str
    """Of the report's page, without the desk's."""
    since: str
    """The Monday it began; it ends as the next one begins, in the time zone of the view."""
    week: int
    """The number of that Monday, counted in days."""
    currency: str
    totals: dict[str, int]
    before: dict[str, int]


AnyEvent = (
    ProductChanged
    | CategoriesRenamed
    | OffersListed
    | StockChanged
    | OrderPlaced
    | OrderCancelled
    | OrderNotPlaced
    | PaymentNotConfirmed
    | OrderLinkAsked
    | UnitsCancelled
    | PartChanged
    | ProductsArrived
    | ProductsRefunded
    | RefundPaid
    | RefundFailed
    | GiftCardSold
    | PayoutPaid
    | PayoutFailed
    | ParcelMoved
    | OrderDelivered
    | ReturnRequested
    | ReturnApproved
    | ReturnRefused
    | ReturnSent
    | ReturnReceived
    | ReturnRefunded
    | ReturnClosed
    | PriceDropped
    | BackInStock
    | ReviewWritten
    | RatingChanged
    | SellerRegistered
    | SellerStatusChanged
    | AccountOpened
    | AccountOpenedAgain
    | PasswordResetAsked
    | PersonInvited
    | EmailConfirmationAsked
    | SignInChanged
    | AccountErased
    | StandingChanged
    | OrderForgotten
    | ReportWeekOver
    | ThingsLookedAt
)
