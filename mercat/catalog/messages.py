"""What the catalogue is asked and what it answers, and the limits of all that sellers give.

Prices are integers of minor units. A limit stands here once: in the type of its field, for the API, the forms
and whoever validates, and as a constant for what cuts or counts.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType, field

from mercat.countries import CountryCode
from mercat.events import StockQuantity
from mercat.ids import CategoryId, ImportId, OfferId, ProductId, SellerId, SkuId
from mercat.kit.refusals import Conflict, Invalid
from mercat.kit.text import LINE, PROSE, SEEN_LINE, SEEN_PROSE, with_words
from mercat.money import MINOR_MAX
from mercat.quantity import QUANTITY_MAX, Quantity

TITLE_MAX = 500
DESCRIPTION_MAX = 20_000
BRAND_MAX = 200
CATEGORY_MAX = 200
CATEGORY_NAME_MAX = 80
CATEGORY_DEPTH_MAX = 8  # with the length of the names: short enough together for an index
ATTRIBUTES_MAX = 500
ATTRIBUTE_NAME_MAX = 100
ATTRIBUTE_TEXT_MAX = 2_000
IMAGES_MAX = 50
IMAGE_URL_MAX = 2_000
TAGS_MAX = 50
TAG_MAX = 200
EXTERNAL_ID_MAX = 200
VARIANTS_MAX = 2_000
OPTIONS_MAX = 5
SKU_MAX = 200
GTIN_MAX = 20  # as typed, with blanks; 14 digits at most
GRAMS_MAX = 1_000_000_000
OPTION_MAX = 255  # as long as Shopify's
COUNT_MAX = 2**31 - 1
LISTING_KEY_MAX = 300

Status = Literal["active", "paused", "draft"]
ListingStatus = Literal["active", "paused", "draft", "archived"]
"""Of a seller's product: the liveliest of their offers for it."""
Condition = Literal["new", "used", "refurbished"]
OfferReason = Literal[
    "only_offer",
    "best_price",
    "first_at_this_price",
    "only_new",
    "only_in_stock",
    "not_for_sale",
    "sold_out",
    "not_new",
    "price",
    "later_at_this_price",
]
"""Why an offer is featured, or is not."""
ImportStatus = Literal["active", "paused", "draft"]
OfferSort = Literal["newest", "cheapest", "dearest"]
Title = Annotated[str, Meta(min_length=1, max_length=TITLE_MAX, pattern=SEEN_LINE)]
Description = Annotated[str, Meta(max_length=DESCRIPTION_MAX, pattern=PROSE)]
Brand = Annotated[str, Meta(max_length=BRAND_MAX, pattern=LINE)]
TAX_CLASS_MAX = 30
TaxClass = Annotated[str, Meta(max_length=TAX_CLASS_MAX, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
"""A short code of tables of tax, such as `food`; goods without one are taxed at the standard rate."""
CategoryName = Annotated[str, Meta(max_length=CATEGORY_MAX)]
"""The slug of a category, its name, or its names from the root as in `Kitchen > Pots`."""
CategoryTitle = Annotated[str, Meta(min_length=1, max_length=CATEGORY_NAME_MAX, pattern=SEEN_LINE)]
_GivenName = Annotated[str, Meta(min_length=1, max_length=CATEGORY_NAME_MAX, pattern=r"\S")]
CategoryPath = Annotated[list[_GivenName], Meta(min_length=1, max_length=CATEGORY_DEPTH_MAX)]
"""As a file names it, from the root."""
CategoryMaking = Literal["create", "refuse", "ask"]
"""What becomes of categories that a file brings and the shop does not have: they are made; their rows are
refused; or these are refused and the names wait for an operator."""
_CURRENCY = with_words(r"^[A-Z]{3}$", "Give the three letters of a currency, such as USD (ISO 4217).")
CurrencyCode = Annotated[str, Meta(pattern=_CURRENCY)]
MinorPrice = Annotated[int, Meta(ge=0, le=MINOR_MAX)]
SoldAt = Annotated[int, Meta(gt=0, le=MINOR_MAX)]
Attribute = str | float | bool
WholeAttribute = str | int | float | bool
"""One whose whole numbers stay whole."""
AttributeName = Annotated[str, Meta(min_length=1, max_length=ATTRIBUTE_NAME_MAX, pattern=SEEN_LINE)]
AttributeText = Annotated[str, Meta(max_length=ATTRIBUTE_TEXT_MAX, pattern=PROSE)]
Attributes = Annotated[dict[AttributeName, AttributeText | float | bool], Meta(max_length=ATTRIBUTES_MAX)]
IMAGE_PATTERN = with_words(  # a browser takes `//` and `/\\` for the beginning of another shop's address
    r"^(https?://|/(?![/\\])[^\x00-\x20\\]*(?![\s\S]))",
    "Give the address of a picture: https://… or one of POST /media.",
)
ImageUrl = Annotated[str, Meta(max_length=IMAGE_URL_MAX, pattern=IMAGE_PATTERN)]
Images = Annotated[list[ImageUrl], Meta(max_length=IMAGES_MAX)]
Alts = dict[ImageUrl, Annotated[str, Meta(max_length=TITLE_MAX, pattern=PROSE)]]
"""By a picture's address what is said to who cannot see it; the product's title where it is not there."""
Tag = Annotated[str, Meta(min_length=1, max_length=TAG_MAX, pattern=PROSE)]
Tags = Annotated[list[Tag], Meta(max_length=TAGS_MAX)]
ExternalId = Annotated[str, Meta(max_length=EXTERNAL_ID_MAX)]
OptionText = Annotated[str, Meta(max_length=OPTION_MAX)]
OptionName = Annotated[str, Meta(min_length=1, max_length=OPTION_MAX, pattern=SEEN_LINE)]
OptionValues = Annotated[list[OptionName], Meta(max_length=VARIANTS_MAX)]
Options = Annotated[dict[OptionName, OptionValues], Meta(max_length=OPTIONS_MAX)]
VariantOptions = Annotated[dict[OptionName, OptionName], Meta(max_length=OPTIONS_MAX)]
SellerSku = Annotated[str, Meta(min_length=1, max_length=SKU_MAX, pattern=SEEN_LINE)]
Gtin = Annotated[str, Meta(min_length=1, max_length=GTIN_MAX, pattern=r"^[0-9 -]+$")]
"""An EAN, UPC or ISBN-13: 8, 12, 13 or 14 digits, the last a check digit."""
Grams = Annotated[int, Meta(ge=0, le=GRAMS_MAX)]
ListingKey = Annotated[str, Meta(min_length=1, max_length=LISTING_KEY_MAX)]
"""A key of the caller: the same again lists nothing new."""


class Category(Struct, frozen=True):
    category_id: CategoryId
    slug: str
    name: str
    parent_id: CategoryId | None = None


class SalePrice(Struct, frozen=True, kw_only=True):
    """What an offer costs for a while: from a time on, until another; without one since ever, or for good."""

    price: SoldAt
    begins_at: datetime | None = None
    ends_at: datetime | None = None


class QuantityRules(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """In which quantities an offer is bought: from `min` to `max`, and `per_customer` by one person in all.

    Steps of `step` are counted from `min`, or from `step` where there is none."""

    min: Quantity | None = None
    max: Quantity | None = None
    step: Quantity | None = None
    per_customer: Quantity | None = None

    @property
    def first(self) -> int:
        """The least quantity."""
        return self.min or self.step or 1

    @property
    def most(self) -> int:
        """The greatest quantity."""
        return min(self.max or QUANTITY_MAX, self.per_customer or QUANTITY_MAX)


class PriceNow(NamedTuple):
    """What is paid at a time, what it cost before where that was more, and when that changes next."""

    price: int
    was_price: int | None
    flips_at: datetime | None


class NewOffer(Struct, frozen=True, kw_only=True):
    """A seller's offer for what another lists: of a product, or of what has this barcode. `sku_id` says of
    which variant, where there are several."""

    product_id: ProductId | None = None
    gtin: Gtin | None = None
    sku_id: SkuId | None = None
    price: MinorPrice
    quantity: StockQuantity
    condition: Condition = "new"
    sku: SellerSku | None = None
    compare_at_price: MinorPrice | None = None
    sale: SalePrice | None = None
    quantity_rules: QuantityRules | None = None


class OfferStanding(Struct, frozen=True):
    """Whether an offer is the one that its variant shows, why, and below which price it would be."""

    featured: bool
    reasons: list[OfferReason]
    currency: str
    price_to_win: int | None = None


class InFlashSale(Conflict):
    """This is in a flash sale, which has its price. Change its sale when that is over."""


class OfferExists(Conflict):
    """You offer this already. Change that offer instead."""


class CategoryChange(Struct, frozen=True, kw_only=True):
    """What an operator wants otherwise of a category; what is not given stays. Merged into another it is
    gone: its products and what is below it are the other's."""

    name: CategoryTitle | UnsetType = UNSET
    parent_id: CategoryId | UnsetType | None = UNSET
    merge_into: CategoryId | UnsetType = UNSET


class AskedCategory(Struct, frozen=True):
    """A category that sellers' files bring and the shop does not have, by its names from the root."""

    names: list[str]
    seller_id: SellerId
    times: int
    last_at: datetime


class CategoryDecision(Struct, frozen=True):
    """What an operator says of a category that was asked for: it is that one, is made, or is refused."""

    names: CategoryPath
    verdict: Literal["map", "create", "refuse"]
    category_id: CategoryId | None = None


class CategoryUnknown(Invalid):
    """There is no such category. Choose one of the shop's."""


class CategoryExists(Conflict):
    """There is a category of this name at this place already. Merge the two, or choose another name."""


class CategoryNotEmpty(Conflict):
    """There are products or categories in it. Merge it into another category instead."""


class Image(Struct, frozen=True):
    """A picture by its address. `source`: where it was before it was fetched into the shop."""

    url: str
    alt: str = ""
    source: str = ""


class ProductTexts(Struct, frozen=True, kw_only=True):
    """What a product says of itself. `description` are plain words; where it was given with HTML,
    `description_html` is what of that is safe to show."""

    title: str
    description: str
    description_html: str | None = None
    brand: str | None
    tax_class: str | None = None


class GivenTexts(Struct, frozen=True, kw_only=True):
    """What sellers and files may give of ProductTexts, with its limits. Title and description may be HTML."""

    title: Title
    description: Description
    brand: Brand | None = None
    tax_class: TaxClass | None = None


TEXTS = ProductTexts.__struct_fields__


def texts_of(product: ProductTexts | GivenTexts) -> dict[str, Any]:
    """Map the names of a product's texts to their values, as they were given or as they are kept."""
    names = GivenTexts.__struct_fields__ if isinstance(product, GivenTexts) else TEXTS
    return {name: getattr(product, name) for name in names}


class GivenVariant(Struct, frozen=True, kw_only=True):
    """A variant as its seller gives it. What is not given of one that is there already stays as it is; that
    one is named by `sku_id`, else by its `sku`, else by its `options`."""

    sku_id: SkuId | None = None
    options: VariantOptions | UnsetType = UNSET
    sku: SellerSku | UnsetType | None = UNSET
    gtin: Gtin | UnsetType | None = UNSET
    price: MinorPrice | UnsetType = UNSET
    compare_at_price: MinorPrice | UnsetType | None = UNSET
    sale: SalePrice | UnsetType | None = UNSET
    quantity_rules: QuantityRules | UnsetType | None = UNSET
    quantity: StockQuantity | UnsetType = UNSET
    weight_g: Grams | UnsetType | None = UNSET
    images: Images | UnsetType = UNSET


GivenVariants = Annotated[list[GivenVariant], Meta(min_length=1, max_length=VARIANTS_MAX)]


class NewProduct(GivenTexts, frozen=True, kw_only=True):
    """A product, and a seller's offers for its variants; with none it is itself the one there is."""

    description: Description = ""
    category: CategoryName = ""
    price: MinorPrice = 0
    currency: CurrencyCode = "USD"
    status: Status = "active"
    attributes: Attributes = {}
    images: Images = []
    alts: Alts = {}
    tags: Tags = []
    external_id: ExternalId | None = None
    sku: SellerSku | None = None
    gtin: Gtin | None = None
    compare_at_price: MinorPrice | None = None
    sale: SalePrice | None = None
    quantity_rules: QuantityRules | None = None
    weight_g: Grams | None = None
    options: Options = {}
    variants: Annotated[list[GivenVariant], Meta(max_length=VARIANTS_MAX)] = []


class ChangedTexts(Struct, frozen=True, kw_only=True):
    """What of GivenTexts shall be otherwise; what is not given stays as it is."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    brand: Brand | UnsetType | None = UNSET
    tax_class: TaxClass | UnsetType | None = UNSET


class ProductChange(ChangedTexts, frozen=True, kw_only=True):
    """What a seller wants otherwise of their product; what is not given stays as it is. `variants` are all
    that there are from now on; `status` is that of all the seller's offers for it."""

    category: Annotated[CategoryName, Meta(min_length=1)] | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET
    images: Images | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    options: Options | UnsetType = UNSET
    variants: GivenVariants | UnsetType = UNSET
    alts: Alts = {}
    at: str = "/variants"
    """Where in the request the variants stand; empty where the product itself is the one there is."""


class Listed(Struct, frozen=True):
    """A product that was listed, by its ids; those of its first variant, and of all in their order."""

    product_id: ProductId
    sku_id: SkuId
    offer_id: OfferId
    skus: list[SkuId] = []
    offers: list[OfferId] = []


class Changed(Struct, frozen=True):
    """What a change of a product brought: new offers with their units, by the delivery that brings them, and
    the offers of all variants that were given, in their order."""

    reference: str = ""
    stock: dict[OfferId, int] = {}
    offers: list[OfferId] = []


class ListedVariant(Struct, frozen=True, kw_only=True):
    """A variant as its seller may change it, with their offer for it."""

    sku_id: SkuId
    offer_id: OfferId
    options: dict[str, str]
    sku: str | None
    gtin: str | None
    price: int
    compare_at_price: int | None
    sale: SalePrice | None = None
    quantity_rules: QuantityRules | None = None
    currency: str
    status: ListingStatus
    weight_g: int | None
    images: list[Image]


class Listing(ProductTexts, frozen=True, kw_only=True):
    """A product as its seller may change it, as it stands now. `category` is a slug; another listing has
    another `mark`."""

    mark: str
    status: ListingStatus
    category: str
    attributes: dict[str, Attribute]
    images: list[Image]
    options: dict[str, list[str]]
    variants: list[ListedVariant]
    external_id: str | None
    created_at: datetime
    hidden_because: str = ""


class ListedProduct(Struct, frozen=True, kw_only=True):
    """A line of a seller's list of products; `price` is that of their cheapest offer."""

    product_id: ProductId
    title: str
    category: str
    brand: str | None
    status: ListingStatus
    price: int
    currency: str
    image_url: str
    offers: list[OfferId]
    created_at: datetime
    hidden_because: str = ""


AnyProductStatus = Literal["active", "paused", "draft", "archived", "hidden"]
"""Of a product: that of the liveliest offer, unless operators have hidden it."""
TitleWords = Annotated[str, Meta(max_length=200)]
HIDING_REASON_MAX = 500
HidingReason = Annotated[str, Meta(max_length=HIDING_REASON_MAX, pattern=PROSE)]
HidingWhy = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=HIDING_REASON_MAX,
        pattern=SEEN_PROSE,
        extra={"words": "Say why: its seller reads it."},
    ),
]


class AnyProduct(Struct, frozen=True, kw_only=True):
    """A product as operators see it; `price` is that of the cheapest offer."""

    product_id: ProductId
    title: str
    brand: str | None
    external_id: str | None
    category: str
    seller_id: SellerId
    seller_name: str
    status: AnyProductStatus
    price: int | None
    currency: str | None
    image_url: str
    created_at: datetime
    hidden_at: datetime | None
    hidden_because: str


class Moderation(Struct, frozen=True, kw_only=True):
    """What operators change of a product; what is not said stays. Its seller reads the reason."""

    hidden: bool | UnsetType = UNSET
    reason: HidingReason = ""
    category: CategoryName | UnsetType = UNSET


class OfferTerms(Struct, frozen=True, kw_only=True):
    """What a seller says of an offer beside its price and status; what is not given stays as it is."""

    compare_at_price: MinorPrice | UnsetType | None = UNSET
    sale: SalePrice | UnsetType | None = UNSET
    quantity_rules: QuantityRules | UnsetType | None = UNSET


PRICE_EDIT_MAX = 1_000
"""Offers whose prices are changed at once."""
HUNDREDTHS_LEAST, HUNDREDTHS_MOST = -9_999, 100_000
Hundredths = Annotated[int, Meta(ge=HUNDREDTHS_LEAST, le=HUNDREDTHS_MOST)]
"""Of a percent: from a reduction by 99.99 % to eleven times as much."""
RATE_UNIT = 1_000_000
RATE_MOST = RATE_UNIT * RATE_UNIT  # a million to one
MarketRate = Annotated[int, Meta(ge=1, le=RATE_MOST)]
"""Of a market's currency to one of the shop's, in millionths."""


class PriceMove(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An amount as it follows from another: more by hundredths of a percent or by minor units (with a minus
    less), or this one whatever it was. One of the three."""

    percent: Hundredths | None = None
    amount: Annotated[int, Meta(ge=-MINOR_MAX, le=MINOR_MAX)] | None = None
    to: SoldAt | None = None


class SaleEdit(Struct, frozen=True, kw_only=True):
    """A sale of many offers: what each costs meanwhile, from its new regular price."""

    price: PriceMove
    begins_at: datetime | None = None
    ends_at: datetime | None = None


class OffersMeant(Struct, frozen=True, kw_only=True):
    """Which of a seller's offers are meant: those named, or all with these words and this status."""

    offers: Annotated[list[OfferId], Meta(min_length=1, max_length=PRICE_EDIT_MAX)] | None = None
    words: TitleWords = ""
    status: Status | None = None


class PriceEdit(Struct, frozen=True, kw_only=True):
    """What is otherwise in the prices of many offers; what is not given stays, and None takes away.

    `ending`: what is reckoned here ends so: 99 makes 12.34 to 11.99, 0 makes whole units. `compare_at_price`
    is reckoned from the price as it was before."""

    meant: OffersMeant = OffersMeant()
    price: PriceMove | None = None
    ending: MinorPrice | None = None
    sale: SaleEdit | UnsetType | None = UNSET
    compare_at_price: PriceMove | UnsetType | None = UNSET


class OfferPrices(Struct, frozen=True, kw_only=True):
    """What an offer costs by its seller: always, compared with what, and for a while."""

    price: int
    compare_at_price: int | None = None
    sale: SalePrice | None = None


class EditedOffer(Struct, frozen=True, kw_only=True):
    """An offer's prices as they are, and as an edit makes them; none where it is refused, and why."""

    offer_id: OfferId
    product_id: ProductId
    title: str
    currency: str
    before: OfferPrices
    after: OfferPrices | None
    code: str = ""
    why: str = ""

    @property
    def is_other(self) -> bool:
        """Say whether something changes."""
        return self.after is not None and self.after != self.before


class PricePreview(Struct, frozen=True):
    """What an edit makes of prices. Another `mark` where anything of it is other by now."""

    offers: list[EditedOffer]
    mark: str

    @property
    def changed(self) -> int:
        return sum(each.is_other for each in self.offers)

    @property
    def refused(self) -> list[EditedOffer]:
        return [each for each in self.offers if each.after is None]


class PricesEdited(Struct, frozen=True, kw_only=True):
    """What became of offers whose prices were to be changed: how many are other now, and which were not
    changed because somebody else had meanwhile."""

    changed: int
    refused: list[EditedOffer] = []


class Offer(Struct, frozen=True):
    """A seller's price for a variant, as it is now: `price` is paid. `title` names the variant too."""

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
    hidden_because: str = ""
    """Why operators have taken the product off sale; its seller cannot put it back."""
    categories: list[str] = []
    """Slugs from the root of the tree to the product's own."""
    brand: str | None = None
    tags: list[str] = []
    weight_g: int | None = None
    tax_class: str | None = None
    regular_price: int = 0
    compare_at_price: int | None = None
    sale: SalePrice | None = None
    was_price: int | None = None
    """The regular price during a sale, else what it is compared with; none where that is not more."""
    flips_at: datetime | None = None
    """When a sale of it begins or ends next."""
    quantity_rules: QuantityRules | None = None
    flash: str | None = None
    """The flash sale whose price it has."""
    category_id: CategoryId = CategoryId(0)
    condition: Condition = "new"


class ProductName(Struct, frozen=True):
    """How a product is called and looks, whether it is for sale or not."""

    product_id: ProductId
    title: str
    image_url: str


class ShelvedProduct(Struct, frozen=True):
    """How a product is called, and the category that it stands in."""

    product_id: ProductId
    title: str
    category: str
    category_name: str


class VariantForSale(Struct, frozen=True):
    """A variant of which there are offers for sale."""

    product_id: ProductId
    sku_id: SkuId
    options: dict[str, str]
    gtin: str | None
    offer_ids: list[OfferId]


class Breadcrumb(Struct, frozen=True):
    """A category on the way from the root of the tree to a product's own."""

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
    condition: Condition = "new"
    compare_at_price: int | None = None
    regular_price: int = 0
    was_price: int | None = None
    sale: SalePrice | None = None
    lowest_price_30_days: int | None = None
    """Of the thirty days before the reduction that is shown began."""
    quantity_rules: QuantityRules | None = None


class Variant(Struct, frozen=True):
    """What can be chosen of a product; `sku` is its lister's own number for it."""

    sku_id: SkuId
    options: dict[str, str] = {}
    offers: list[ProductOffer] = []
    sku: str | None = None
    gtin: str | None = None
    images: list[Image] = []


class Product(ProductTexts, frozen=True, kw_only=True):
    """Everything a product's page needs but its reviews. Without a featured offer it cannot be bought."""

    product_id: ProductId
    offer_id: OfferId | None
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
    category_path: list[Breadcrumb]
    external_id: str | None
    attributes: dict[str, Attribute]
    options: dict[str, list[str]]
    tags: list[str]
    variants: list[Variant]
    offers: list[ProductOffer]
    """Of all variants; those in stock first, then the cheapest."""
    created_at: datetime
    version: int
    was_price: int | None = None
    lowest_price_30_days: int | None = None
    flips_at: datetime | None = None
    """When a sale of one of its offers begins or ends next."""
    seo_title: str = ""
    seo_description: str = ""


SEO_TITLE_MAX = 300
SEO_DESCRIPTION_MAX = 1_000
FORMER_PATH_MAX = 1_000
FORMER_PATHS_MAX = 20
SeoTitle = Annotated[str, Meta(max_length=SEO_TITLE_MAX)]
SeoDescription = Annotated[str, Meta(max_length=SEO_DESCRIPTION_MAX)]
FormerPath = Annotated[str, Meta(max_length=FORMER_PATH_MAX, pattern=r"^/")]
"""Where something stood in the shop that it was imported from: path, and query where that says which."""


class PictureElsewhere(Struct, frozen=True, kw_only=True):
    """A picture of an import that is to be fetched into the shop, and how often that was tried."""

    product_id: ProductId
    seller_id: SellerId
    url: str
    tries: int


class MappedProduct(Struct, frozen=True, kw_only=True):
    """A product as the map of the site has it."""

    product_id: ProductId
    title: str
    changed_at: datetime
    images: list[str]


class ImportVariant(Struct, frozen=True):
    """One variant of a product that comes from elsewhere. `sku` names it among its product's; without a
    `quantity` the import says how many there are."""

    price: MinorPrice = 0
    quantity: StockQuantity | None = None
    options: Annotated[dict[OptionText, OptionText], Meta(max_length=OPTIONS_MAX)] = {}
    sku: ExternalId = ""
    status: ImportStatus | None = None
    """Its own, where the variants of a product differ."""
    gtin: Gtin | None = None
    compare_at_price: MinorPrice | None = None
    weight_g: Grams | None = None
    images: Images = []
    sale: SalePrice | None = None


class ImportRow(GivenTexts, frozen=True, kw_only=True):
    """A product from elsewhere, as every format is read into it. Whole numbers among the attributes stay
    whole."""

    brand: Annotated[str, Meta(max_length=BRAND_MAX)] | None = None
    """Of a file it may look odd: a row is not refused for it."""
    external_id: ExternalId
    description: Description = ""
    category_path: Annotated[
        list[Annotated[str, Meta(max_length=CATEGORY_NAME_MAX)]], Meta(max_length=CATEGORY_DEPTH_MAX)
    ] = []
    currency: CurrencyCode = "USD"
    status: ImportStatus = "active"
    """What is a draft in its source is not on sale here, whatever its price."""
    attributes: Annotated[
        dict[AttributeName, AttributeText | int | float | bool], Meta(max_length=ATTRIBUTES_MAX)
    ] = {}
    tags: Tags = []
    options: dict[OptionText, Annotated[list[OptionText], Meta(max_length=VARIANTS_MAX)]] = {}
    variants: Annotated[list[ImportVariant], Meta(min_length=1, max_length=VARIANTS_MAX)] = field(
        default_factory=lambda: [ImportVariant()]
    )
    images: Images = []
    alts: Alts = {}
    rating: float = 0
    review_count: int = 0
    histogram: list[int] = field(default_factory=lambda: [0, 0, 0, 0, 0])
    popularity: int = 0
    released: datetime | None = None
    seo_title: SeoTitle = ""
    seo_description: SeoDescription = ""
    former_paths: Annotated[list[FormerPath], Meta(max_length=FORMER_PATHS_MAX)] = []
    given: frozenset[str] | None = None
    """The fields that the source fills; the others of a product that is there stay as they are. None: all of
    them. Without an external id it is known by its SKU."""


class ExportedVariant(Struct, frozen=True, kw_only=True):
    """A variant as it is taken out: what its product's own seller offers."""

    sku_id: SkuId
    offer_id: OfferId
    key: str
    options: dict[str, str]
    sku: str | None
    gtin: str | None
    price: int
    compare_at_price: int | None
    sale: SalePrice | None
    """The seller's own, which waits while a flash sale lasts."""
    currency: str
    status: Status
    weight_g: int | None
    images: list[Image]


class ExportedProduct(ProductTexts, frozen=True, kw_only=True):
    """A product as it is taken out, with all that an import takes in again but its stock."""

    product_id: ProductId
    seller_id: SellerId
    seller_name: str
    external_id: str | None
    category_path: list[str]
    attributes: dict[str, WholeAttribute]
    options: dict[str, list[str]]
    tags: list[str]
    images: list[Image]
    histogram: list[int]
    popularity: int
    created_at: datetime
    variants: list[ExportedVariant]
    seo_title: str
    seo_description: str


class ExportedNames(Struct, frozen=True):
    """The names of options and attributes that products have, the most frequent first, and the most options
    that one product has."""

    options: list[str]
    attributes: list[str]
    most_options: int = 0


class ImportBatch(Struct, frozen=True, kw_only=True):
    """Rows from elsewhere, and how they are taken.

    `stock`: the units of each new offer whose row does not say. `overrules`: it is the seller's own word: it
    counts also where they changed something in the shop, and for the stock of what is there. `reference`: a
    name of this batch, under which its counts of stock are taken once. `import_id`: under which it is noted
    what stood before, to be put back. `dry_run`: nothing is written."""

    rows: list[ImportRow]
    stock: StockQuantity = 0
    categories: CategoryMaking = "create"
    overrules: bool = False
    reference: str = ""
    import_id: ImportId | None = None
    dry_run: bool = False


class ChangedSince(Struct, frozen=True):
    """What somebody changed after an import had: an offer, a product or one of its variants (`sku`)."""

    kind: Literal["offer", "product", "sku"]
    title: str


class UndoCounts(Struct, frozen=True, kw_only=True):
    """How many products, variants, offers and shelves that an import changed were put back, and how many
    somebody has changed since: of those only what is as the import left it."""

    put_back: int = 0
    changed_since: int = 0
    since: list[ChangedSince] = []
    """The first hundred of these."""


class RefusedProduct(Struct, frozen=True):
    """A row, by its place in the batch, that could not be taken: its column, a code and the reason."""

    place: int
    column: str
    code: str
    detail: str


class CountedOffer(Struct, frozen=True):
    """So many units of an offer that was there before, as a row says. `changed`: the row counts as changed
    already."""

    offer_id: OfferId
    place: int
    quantity: StockQuantity
    changed: bool


class TooManyOffers(Invalid):
    """That is more than 1,000 offers at once. Narrow the list."""


class NoPriceChanges(Invalid):
    """This changes no price."""


class ChangedMeanwhile(Conflict):
    """Somebody changed this price after it was looked at."""


class SkuTaken(Conflict):
    """You have another product with this SKU."""


class Imported(Struct, frozen=True):
    """What became of a batch of rows, and the stock of the offers that are new: each with its units.
    `reference` names the delivery that brings it. `counts`: the stock of others, as the file says."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    reference: str = ""
    stock: dict[OfferId, int] = {}
    refused: list[RefusedProduct] = []
    counts: list[CountedOffer] = []


MARKETS_MAX = 100
MARKET_COUNTRIES_MAX = 300
MarketCode = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,29}$",
        extra={"words": "A short code in small letters, such as eu or latin-america."},
    ),
]
MarketName = Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN_LINE)]
MarketCountries = Annotated[list[CountryCode], Meta(min_length=1, max_length=MARKET_COUNTRIES_MAX)]


class Market(Struct, frozen=True, kw_only=True):
    """Countries and how prices become theirs: more or less by hundredths of a percent, then to the nearest
    multiple of `round_to`, and `less` below that, as 10.00 less 0.01 is 9.99."""

    code: MarketCode
    name: MarketName
    countries: MarketCountries
    percent: Hundredths = 0
    round_to: MinorPrice = 0
    """None: a price is as it comes out."""
    less: MinorPrice = 0
    rate: MarketRate | None = None
    """A rate of exchange in millionths: it suggests prices of their own, and computes none."""


class MarketSet(Struct, frozen=True):
    """All markets; another `version` where they were set since."""

    markets: list[Market]
    version: int


class MarketAsk(Struct, frozen=True, array_like=True):
    """Which offers are asked about, in which market."""

    market: MarketCode
    offers: list[OfferId]


class MarketTerm(Struct, frozen=True):
    """What of an offer is not as its market says: it has a price of its own there, or one for all (`same`),
    in a flash sale or as a gift card."""

    market: str
    offer_id: OfferId
    own: int | None
    same: bool


class CardPrice(Struct, frozen=True, array_like=True):
    """What the featured offer of a product costs in a market; `until`: when that may change, where known."""

    product_id: ProductId
    price: int
    was_price: int | None
    until: datetime | None


OwnPrices = Annotated[dict[MarketCode, SoldAt], Meta(max_length=MARKETS_MAX)]
"""What an offer costs in markets where it has a price of its own, by their codes."""


class MarketsChanged(Conflict):
    """Somebody changed the markets after they were looked at. Look again, then set them."""
