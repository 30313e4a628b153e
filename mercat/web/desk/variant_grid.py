"""The variants of a seller's product as a grid: what they are chosen by, and what each costs.

Every press is saved, so that it needs no script; a page has at most a hundred variants."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType, structs
from starlette.requests import Request
from starlette.responses import Response

from mercat.catalog import (
    VARIANTS_MAX,
    GivenVariant,
    Gtin,
    ListedVariant,
    OptionName,
    OptionValues,
    ProductChange,
    SellerSku,
    combined,
)
from mercat.ids import ProductId, SellerId
from mercat.inventory import StockQuantity
from mercat.kit.refusals import Invalid, NotFound, Refusal, Stale
from mercat.sellers import SellerListing
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.desk.listing_form import TypedPrice
from mercat.web.desk.page import desk_page, seller_of
from mercat.web.desk.products import StatusForm
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, id_of, number_in, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint

_A_PAGE = 100
_OPTIONS = 5
_ALL = "all"
_PLACE_MAX = 4
_SAID = {
    "options": "Saved: below are the variants that there are now.",
    "variants": "Saved. Shoppers see it so within a second.",
    "filled": "Filled in.",
    "status": "Done: shoppers see it so from now on.",
}
_ROW = ("price", "quantity", "sku", "gtin", "picture")

PicturePlace = Annotated[str, Meta(max_length=_PLACE_MAX)]
"""The place of one of the product's pictures, from 1; nothing is the product's own."""


class OptionForm(Struct, frozen=True):
    name: OptionName
    values: OptionValues


class MissingForm(Struct, frozen=True):
    """How combinations are made that are not there yet."""

    price: TypedPrice
    quantity: StockQuantity


class VariantForm(Struct, frozen=True, kw_only=True):
    price: TypedPrice
    quantity: StockQuantity
    sku: SellerSku | None = None
    gtin: Gtin | None = None
    picture: PicturePlace = ""


class FillForm(Struct, frozen=True, kw_only=True):
    """What many variants get at once; `which`: all, or those of a value, as in `0.2`."""

    which: str = _ALL
    price: TypedPrice | None = None
    quantity: StockQuantity | None = None
    picture: PicturePlace | None = None


class GridRow(NamedTuple):
    """A variant on the page."""

    key: str
    name: str
    variant: ListedVariant
    price: str
    on_hand: int
    picture: str
    """The place of its picture among the product's; `own` where it is none of these."""


class Typed(NamedTuple):
    """What was typed and what is wrong with it, by the form that it was typed into."""

    options: Form | None = None
    rows: Form | None = None
    fill: Form | None = None


