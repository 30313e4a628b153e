"""What checkout is asked and what it answers."""

from collections.abc import Callable, Collection
from datetime import date, datetime
from typing import Annotated, Any, Literal, Protocol

from msgspec import Meta, Struct

from mercat.accounts import CardToken, Email, NewAddress
from mercat.fulfilment import ParcelStatus
from mercat.ids import AddressId, CheckoutId, OfferId, OrderId, PaymentMethodId, ProductId, PromotionId
from mercat.inventory import Line
from mercat.kit.refusals import Conflict, Forbidden, Invalid, Refusal
from mercat.kit.text import LINE, PROSE, SEEN_LINE, SEEN_PROSE
from mercat.money import MINOR_MAX
from mercat.orders import LineQuantity, NewOrder, OrderLineView
from mercat.payments import NextAction, SellerPart, Spendable, Tender
from mercat.pricing import Totals
from mercat.promotions import CodeState, Reduced, Tried, Use
from mercat.returns import ReturnComment, ReturnReason

FLASH_PASS_MAX = 2_000
QuoteId = Annotated[str, Meta(max_length=60_000)]
CheckoutKey = Annotated[str, Meta(min_length=1, max_length=255)]
GIFT_MESSAGE_MAX = 500
GiftName = Annotated[str, Meta(max_length=80, pattern=LINE)]
GiftMessage = Annotated[str, Meta(max_length=GIFT_MESSAGE_MAX, pattern=SEEN_PROSE)]
MethodCode = Annotated[str, Meta(min_length=1, max_length=40)]


class GiftTo(Struct, frozen=True, omit_defaults=True):
    """To whom gift cards go that are bought, and what is said with them."""

    email: Email
    name: GiftName | None = None
    message: GiftMessage | None = None


class Buy(Struct, frozen=True):
    """What a shopper sends to buy their cart."""

    shipping_address_id: AddressId
    payment_method_id: PaymentMethodId | None
    """None where gift cards and store credit pay all of it."""
    shipping_method: MethodCode
    quote_id: QuoteId | None = None
    email: Email | None = None
    flash_pass: Annotated[str, Meta(max_length=FLASH_PASS_MAX)] | None = None
    """For what is sold in a flash sale."""
    expected_total: int | None = None
    """Minor units; where it differs from the total of now, it is price_changed and nothing is bought."""
    use_store_credit: bool = False
    """What gift cards in the cart leave is paid from it before the card."""
    expected_by_card: int | None = None
    """Minor units; where the card would pay more, it is gift_card_spent and nothing is bought."""
    gift_to: GiftTo | None = None
    """Who gets the gift cards of the cart; who buys does, where nobody is named."""


class NewCard(Struct, frozen=True):
    """A card that is not kept yet, by its provider's token; `single_use`: for this purchase alone."""

    token: CardToken
    single_use: bool = False


class BuyWith(Struct, frozen=True, kw_only=True):
    """A purchase whose address or card may be new: either has an id, or is here."""

    shipping_address_id: AddressId | None = None
    new_address: NewAddress | None = None
    payment_method_id: PaymentMethodId | None = None
    new_card: NewCard | None = None
    shipping_method: MethodCode
    quote_id: QuoteId | None = None
    email: Email | None = None
    flash_pass: Annotated[str, Meta(max_length=FLASH_PASS_MAX)] | None = None
    expected_total: int | None = None
    use_store_credit: bool = False
    expected_by_card: int | None = None
    gift_to: GiftTo | None = None


class Confirmed(Struct, frozen=True, tag="confirmed"):
    """A purchase that is paid, and its order placed."""

    order_id: OrderId
    total: int
    currency: str
    estimated_delivery: date


class Refused(Struct, frozen=True, tag="refused"):
    """A purchase that moved nothing: the code, the words and the facts of the refusal that ended it."""

    code: str
    detail: str
    facts: dict[str, Any] = {}

    @classmethod
    def by(cls, refusal: Refusal) -> "Refused":
        """Make the value of a refusal that was raised."""
        return cls(refusal.code(), str(refusal), refusal.facts)


