"""What the catalogue is asked and what it answers. Prices are integers of minor units."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from mercat.ids import CategoryId, OfferId, ProductId, SellerId, SkuId

Status = Literal["active", "paused", "draft"]
OfferSort = Literal["newest", "cheapest", "dearest"]
Attribute = str | float | bool
Attributes = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=100)],
        Annotated[str, Meta(max_length=2_000)] | float | bool,
    ],
    Meta(max_length=100),
]
"""As a seller may give them."""


class Category(Struct, frozen=True):
    category_id: CategoryId
    slug: str
    name: str
    parent_id: CategoryId | None = None


class NewProduct(Struct, frozen=True, kw_only=True):
    """A product with one variant, and a seller's offer for it."""

    title: Annotated[str, Meta(min_length=1, max_length=500)]
    description: Annotated[str, Meta(max_length=20_000)] = ""
    category: Annotated[str, Meta(max_length=200)] = ""
    """A slug that there is, or a name for a new one."""
    brand: Annotated[str, Meta(max_length=200)] | None = None
    price: Annotated[int, Meta(ge=0)] = 0
    currency: str = "USD"
    status: Status = "active"
    attributes: dict[str, Attribute] = {}
    images: list[str] = []
    tags: list[str] = []
    external_id: Annotated[str, Meta(max_length=200)] | None = None


class ProductChange(Struct, frozen=True, kw_only=True):
    """What a seller wants otherwise of their product; what is not said stays as it is."""

    title: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")] | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=20_000)] | UnsetType = UNSET
    category: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    brand: Annotated[str, Meta(max_length=200)] | UnsetType | None = UNSET
    attributes: Attributes | UnsetType = UNSET
    images: (
        Annotated[
            list[Annotated[str, Meta(max_length=2_000, pattern=r"^(https?://|/)")]],
            Meta(min_length=1, max_length=20),
        ]
        | UnsetType
    ) = UNSET


class Listed(Struct, frozen=True):
    product_id: ProductId
    sku_id: SkuId
    offer_id: OfferId


class Listing(Struct, frozen=True, kw_only=True):
    """A product as its seller may change it, as it stands now. `category` is a slug; another listing has
    another `mark`."""

    mark: str
    title: str
    description: str
    category: str
    brand: str | None
    attributes: dict[str, Attribute]
    images: list[str]


class Offer(Struct, frozen=True):
    """A seller's price for a variant, as it is now. `title` names the variant too."""

    offer_id: OfferId
    product_id: ProductId
    sku_id: SkuId
    seller_id: SellerId
    seller_name: str
    title: str
    price: int
    currency: str
    status: str
    in_stock: bool
    image_url: str


class Image(Struct, frozen=True):
    url: str
    alt: str = ""


class Place(Struct, frozen=True):
    """A step on the way from the root of the tree to a category."""

    slug: str
    name: str


class ProductOffer(Struct, frozen=True):
    offer_id: OfferId
    sku_id: SkuId
    price: int
    currency: str
    in_stock: bool
    seller_id: SellerId
    seller_name: str


class Variant(Struct, frozen=True):
    sku_id: SkuId
    options: dict[str, str] = {}
    offers: list[ProductOffer] = []


class Product(Struct, frozen=True, kw_only=True):
    """Everything a product's page needs but its reviews. Without a featured offer it cannot be bought."""

    product_id: ProductId
    offer_id: OfferId | None
    title: str
    description: str
    price: int | None
    currency: str
    rating: float
    review_count: int
    histogram: list[int]
    image_url: str
    images: list[Image]
    in_stock: bool
    seller_id: SellerId | None
    seller_name: str
    category: str
    category_path: list[Place]
    brand: str | None
    external_id: str | None
    attributes: dict[str, Attribute]
    options: dict[str, list[str]]
    tags: list[str]
    variants: list[Variant]
    offers: list[ProductOffer]
    """Of all variants; those in stock first, then the cheapest."""
    created_at: datetime
    version: int


class ImportVariant(Struct, frozen=True):
    """One variant of a product that comes from elsewhere. `sku` names it among its product's."""

    price: int = 0
    quantity: int | None = None
    options: dict[str, str] = {}
    sku: str = ""


class ImportRow(Struct, frozen=True, kw_only=True):
    """A product from elsewhere, as every source is read into it."""

    external_id: str
    title: str
    description: str = ""
    brand: str | None = None
    category_path: list[str] = []
    currency: str = "USD"
    attributes: dict[str, Attribute] = {}
    tags: list[str] = []
    options: dict[str, list[str]] = {}
    variants: list[ImportVariant] = field(default_factory=lambda: [ImportVariant()])
    images: list[str] = []
    rating: float = 0
    review_count: int = 0
    histogram: list[int] = field(default_factory=lambda: [0, 0, 0, 0, 0])
    popularity: int = 0
    released: datetime | None = None