class VariantPages:
    """The grid of a product's variants."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._currency = shop.settings.currency

    async def grid(
        self, request: Request, typed: Typed | None = None, refused: Refusal | None = None
    ) -> Response:
        """Show a page of the variants, and the forms above them."""
        seller_id, product_id, standing = await self._standing(request)
        listing = standing.listing
        last = max(1, -(-len(listing.variants) // _A_PAGE))
        page = number_in(request.query_params.get("page"), 1, 1, last)
        shown = listing.variants[(page - 1) * _A_PAGE : page * _A_PAGE]
        typed = typed or Typed()
        forms = Typed(
            typed.options or Form((OptionForm, MissingForm), _as_typed(standing)),
            typed.rows or Form(VariantForm),
            typed.fill or Form(FillForm),
        )
        wrong = any(form.errors for form in forms if form)
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "products",
            seller_id,
            refused.status if refused else (422 if wrong else 200),
            template="desk_variants.html",
            product_id=product_id,
            listing=listing,
            seen=standing.mark,
            rows=_rows(standing, shown),
            page=page,
            last=last,
            forms=forms,
            option_count=_OPTIONS,
            values=_values(listing.options),
            variants_max=VARIANTS_MAX,
            currency=self._currency,
            said=_SAID.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused else None,
        )

    async def set_options(self, request: Request) -> Response:
        """Save what variants are chosen by, and make the combinations that are missing."""
        form = await self._pages.form(request)
        _, _, standing = await self._standing(request)
        options, errors = _read_options(form)
        how = read_form(form, MissingForm, currency=self._currency) if "missing" in form else None
        if isinstance(how, FormErrors):
            errors |= how
        if errors or isinstance(how, FormErrors):
            return await self.grid(request, Typed(options=Form((OptionForm, MissingForm), form, errors)))
        new = GivenVariant(price=how.price, quantity=how.quantity) if how else None
        try:
            variants = combined(standing.listing.variants, options, new)
            if not variants:
                raise Invalid("No variant would be left: keep a value of one that is there.")
            await self._change(request, form, ProductChange(options=options, variants=variants))
        except Refusal as refused:
            return await self._refused(request, refused, Typed(options=Form((OptionForm, MissingForm), form)))
        return self._done(request, "options")

    async def set_variants(self, request: Request) -> Response:
        """Save the variants of a page; those of other pages stay as they are."""
        form = await self._pages.form(request)
        _, _, standing = await self._standing(request)
        errors = FormErrors()
        variants: list[GivenVariant] = []
        for row in _rows(standing, standing.listing.variants):
            if f"price-{row.key}" not in form:
                variants.append(GivenVariant(sku_id=row.variant.sku_id))
            elif f"out-{row.key}" not in form:
                given = {name: form.get(f"{name}-{row.key}", "") for name in _ROW}
                asked = read_form(given, VariantForm, currency=self._currency)
                if isinstance(asked, FormErrors):
                    errors |= {f"{name}-{row.key}": words for name, words in asked.items()}
                else:
                    variants.append(_changed(row, asked, standing))
        if errors:
            return await self.grid(request, Typed(rows=Form(VariantForm, form, errors)))
        try:
            if not variants:
                raise Invalid("A product has at least one variant. To end it, take it off sale.")
            await self._change(request, form, ProductChange(variants=variants))
        except Refusal as refused:
            errors = _at_rows(refused, variants, standing)
            return await self._refused(request, refused, Typed(rows=Form(VariantForm, form, errors)))
        return self._done(request, "variants", form.get("page", ""))

    async def fill(self, request: Request) -> Response:
        """Give all variants, or those of one value, a price, a stock or a picture."""
        form = await self._pages.form(request)
        _, _, standing = await self._standing(request)
        asked = read_form(form, FillForm, currency=self._currency)
        if isinstance(asked, FormErrors):
            return await self.grid(request, Typed(fill=Form(FillForm, form, asked)))
        given: dict[str, Any] = {}
        if asked.price is not None:
            given["price"] = asked.price
        if asked.quantity is not None:
            given["quantity"] = asked.quantity
        if asked.picture is not None:
            given["images"] = _pictures(asked.picture, standing)
        chosen = _chosen(asked.which, standing)
        variants = [
            GivenVariant(sku_id=each.sku_id, **given)
            if each.sku_id in chosen
            else GivenVariant(sku_id=each.sku_id)
            for each in standing.listing.variants
        ]
        try:
            await self._change(request, form, ProductChange(variants=variants))
        except Refusal as refused:
            return await self._refused(request, refused, Typed(fill=Form(FillForm, form)))
        return self._done(request, "filled", form.get("page", ""))

    async def set_status(self, request: Request) -> Response:
        """Put all variants on sale, or take them off it."""
        form = await self._pages.form(request)
        asked = read_form(form, StatusForm)
        if isinstance(asked, FormErrors):
            return await self.grid(request)
        try:
            await self._change(request, {}, ProductChange(status=asked.status))
        except Refusal as refused:
            return await self._refused(request, refused, Typed())
        return self._done(request, "status")

    async def _standing(self, request: Request) -> tuple[SellerId, ProductId, SellerListing]:
        _, seller_id = await seller_of(request)
        product_id = id_of(request.path_params["product_id"], ProductId)
        return seller_id, product_id, await self._shop.sellers.listing(seller_id, product_id)

    async def _change(self, request: Request, form: Mapping[str, str], change: ProductChange) -> None:
        _, seller_id = await seller_of(request)
        product_id = id_of(request.path_params["product_id"], ProductId)
        await self._shop.sellers.change_product(seller_id, product_id, change, form.get("seen"))

    async def _refused(self, request: Request, refused: Refusal, typed: Typed) -> Response:
        if isinstance(refused, NotFound):
            raise refused
        if isinstance(refused, Stale):
            words = "Somebody bought, or this was changed, while you wrote. What you wrote is still below."
            refused = Stale(words)
        return await self.grid(request, typed, refused)

    def _done(self, request: Request, said: str, page: str = "") -> Response:
        at = number_in(page, 1, 1, VARIANTS_MAX)
        product_id = request.path_params["product_id"]
        more = f"&page={at}" if at > 1 else ""
        return self._pages.redirect(request, f"/desk/products/{product_id}/variants?said={said}{more}")


def _as_typed(standing: SellerListing) -> dict[str, str]:
    """Write the options as they stand, each value on a line."""
    typed: dict[str, str] = {}
    for n, (name, values) in enumerate(standing.listing.options.items(), 1):
        typed |= {f"name_{n}": name, f"values_{n}": "\n".join(values)}
    return typed


def _read_options(form: Mapping[str, str]) -> tuple[dict[str, list[str]], FormErrors]:
    """Read names with their values, and what is wrong with them. What is empty is none."""
    options: dict[str, list[str]] = {}
    errors = FormErrors()
    for n in range(1, _OPTIONS + 1):
        given = {name: form.get(f"{name}_{n}", "").strip() for name in ("name", "values")}
        if not any(given.values()):
            continue
        asked = read_form(given, OptionForm)
        if isinstance(asked, FormErrors):
            errors |= {f"{name}_{n}": words for name, words in asked.items()}
        elif asked.name in options:
            errors[f"name_{n}"] = "Another option has this name."
        else:
            options[asked.name] = list(dict.fromkeys(asked.values))
    return options, errors


def _rows(standing: SellerListing, variants: Iterable[ListedVariant]) -> list[GridRow]:
    stock = {each.offer_id: each.on_hand for each in standing.stock}
    places = {image.url: str(n) for n, image in enumerate(standing.listing.images, 1)}
    names = list(standing.listing.options)
    return [
        GridRow(
            str(each.sku_id),
            ", ".join(each.options.get(name, "") for name in names) or each.sku or "the product",
            each,
            rendering.decimal(each.price, each.currency),
            stock.get(each.offer_id, 0),
            places.get(each.images[0].url, "own") if each.images else "",
        )
        for each in variants
    ]


def _values(options: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """List which variants can be filled at once: all, or those of a value."""
    return [(_ALL, "All variants")] + [
        (f"{n}.{m}", f"{name}: {value}")
        for n, (name, values) in enumerate(options.items())
        for m, value in enumerate(values)
    ]


def _chosen(which: str, standing: SellerListing) -> set[Any]:
    """Say which variants are meant; Invalid where there is no such value."""
    options, variants = standing.listing.options, standing.listing.variants
    if which == _ALL:
        return {each.sku_id for each in variants}
    for n, (name, values) in enumerate(options.items()):
        for m, value in enumerate(values):
            if which == f"{n}.{m}":
                return {each.sku_id for each in variants if each.options.get(name) == value}
    raise Invalid("There are no such variants any more.", pointer="/which")


def _pictures(place: str, standing: SellerListing) -> list[str] | UnsetType:
    """Read the place of a picture; none is the product's, and `own` stays what it is."""
    images = standing.listing.images
    if place == "own":
        return UNSET
    if place.isascii() and place.isdigit() and 1 <= int(place) <= len(images):
        return [images[int(place) - 1].url]
    return []