class Pending(Struct, frozen=True, tag="pending"):
    """A purchase that is not decided yet; `next_action` where its shopper has to do something first."""

    order_id: OrderId | None = None
    next_action: NextAction | None = None


CheckoutOutcome = Confirmed | Refused | Pending
Present = Callable[[CheckoutOutcome], tuple[int, bytes]]
"""Makes the status and the bytes that programs are answered; the web layer hands it in."""


class CheckoutAnswer(Struct, frozen=True):
    """What a purchase came to: the value, and `status` and `body` as they were presented. A final answer is
    presented once, stored with its commit, and the same byte for byte whenever it is asked for again."""

    outcome: CheckoutOutcome
    status: int
    body: bytes
    replayed: bool = False


class CheckoutHealth(Struct, frozen=True):
    """How buying did in the last seconds: answers, of these failed by our fault, the 99th percentile of their
    time, and purchases that run for longer than they should."""

    answers: int
    failed: int
    p99_s: float
    overdue: int


class Destination(Struct, frozen=True):
    """Where something goes, as far as that is known; `country` is ISO 3166-1 alpha-2."""

    country: str
    region: str = ""
    postal_code: str = ""
    vat_number: str = ""
    """Of the business that buys, where it has one."""


class Quote(Struct, frozen=True):
    """What a cart costs at an address, honoured until it expires."""

    quote_id: str
    totals: Totals
    currency: str
    expires_at: datetime
    codes: list[CodeState] = []


class Limited(Struct, frozen=True):
    """A line of which one customer may buy so many in all."""

    offer_id: OfferId
    quantity: int
    most: int
    line: int
    """Its place in the cart."""
    title: str


class PayingValue(Struct, frozen=True):
    """A gift card or store credit, and what of a total it pays."""

    value: Spendable
    amount: int


class PendingOrder(Struct, frozen=True, omit_defaults=True):
    """A purchase as it was begun: all that the later steps need, so that none looks anything up again."""

    order: NewOrder
    token: str
    sellers: list[SellerPart]
    kept_card: PaymentMethodId | None = None
    """The card that is listed among the shopper's once it has paid."""
    limited: list[Limited] = []
    tenders: list[Tender] = []
    """What gift cards and store credit pay; the rest is by card."""
    uses: list[Use] = []
    """Promotions whose uses are counted before money moves."""
    tried: list[Tried] = []
    """What was looked at for a lower price, and what came of it."""


class Held(Struct, frozen=True, omit_defaults=True):
    """What a quote keeps beside its totals: the codes it was made with, what promotions did, where it goes,
    for an address may be changed under its id, and of which offers a unit comes along for nothing."""

    codes: list[str] = []
    uses: list[Use] = []
    tried: list[Tried] = []
    place: Destination | None = None
    gifts: list[OfferId] = []


class GiftInCart(Struct, frozen=True):
    """What comes along with a cart for nothing, and what it would cost."""

    promotion_id: PromotionId
    offer_id: OfferId
    product_id: ProductId
    title: str
    price: int
    image_url: str
    seller_name: str


class InCart(Struct, frozen=True):
    """What promotions do for a cart."""

    reduced: Reduced
    gifts: list[GiftInCart] = []


class Explained(Struct, frozen=True):
    """A promotion that was looked at for an order, and what came of it."""

    promotion_id: PromotionId
    name: str
    code: str
    amount: int
    why: str | None


class PreviewBasket(Struct, frozen=True):
    """Goods that nobody buys yet, and where they might go."""

    lines: list[Line]
    place: Destination | None = None
    codes: list[str] = []


class Previewed(Struct, frozen=True):
    """What goods would cost before delivery and tax, and what promotions would take off."""

    subtotal: int
    reduced: Reduced
    tried: list[Explained]


class WaitingPurchase(Struct, frozen=True):
    """A purchase that waits until its shopper acts, by its key, and the goods that are held for it."""

    key: str
    goods: list[Line]


