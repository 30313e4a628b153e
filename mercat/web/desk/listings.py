"""A seller's products with their variants: listing, reading, changing and archiving them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field, structs
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.catalog import (
    IMAGES_MAX,
    VARIANTS_MAX,
    Attribute,
    Attributes,
    CategoryName,
    ChangedTexts,
    CurrencyCode,
    GivenTexts,
    GivenVariant,
    Grams,
    Gtin,
    Image,
    Images,
    Listed,
    ListedProduct,
    ListedVariant,
    ListingStatus,
    NewProduct,
    OptionName,
    OptionValues,
    ProductChange,
    QuantityRules,
    SellerSku,
    Status,
    VariantOptions,
    given_texts,
    texts_of,
)
from mercat.ids import MediaId, OfferId, ProductId, SkuId
from mercat.inventory import Stock, StockQuantity
from mercat.kit.http import Answer
from mercat.kit.refusals import Invalid, NotFound, Refusal, Stale
from mercat.kit.rpc import Caller
from mercat.kit.text import as_seen
from mercat.media import Medium
from mercat.sellers import SellerListing
from mercat.shop import Shop
from mercat.web.desk.listing_form import EditListingForm, as_form, read_change
from mercat.web.desk.page import departments, desk_page, seller_of
from mercat.web.desk.products import seller_id_of
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of
from mercat.web.idempotency import key_of
from mercat.web.pages import Pages
from mercat.web.preconditions import check_seen
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import (
    Amount,
    PageLimit,
    Price,
    SaleAsk,
    SalePriceShown,
    SearchWords,
    amount_shown,
    is_given,
    minor,
    optional_minor,
    sale_asked,
    sale_shown,
)

_NONE = Raw(b"null")


def _no_price() -> Raw:
    return _NONE


Media = Annotated[list[MediaId], Meta(max_length=IMAGES_MAX)]
"""Pictures that were uploaded; they come before `images`."""


class OptionAsk(Struct, frozen=True):
    name: OptionName
    values: OptionValues


class VariantAsk(Struct, frozen=True, kw_only=True):
    """A variant. Of one that is there, named by `sku_id`, `sku` or `options`, what is not said stays."""

    sku_id: SkuId | None = None
    offer_id: OfferId | None = None
    options: VariantOptions | UnsetType = UNSET
    sku: SellerSku | UnsetType | None = UNSET
    gtin: Gtin | UnsetType | None = UNSET
    price: Price = field(default_factory=_no_price)
    compare_at_price: Price | UnsetType = UNSET
    sale: SaleAsk | UnsetType | None = UNSET
    quantity_rules: QuantityRules | UnsetType | None = UNSET
    quantity: StockQuantity | UnsetType = UNSET
    weight_g: Grams | UnsetType | None = UNSET
    images: Images | UnsetType = UNSET
    media: Media | UnsetType = UNSET


VariantAsks = Annotated[list[VariantAsk], Meta(max_length=VARIANTS_MAX)]


class ListingAsk(GivenTexts, frozen=True, kw_only=True):
    """A product. Without `variants` it is itself the one there is, with `price` and `quantity`."""

    category: Annotated[CategoryName, Meta(min_length=1)]
    currency: CurrencyCode | None = None
    price: Price = field(default_factory=_no_price)
    compare_at_price: Price | UnsetType = UNSET
    sale: SaleAsk | UnsetType | None = UNSET
    quantity_rules: QuantityRules | UnsetType | None = UNSET
    quantity: StockQuantity | UnsetType = UNSET
    sku: SellerSku | UnsetType | None = UNSET
    gtin: Gtin | UnsetType | None = UNSET
    weight_g: Grams | UnsetType | None = UNSET
    status: Status = "active"
    attributes: Attributes = field(default_factory=dict[str, Any])
    images: Images = field(default_factory=list[str])
    media: Media = field(default_factory=list[MediaId])
    options: list[OptionAsk] = field(default_factory=list[OptionAsk])
    variants: VariantAsks = field(default_factory=list[VariantAsk])


class ListingChangeAsk(ChangedTexts, frozen=True, kw_only=True):
    """What is otherwise from now on; what is not sent stays. `variants` are all there are from now on."""

    category: Annotated[CategoryName, Meta(min_length=1)] | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET
    images: Images | UnsetType = UNSET
    media: Media | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    options: list[OptionAsk] | UnsetType = UNSET
    variants: Annotated[list[VariantAsk], Meta(min_length=1, max_length=VARIANTS_MAX)] | UnsetType = UNSET
    price: Price = field(default_factory=_no_price)
    compare_at_price: Price | UnsetType = UNSET
    sale: SaleAsk | UnsetType | None = UNSET
    quantity_rules: QuantityRules | UnsetType | None = UNSET
    quantity: StockQuantity | UnsetType = UNSET
    sku: SellerSku | UnsetType | None = UNSET
    gtin: Gtin | UnsetType | None = UNSET
    weight_g: Grams | UnsetType | None = UNSET


class VariantMade(Struct, frozen=True):
    sku_id: SkuId
    offer_id: OfferId
    sku: str | None
    options: dict[str, str]


class ListingMade(Struct, frozen=True):
    """Its ids: of its first variant, and of each."""

    product_id: ProductId
    sku_id: SkuId
    offer_id: OfferId
    variants: list[VariantMade]


class SellerVariantShown(Struct, frozen=True, kw_only=True):
    sku_id: SkuId
    offer_id: OfferId
    sku: str | None
    gtin: str | None
    options: dict[str, str]
    price: Amount
    compare_at_price: Amount | None
    sale: SalePriceShown | None
    quantity_rules: QuantityRules | None
    currency: str
    quantity: int
    available: int
    status: ListingStatus
    weight_g: int | None
    image_url: str
    images: list[str]


class OptionShown(Struct, frozen=True):
    name: str
    values: list[str]


class SellerProductShown(GivenTexts, frozen=True, kw_only=True):
    product_id: ProductId
    category: str
    status: ListingStatus
    price: Amount
    compare_at_price: Amount | None
    sale: SalePriceShown | None
    quantity_rules: QuantityRules | None
    currency: str
    quantity: int
    attributes: dict[str, Attribute]
    images: list[str]
    options: list[OptionShown]
    variants: list[SellerVariantShown]
    external_id: str | None
    created_at: datetime
    hidden_because: str
    """Why the shop's operators took it off sale; "" where they did not."""


