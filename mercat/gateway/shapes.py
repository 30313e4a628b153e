"""What the public API takes and shows, in the names that clients rely on. Amounts here are decimals."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from mercat import money
from mercat.accounts import Address, PaymentMethod
from mercat.catalog import Attributes
from mercat.checkout import Email
from mercat.flashsale import Sale
from mercat.ids import (
    AddressId,
    CartId,
    CategoryId,
    LineId,
    OfferId,
    OrderId,
    PaymentId,
    PaymentMethodId,
    ProductId,
    RefundId,
    ReviewId,
    SellerId,
    ShipmentId,
    SkuId,
    UserId,
)
from mercat.kit.refusals import Invalid
from mercat.kit.rpc import Filters
from mercat.quantity import QUANTITY_MAX, Quantity
from mercat.search import Card, Facets, Relaxed, Wanted

LIMIT_MAX = 100
PAGE_MAX = 1_000
Limit = Annotated[int, Meta(ge=1, le=LIMIT_MAX)]
Page = Annotated[int, Meta(ge=1, le=PAGE_MAX, description="Beyond the last page there is the cursor.")]
Cursor = Annotated[str, Meta(max_length=500)]
Sort = Literal["relevance", "price_asc", "price_desc", "rating", "newest"]
Amount = float
FewLimit = Annotated[int, Meta(ge=1, le=20)]
Words = Annotated[str, Meta(max_length=1_000)]
Price = Annotated[Raw, Meta(extra_json_schema={"type": "number", "minimum": 0})]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
_NUMBER = re.compile(rb"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?")


def given(number: Raw) -> bool:
    return bytes(number) != b"null"


def minor(given: Raw | Decimal, currency: str, pointer: str) -> int:
    """The amount a client sent, in minor units; Invalid for what is no amount of this currency."""
    try:
        if isinstance(given, Raw):
            digits = bytes(given)
            if not _NUMBER.fullmatch(digits):
                raise ValueError("a number is needed")
            given = Decimal(digits.decode())
        amount = money.minor(given, currency)
        if amount < 0:
            raise ValueError("it is less than nothing")
    except ValueError as error:
        raise Invalid(f"This is no price: {error}.", pointer=pointer) from None
    return amount


# -- browsing


class Paging(Filters):
    page: Page = 1
    limit: Limit = 20
    cursor: Cursor | None = None


class ProductsAsk(Paging):
    category: str | None = None
    sort: Sort = "relevance"


class SearchAsk(Paging):
    q: Words = ""
    price_min: Decimal | None = field(default=None, name="filters[price_min]")
    price_max: Decimal | None = field(default=None, name="filters[price_max]")
    brand: list[str] = field(default_factory=list[str], name="filters[brand]")
    category: list[str] = field(default_factory=list[str], name="filters[category]")
    rating_min: Annotated[float, Meta(ge=0, le=5)] | None = field(default=None, name="filters[rating_min]")
    in_stock: bool | None = field(default=None, name="filters[in_stock]")
    attributes: Wanted = field(default_factory=dict[str, list[str]], name="filters[attr.NAME]")
    sort: Sort = "relevance"


class CategoryShown(Struct, frozen=True):
    category_id: CategoryId
    slug: str
    name: str
    parent_id: CategoryId | None
    product_count: int


class CategoriesShown(Struct, frozen=True):
    categories: list[CategoryShown]


class ProductsShown(Struct, frozen=True):
    products: list[Card]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None


class ResultsShown(Struct, frozen=True):
    results: list[Card]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None
    facets: Facets
    relaxed: Relaxed | None
    """What was looked for instead, where nothing has all the words."""
    relaxed_query: str | None
    """The same as a question."""
    did_you_mean: str | None
    """The question with its spelling mended, where that is likely."""
    all_words: int | None
    """Where few products have all the words: how many; the others in the results have most of them."""


class SellerShown(Struct, frozen=True):
    seller_id: SellerId
    name: str


class ImageShown(Struct, frozen=True):
    url: str
    alt: str


class OfferShown(Struct, frozen=True):
    offer_id: OfferId
    sku_id: SkuId
    price: Amount
    currency: str
    in_stock: bool
    seller: SellerShown


class VariantShown(Struct, frozen=True):
    sku_id: SkuId
    options: dict[str, str]
    offers: list[OfferShown]


class PlaceShown(Struct, frozen=True):
    slug: str
    name: str


class ReviewShown(Struct, frozen=True):
    review_id: ReviewId
    author: str
    stars: int
    title: str
    body: str
    verified: bool
    helpful: int
    written_at: datetime


class ReviewsShown(Struct, frozen=True):
    reviews: list[ReviewShown]
    total: int
    next_cursor: ReviewId | None


class VotesShown(Struct, frozen=True):
    review_id: ReviewId
    helpful: int


class ProductShown(Struct, frozen=True, kw_only=True):
    product_id: ProductId
    offer_id: OfferId | None
    title: str
    price: Amount | None
    currency: str
    rating: float
    review_count: int
    image_url: str
    in_stock: bool
    seller: SellerShown | None
    category: str
    brand: str | None
    external_id: str | UnsetType = UNSET
    description: str
    images: list[ImageShown]
    attributes: dict[str, str | float | bool]
    options: dict[str, list[str]]
    variants: list[VariantShown]
    offers: list[OfferShown]
    category_path: list[PlaceShown]
    tags: list[str]
    histogram: list[int]
    reviews: list[ReviewShown]
    created_at: datetime


class SuggestionsShown(Struct, frozen=True):
    words: list[str]
    products: list[Card]
    categories: list[PlaceShown]
    brands: list[str]
    queries: list[str] = []
    """What others have searched for with success."""


class ShelfShown(Struct, frozen=True):
    products: list[Card]


# -- buying


class AddItem(Struct, frozen=True):
    quantity: Quantity
    product_id: ProductId | None = None
    offer_id: OfferId | None = None


class ChangeItem(Struct, frozen=True):
    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MAX, description="0 takes the line out.")]


class CartLineShown(Struct, frozen=True, kw_only=True):
    product_id: ProductId
    offer_id: OfferId
    title: str
    quantity: int
    price: Amount
    price_at_add: Amount
    line_total: Amount
    image_url: str


class CartProblem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    code: str
    offer_id: OfferId
    detail: str
    available: int | None = None
    price: Amount | None = None


class CartShown(Struct, frozen=True, kw_only=True):
    cart_id: CartId
    items: list[CartLineShown]
    subtotal: Amount
    currency: str
    item_count: int
    problems: list[CartProblem]


class MethodShown(Struct, frozen=True, kw_only=True):
    code: str
    name: str
    price: Amount
    currency: str
    estimated_delivery: date


class MethodsShown(Struct, frozen=True):
    methods: list[MethodShown]


class QuoteAsk(Struct, frozen=True):
    shipping_address_id: AddressId
    shipping_method: Annotated[str, Meta(min_length=1, max_length=40)]


class QuoteShown(Struct, frozen=True, kw_only=True):
    quote_id: str
    subtotal: Amount
    discount: Amount
    shipping: Amount
    tax: Amount
    total: Amount
    currency: str
    expires_at: datetime


class CheckoutAsk(Struct, frozen=True):
    shipping_address_id: AddressId
    payment_method_id: PaymentMethodId
    shipping_method: Annotated[str, Meta(min_length=1, max_length=40)]
    quote_id: Annotated[str, Meta(max_length=60_000)] | None = None
    email: Email | None = None
    expected_total: Price = field(default_factory=lambda: Raw(b"null"))


class NextActionShown(Struct, frozen=True):
    type: str
    url: str


class CheckoutShown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    order_id: OrderId
    status: Literal["confirmed", "pending"]
    total: Amount | None = None
    currency: str | None = None
    estimated_delivery: date | None = None
    next_action: NextActionShown | None = None


class OrderSummaryShown(Struct, frozen=True, kw_only=True):
    order_id: OrderId
    status: str
    total: Amount
    currency: str
    created_at: datetime
    item_count: int
    title: str
    image_url: str


class OrdersShown(Struct, frozen=True):
    orders: list[OrderSummaryShown]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None


class OrderLineShown(Struct, frozen=True, kw_only=True):
    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    seller_id: SellerId
    title: str
    image_url: str
    quantity: int
    shipped: int
    returned: int
    unit_price: Amount
    total: Amount


class RefundShown(Struct, frozen=True):
    refund_id: RefundId
    amount: Amount
    status: str


class NoticeTaken(Struct, frozen=True):
    """A provider's notice was signed; `duplicate`: it was seen to before."""

    received: bool = True
    duplicate: bool = False