class ChallengedPurchase(Struct, frozen=True):
    """A purchase that a bank asks its shopper about: what is paid by which token, and what it came to."""

    total: int
    currency: str
    card: str
    outcome: Confirmed | Refused | None = None


class Ship(Struct, frozen=True):
    """A parcel that a seller hands over."""

    order_id: OrderId
    lines: Annotated[list[LineQuantity], Meta(min_length=1, max_length=500)]
    carrier: Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN_LINE)]
    tracking_number: Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN_LINE)]


class Track(Struct, frozen=True):
    """What a carrier saw of a parcel."""

    status: ParcelStatus
    location: Annotated[str, Meta(max_length=200, pattern=LINE)] | None = None
    at: datetime | None = None


OrderLines = Annotated[list[LineQuantity], Meta(min_length=1, max_length=500)]
Why = Annotated[str, Meta(max_length=1_000, pattern=PROSE)]
Reason = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=SEEN_PROSE, extra={"words": "Say why."})]
Party = Literal["shopper", "seller", "operator"]
Staff = Literal["seller", "operator"]
Once = Annotated[str, Meta(max_length=300)]


class CancelAsk(Struct, frozen=True):
    """Units that are not to be sent; none named: all that is left. `once`: the key of who may ask again."""

    lines: OrderLines | None = None
    reason: Why = ""
    once: Once = ""


class RefundAsk(Struct, frozen=True, kw_only=True):
    """Money that goes back without goods: for units, or an amount. `once`: the key of who may ask again."""

    lines: OrderLines | None = None
    amount: Annotated[int, Meta(gt=0, le=MINOR_MAX)] | None = None
    reason: Reason
    once: Once
    to_store_credit: bool = False


class AskReturn(Struct, frozen=True):
    """Goods of one seller that somebody wants to send back, and why."""

    lines: OrderLines
    reason: ReturnReason
    comment: ReturnComment = ""


class Returnable(Struct, frozen=True):
    """A line of an order, how many of it may be sent back now and until when; where none may, why."""

    line: OrderLineView
    quantity: int
    until: datetime | None = None
    why: str = ""


class Parked(Struct, frozen=True):
    """Something that recovery has given up until an operator says otherwise. `reference`: `buy/…` is a
    purchase, the others are cancellations, returns and parcels."""

    reference: str
    order_id: OrderId
    reason: str
    tries: int
    direction: str
    since: datetime
    kind: str = ""
    key: int = 0
    """What it is sorted by; with the reference, what asks for the next page."""

    @property
    def cursor(self) -> str:
        return f"{self.key}~{self.reference}"


ParkedKind = Literal["buy", "cancel", "refund", "return", "ship"]
ParkedSort = Literal["since", "-since", "-tries", "tries"]
PARKED_MAX = 500


class AdmissionGate(Protocol):
    """Who lets orders in, where not everybody may buy everything."""

    async def admit(self, order: NewOrder, card: str, flash_pass: str | None, /) -> str | None:
        """Answer the name of the pass under which this is bought, once; None where none is needed. Raise
        NotAdmitted."""
        ...

    async def watched(self) -> Collection[OfferId]:
        """Answer the offers that `admit` has to be asked for."""
        ...

    async def give_back(self, name: str, checkout_id: CheckoutId, /) -> None:
        """Give back the pass of a checkout that did not begin after all."""
        ...


class NotAdmitted(Forbidden):
    """This cannot be bought by everybody at the moment."""


class QuantityRefused(Invalid):
    """This is not sold in that quantity."""


class CustomerLimit(Conflict):
    """You have bought as many of this as one customer may."""


class CartEmpty(Invalid):
    """There is nothing in the cart to buy."""


class CheckoutInProgress(Conflict):
    """This purchase is being carried out. Ask again in a moment with the same key."""

    retry_after = 1


class PriceChanged(Conflict):
    """The total is not what you expected. Nothing was bought: accept the new one, or go back to the cart."""


class NoAccount(Conflict):
    """Who ordered this has no account, so no store credit. Refund it to where the payment came from."""


class NeverBegins(Conflict):
    """This purchase waited too long to begin, so it never will. Nothing was charged: buy again."""