class SellerProductLine(Struct, frozen=True, kw_only=True):
    product_id: ProductId
    title: str
    category: str
    brand: str | None
    status: ListingStatus
    price: Amount
    currency: str
    quantity: int
    available: int
    variant_count: int
    image_url: str
    created_at: datetime
    hidden_because: str


class SellerProductList(Struct, frozen=True):
    products: list[SellerProductLine]
    next_cursor: str | None


class ArchivedProduct(Struct, frozen=True):
    product_id: ProductId
    status: ListingStatus


class Uploaded(NamedTuple):
    """The media that a request names."""

    by_id: dict[MediaId, Medium]

    @property
    def alts(self) -> dict[str, str]:
        return {each.url: each.alt for each in self.by_id.values() if each.alt}


def _urls(
    media: list[MediaId] | UnsetType, images: list[str] | UnsetType, pictures: Uploaded
) -> list[str] | UnsetType:
    """List the addresses of pictures: those uploaded, then the others."""
    if isinstance(media, UnsetType) and isinstance(images, UnsetType):
        return UNSET
    urls: list[str] = [pictures.by_id[each].url for each in media or []]
    urls += images or []
    return list(dict.fromkeys(urls))


class SellerListingsApi:
    """A seller's products."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def list_product(self, caller: Caller, listing: ListingAsk, request: Request) -> ListingMade:
        """Put a product on sale with its variants, each with so many in stock; or keep it as a draft."""
        currency = listing.currency or self._shop.settings.currency
        pictures = await self._pictures(caller, listing.media, listing.variants)
        variants = [
            structs.replace(_given(each, currency, f"/variants/{n}", pictures), quantity=each.quantity or 0)
            for n, each in enumerate(listing.variants)
        ]
        own = _own(listing, currency)
        if not variants:
            _check_own(listing, own)
        key = key_of(request)
        listed = await self._shop.sellers.list_product(
            seller_id_of(caller),
            NewProduct(
                **texts_of(listing),
                category=listing.category,
                currency=currency,
                status=listing.status,
                attributes=listing.attributes,
                images=_urls(listing.media, listing.images, pictures) or [],
                alts=pictures.alts,
                options=_options(listing.options),
                variants=variants,
                **({} if variants else {name: value for name, value in own.items() if name != "quantity"}),
            ),
            own.get("quantity", 0),
            f"api/{key}" if key else None,
        )
        return _made(listed, variants or [GivenVariant(sku=own.get("sku"))])

    async def seller_products(
        self,
        caller: Caller,
        q: SearchWords = "",
        status: ListingStatus | None = None,
        category: CategoryName | None = None,
        sku: SellerSku | None = None,
        limit: PageLimit = 20,
        cursor: ProductId | None = None,
    ) -> SellerProductList:
        """List one's own products, the newest first: of a status, a category, with these words in the title
        or this SKU. What is archived is listed only by that status."""
        seller_id = seller_id_of(caller)
        listed = await self._shop.catalog.listings(seller_id, cursor, limit, q, status, category, sku)
        offers = [offer_id for each in listed for offer_id in each.offers]
        stock = {each.offer_id: each for each in await self._shop.inventory.owned(seller_id, offers)}
        return SellerProductList(
            [_line(each, stock) for each in listed],
            str(listed[-1].product_id) if len(listed) == limit else None,
        )

    async def seller_product(self, caller: Caller, product_id: ProductId) -> Answer:
        """Show one's own product as it may be changed. Its ETag is what changing it may name as If-Match."""
        listing = await self._shop.sellers.listing(seller_id_of(caller), product_id)
        return _answer(product_id, listing)

    async def change_product(
        self, caller: Caller, request: Request, product_id: ProductId, change: ListingChangeAsk
    ) -> Answer:
        """Change a product; what is not sent stays as it is.

        `variants` are all there are from now on: one that is named by its `sku_id`, `sku` or `options` is
        changed, another is new, and one that is not among them is taken out. With If-Match it is done only
        while the product is as it was read; stock of what is there is changed with it only."""
        seller_id = seller_id_of(caller)
        own = _own(change, self._shop.settings.currency)
        standing = await self._shop.sellers.listing(seller_id, product_id)
        named = check_seen(request.headers.get("if-match"), f'"{standing.mark}"')
        seen = standing.mark if named else None
        pictures = await self._pictures(caller, change.media, change.variants)
        wanted = _change(change, own, standing, self._shop.settings.currency, pictures)
        await self._shop.sellers.change_product(seller_id, product_id, wanted, seen)
        return _answer(product_id, await self._shop.sellers.listing(seller_id, product_id))

    async def _pictures(
        self,
        caller: Caller,
        own: list[MediaId] | UnsetType,
        variants: list[VariantAsk] | UnsetType,
    ) -> Uploaded:
        """Look up the media that a request names; NotFound points to the first that is not one's own."""
        named = [(f"/media/{n}", each) for n, each in enumerate(own or [])]
        for n, variant in enumerate(variants or []):
            named += [(f"/variants/{n}/media/{m}", each) for m, each in enumerate(variant.media or [])]
        wanted = list(dict.fromkeys(media_id for _, media_id in named))
        held = await self._shop.media.media(wanted, caller.seller_id) if wanted else []
        found = Uploaded({each.media_id: each for each in held})
        for pointer, media_id in named:
            if media_id not in found.by_id:
                raise NotFound("You have no such medium.", pointer=pointer)
        return found

    async def archive_product(self, caller: Caller, product_id: ProductId) -> ArchivedProduct:
        """Take a product out for good. Orders keep it; its address says that it is gone."""
        await self._shop.catalog.archive(seller_id_of(caller), product_id)
        return ArchivedProduct(product_id, "archived")