def _changed(row: GridRow, asked: VariantForm, standing: SellerListing) -> GivenVariant:
    """Say what of a variant was typed otherwise than it stands."""
    given = GivenVariant(sku_id=row.variant.sku_id)
    if asked.price != row.variant.price:
        given = structs.replace(given, price=asked.price)
    if asked.quantity != row.on_hand:
        given = structs.replace(given, quantity=asked.quantity)
    if asked.sku != row.variant.sku:
        given = structs.replace(given, sku=asked.sku)
    if asked.gtin != row.variant.gtin:
        given = structs.replace(given, gtin=asked.gtin)
    if asked.picture != row.picture:
        given = structs.replace(given, images=_pictures(asked.picture, standing))
    return given


def _at_rows(refused: Refusal, variants: Sequence[GivenVariant], standing: SellerListing) -> FormErrors:
    """Say a refusal at the field of the variant that it points to, as in `/variants/3/sku`."""
    match str(refused.facts.get("pointer", "")).split("/"):
        case ["", "variants", place, field, *_] if place.isdigit() and int(place) < len(variants):
            return FormErrors({f"{field}-{variants[int(place)].sku_id}": str(refused)})
        case _:
            return FormErrors()


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = VariantPages(pages, shop)
    at = "/desk/products/{product_id}"
    return [
        pages.route(f"{at}/variants", desk.grid),
        pages.route(f"{at}/variants", desk.set_variants, "POST"),
        pages.route(f"{at}/options", desk.set_options, "POST"),
        pages.route(f"{at}/fill", desk.fill, "POST"),
        pages.route(f"{at}/status", desk.set_status, "POST"),
    ]