class PaymentShown(Struct, frozen=True, kw_only=True):
    payment_id: PaymentId
    status: str
    amount: Amount
    currency: str
    refunds: list[RefundShown]


class ParcelEventShown(Struct, frozen=True):
    status: str
    location: str
    at: datetime


class ParcelLineShown(Struct, frozen=True):
    order_line_id: LineId
    quantity: int


class ShipmentShown(Struct, frozen=True, kw_only=True):
    shipment_id: ShipmentId
    seller_id: SellerId
    status: str
    carrier: str
    tracking_number: str
    lines: list[ParcelLineShown]
    events: list[ParcelEventShown]


class HappeningShown(Struct, frozen=True):
    status: str
    by: str
    at: datetime


class OrderShown(Struct, frozen=True, kw_only=True):
    order_id: OrderId
    status: str
    subtotal: Amount
    discount: Amount
    shipping: Amount
    tax: Amount
    total: Amount
    currency: str
    shipping_method: str
    estimated_delivery: date | None
    shipping_address: dict[str, str]
    created_at: datetime
    lines: list[OrderLineShown]
    payments: list[PaymentShown]
    shipments: list[ShipmentShown]
    history: list[HappeningShown]


# -- people


class NewAccount(Struct, frozen=True):
    email: Email
    password: Annotated[str, Meta(min_length=6, max_length=200)]
    name: Name