def _given(asked: VariantAsk, currency: str, at: str, pictures: Uploaded) -> GivenVariant:
    """Read a variant, its amounts in minor units."""
    said = {name: getattr(asked, name) for name in ("options", "sku", "gtin", "quantity", "weight_g")}
    images = _urls(asked.media, asked.images, pictures)
    return GivenVariant(sku_id=asked.sku_id, images=images, **said, **_prices(asked, currency, at))


def _prices(asked: VariantAsk | ListingAsk | ListingChangeAsk, currency: str, at: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if is_given(asked.price):
        found["price"] = minor(asked.price, currency, f"{at}/price")
    found["compare_at_price"] = optional_minor(asked.compare_at_price, currency, f"{at}/compare_at_price")
    found["sale"] = sale_asked(asked.sale, currency, at)
    found["quantity_rules"] = asked.quantity_rules
    return {name: value for name, value in found.items() if value is not UNSET}


def _own(asked: ListingAsk | ListingChangeAsk, currency: str) -> dict[str, Any]:
    """Read what a product says as the one variant there is."""
    said = {name: getattr(asked, name) for name in ("quantity", "sku", "gtin", "weight_g")}
    return {name: value for name, value in said.items() if value is not UNSET} | _prices(asked, currency, "")


def _check_own(listing: ListingAsk, own: Mapping[str, Any]) -> None:
    """Raise Invalid where a product without variants does not say what it costs and how many there are."""
    if listing.options:
        raise Invalid("Say which variants there are of these options.", pointer="/variants")
    for name in ("price", "quantity"):
        if name not in own:
            raise Invalid(f"`{name}` is missing.", pointer=f"/{name}")


def _options(asked: list[OptionAsk]) -> dict[str, list[str]]:
    found = {each.name: each.values for each in asked}
    if len({as_seen(name) for name in found}) < len(asked):
        raise Invalid("Two options have the same name.", pointer="/options")
    for n, each in enumerate(asked):
        if len({as_seen(value) for value in each.values}) < len(set(each.values)):
            raise Invalid("Two values look the same.", pointer=f"/options/{n}/values")
    return found


def _change(
    asked: ListingChangeAsk, own: dict[str, Any], standing: SellerListing, currency: str, pictures: Uploaded
) -> ProductChange:
    """Read a change; what a product says of price and stock itself (`own`) is said of its one variant."""
    variants: Any = asked.variants
    of_one = variants is UNSET and bool(own)
    if variants is not UNSET:
        variants = [_given(each, currency, f"/variants/{n}", pictures) for n, each in enumerate(variants)]
    elif own:
        if len(standing.listing.variants) > 1:
            raise Invalid("This product has variants: say it of each.", pointer=f"/{next(iter(own))}")
        variants = [GivenVariant(sku_id=standing.listing.variants[0].sku_id, **own)]
    return ProductChange(
        **{name: getattr(asked, name) for name in ChangedTexts.__struct_fields__},
        category=asked.category,
        attributes=asked.attributes,
        images=_urls(asked.media, asked.images, pictures),
        alts=pictures.alts,
        status=asked.status,
        options=UNSET if isinstance(asked.options, UnsetType) else _options(asked.options),
        variants=variants,
        at="" if of_one else "/variants",
    )


def _made(listed: Listed, variants: list[GivenVariant]) -> ListingMade:
    made = [
        VariantMade(
            sku_id, offer_id, each.sku or None, {} if isinstance(each.options, UnsetType) else each.options
        )
        for sku_id, offer_id, each in zip(listed.skus, listed.offers, variants, strict=True)
    ]
    return ListingMade(listed.product_id, listed.sku_id, listed.offer_id, made)


def _line(listed: ListedProduct, stock: Mapping[OfferId, Stock]) -> SellerProductLine:
    shelves = [stock[offer_id] for offer_id in listed.offers if offer_id in stock]
    return SellerProductLine(
        product_id=listed.product_id,
        title=listed.title,
        category=listed.category,
        brand=listed.brand,
        status=listed.status,
        price=money.shown(listed.price, listed.currency),
        currency=listed.currency,
        quantity=sum(each.on_hand for each in shelves),
        available=sum(each.available for each in shelves),
        variant_count=len(listed.offers),
        image_url=listed.image_url,
        created_at=listed.created_at,
        hidden_because=listed.hidden_because,
    )


def _answer(product_id: ProductId, standing: SellerListing) -> Answer:
    listing = standing.listing
    stock = {each.offer_id: each for each in standing.stock}
    variants = [_variant_shown(each, stock.get(each.offer_id), listing.images) for each in listing.variants]
    cheapest = min(variants, key=lambda each: each.price)
    shown = SellerProductShown(
        product_id=product_id,
        **given_texts(listing),
        category=listing.category,
        status=listing.status,
        price=cheapest.price,
        compare_at_price=cheapest.compare_at_price,
        sale=cheapest.sale,
        quantity_rules=cheapest.quantity_rules,
        currency=cheapest.currency,
        quantity=sum(each.quantity for each in variants),
        attributes=listing.attributes,
        images=[image.url for image in listing.images],
        options=[OptionShown(name, values) for name, values in listing.options.items()],
        variants=variants,
        external_id=listing.external_id,
        created_at=listing.created_at,
        hidden_because=listing.hidden_because,
    )
    return Answer(shown, headers={"ETag": f'"{standing.mark}"'})


def _variant_shown(variant: ListedVariant, shelf: Stock | None, images: list[Image]) -> SellerVariantShown:
    own = variant.images or images
    return SellerVariantShown(
        sku_id=variant.sku_id,
        offer_id=variant.offer_id,
        sku=variant.sku,
        gtin=variant.gtin,
        options=variant.options,
        price=money.shown(variant.price, variant.currency),
        compare_at_price=amount_shown(variant.compare_at_price, variant.currency),
        sale=sale_shown(variant.sale, variant.currency),
        quantity_rules=variant.quantity_rules,
        currency=variant.currency,
        quantity=shelf.on_hand if shelf else 0,
        available=shelf.available if shelf else 0,
        status=variant.status,
        weight_g=variant.weight_g,
        image_url=own[0].url if own else "",
        images=[image.url for image in variant.images],
    )


API = [
    PublicRoute(
        "POST",
        "/seller/products",
        SellerListingsApi.list_product,
        location="/products/{product_id}",
        tag="Selling",
        needs="seller",
        scopes=["catalog:write"],
        refuses=["sku_taken"],
    ),
    PublicRoute(
        "GET",
        "/seller/products",
        SellerListingsApi.seller_products,
        tag="Selling",
        needs="seller",
        scopes=["catalog:read"],
    ),
    PublicRoute(
        "GET",
        "/seller/products/{product_id}",
        SellerListingsApi.seller_product,
        tag="Selling",
        needs="seller",
        scopes=["catalog:read"],
        shows=SellerProductShown,
    ),
    PublicRoute(
        "PATCH",
        "/seller/products/{product_id}",
        SellerListingsApi.change_product,
        tag="Selling",
        needs="seller",
        scopes=["catalog:write"],
        shows=SellerProductShown,
        refuses=["condition_missing", "stale", "sku_taken", "gone"],
        headers={"If-Match": "The ETag of what was seen: it is changed only if it is still that."},
    ),
    PublicRoute(
        "DELETE",
        "/seller/products/{product_id}",
        SellerListingsApi.archive_product,
        tag="Selling",
        needs="seller",
        scopes=["catalog:write"],
    ),
]


class SellerListingPages:
    """The forms of a seller's product."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def edit(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        _, seller_id = await seller_of(request)
        product_id = id_of(request.path_params["product_id"], ProductId)
        listing = await self._shop.catalog.listing(seller_id, product_id)
        form = form or Form(EditListingForm, as_form(listing, product_id))
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "edit",
            seller_id,
            refused.status if refused else (422 if form.errors else 200),
            product_id=product_id,
            title=listing.title,
            hidden_because=listing.hidden_because,
            form=form,
            seen=listing.mark,
            categories=await departments(self._pages),
            refused=message_of(refused) if refused and not form.errors else None,
        )

    async def save(self, request: Request) -> Response:
        form = await self._pages.form(request)
        _, seller_id = await seller_of(request)
        product_id = id_of(request.path_params["product_id"], ProductId)
        listing = await self._shop.catalog.listing(seller_id, product_id)
        asked = read_change(form, listing, product_id)
        if isinstance(asked, FormErrors):
            return await self.edit(request, Form(EditListingForm, form, asked))
        change, seen = asked
        try:
            await self._shop.sellers.change_product(seller_id, product_id, change, seen)
        except Stale:
            words = "This listing was changed while you wrote. Below is what you wrote: save it to keep it."
            return await self.edit(request, Form(EditListingForm, form), Stale(words))
        except Refusal as refused:
            return await self.edit(request, Form(EditListingForm, form, errors_of(refused)), refused)
        return self._pages.redirect(request, "/desk?said=listing")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = SellerListingPages(pages, shop)
    return [
        pages.route("/desk/products/{product_id}", desk.edit),
        pages.route("/desk/products/{product_id}", desk.save, "POST"),
    ]