class AccountMade(Struct, frozen=True):
    user_id: UserId


class SignIn(Struct, frozen=True):
    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=200)]


class SessionShown(Struct, frozen=True):
    token: str
    user_id: UserId
    expires_at: datetime


class Me(Struct, frozen=True):
    user_id: UserId
    name: str
    email: str | None
    roles: list[str]
    seller_id: SellerId | None


class AddressesShown(Struct, frozen=True):
    addresses: list[Address]


class PaymentMethodsShown(Struct, frozen=True):
    payment_methods: list[PaymentMethod]


class AddressMade(Struct, frozen=True):
    address_id: AddressId


class PaymentMethodAsk(Struct, frozen=True):
    token: Annotated[str, Meta(min_length=1, max_length=100)]


class PaymentMethodMade(Struct, frozen=True):
    payment_method_id: PaymentMethodId


class WishShown(Struct, frozen=True):
    product_id: ProductId
    added_at: datetime
    product: Card | None
    """None: it is not for sale any more."""


class Wished(Struct, frozen=True):
    product_id: ProductId
    wished: bool


class WishlistShown(Struct, frozen=True):
    items: list[WishShown]


# -- selling


class NewSeller(Struct, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S")]


class SellerMade(Struct, frozen=True):
    seller_id: SellerId
    name: str


class ListingAsk(Struct, frozen=True, kw_only=True):
    title: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")]
    description: Annotated[str, Meta(max_length=20_000)]
    category: Annotated[str, Meta(min_length=1, max_length=200)]
    price: Price
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
    quantity: Annotated[int, Meta(ge=0, le=10_000_000)]
    brand: Annotated[str, Meta(max_length=200)] | None = None
    attributes: Attributes = {}
    images: Annotated[
        list[Annotated[str, Meta(max_length=2_000, pattern=r"^(https?://|/)")]], Meta(max_length=20)
    ] = []


class ListingMade(Struct, frozen=True):
    product_id: ProductId
    sku_id: SkuId
    offer_id: OfferId


class ProductChanged(Struct, frozen=True):
    product_id: ProductId


class OfferChange(Struct, frozen=True):
    price: Price = field(default_factory=lambda: Raw(b"null"))
    status: Literal["active", "paused", "draft"] | None = None


class SellerOfferShown(Struct, frozen=True, kw_only=True):
    offer_id: OfferId
    product_id: ProductId
    title: str
    price: Amount
    currency: str
    status: str
    quantity: int
    available: int


class SellerOffersShown(Struct, frozen=True):
    offers: list[SellerOfferShown]
    next_cursor: str | None


class StockShown(Struct, frozen=True, kw_only=True):
    offer_id: OfferId
    quantity: int
    reserved: int
    available: int


class SellerLineShown(Struct, frozen=True, kw_only=True):
    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    title: str
    quantity: int
    shipped: int
    unit_price: Amount
    total: Amount


class SellerOrderShown(Struct, frozen=True, kw_only=True):
    order_id: OrderId
    status: str
    created_at: datetime
    currency: str
    lines: list[SellerLineShown]
    shipping_address: dict[str, str]
    estimated_delivery: str
    shipments: list[ShipmentShown]


class SellerOrdersShown(Struct, frozen=True):
    orders: list[SellerOrderShown]
    next_cursor: str | None


class FlashSalesShown(Struct, frozen=True):
    sales: list[Sale]


class ShipmentMade(Struct, frozen=True):
    shipment_id: ShipmentId
