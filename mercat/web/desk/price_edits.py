"""Prices of many offers at once: by the API and at the desk, each seen before it goes live."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, ValidationError, field
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.catalog import (
    PRICE_EDIT_MAX,
    EditedOffer,
    OfferPrices,
    OffersMeant,
    PriceEdit,
    PriceMove,
    PricePreview,
    SaleEdit,
    Status,
    TitleWords,
)
from mercat.ids import OfferId, ProductId, SellerId
from mercat.kit import clock, codec
from mercat.kit.http import Answer
from mercat.kit.refusals import Invalid, Refusal
from mercat.kit.rpc import Caller
from mercat.sellers import FILE_NAME_MAX, PREVIEW_MARK_MAX, NewPriceEdit
from mercat.shop import Shop
from mercat.web.desk.listing_form import TypedPrice
from mercat.web.desk.page import desk_page, seller_of
from mercat.web.desk.prices import ZONE, ZONE_KEPT_S, LocalTime, ZoneName, sale_times
from mercat.web.desk.products import seller_id_of
from mercat.web.desk.upload import ImportStarted
from mercat.web.errors import message_of
from mercat.web.field_rules import rules_of
from mercat.web.forms import Form, FormErrors, read_form
from mercat.web.idempotency import form_key, key_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import (
    Amount,
    Price,
    SalePriceShown,
    amount_shown,
    is_given,
    minor,
    no_amount,
    number_of,
    sale_shown,
    utc,
)

PriceChange = Annotated[Raw, Meta(extra_json_schema={"type": "number"})]
PreviewMark = Annotated[str, Meta(max_length=PREVIEW_MARK_MAX)]
OffersChosen = Annotated[list[OfferId], Meta(min_length=1, max_length=PRICE_EDIT_MAX)]
TypedNumber = Annotated[
    str,
    Meta(pattern=r"^[0-9]{1,13}(\.[0-9]{1,4})?$", extra={"words": "A number is written as 10 or 12.5."}),
]
PriceWay = Literal["keep", "percent_less", "percent_more", "amount_less", "amount_more", "to"]
SaleWay = Literal["keep", "percent_less", "amount_less", "to", "end"]
ComparedWay = Literal["keep", "before", "to", "end"]
_WAYS: list[tuple[PriceWay, str]] = [
    ("keep", "Leave it as it is"),
    ("percent_less", "Less, in percent"),
    ("percent_more", "More, in percent"),
    ("amount_less", "Less, by an amount"),
    ("amount_more", "More, by an amount"),
    ("to", "This price for all"),
]
_SALE_WAYS: list[tuple[SaleWay, str]] = [
    ("keep", "Leave it as it is"),
    ("percent_less", "Less than the price, in percent"),
    ("amount_less", "Less than the price, by an amount"),
    ("to", "This price for all"),
    ("end", "No sale any more"),
]
_COMPARED_WAYS: list[tuple[ComparedWay, str]] = [
    ("keep", "Leave it as it is"),
    ("before", "The price that it had"),
    ("to", "This amount for all"),
    ("end", "Nothing any more"),
]


class PriceMoveAsk(Struct, frozen=True, kw_only=True):
    """Another amount, one of the three ways: `percent` or `amount` more (with a minus less), or just `to`."""

    percent: PriceChange = field(default_factory=no_amount)
    amount: PriceChange = field(default_factory=no_amount)
    to: Price = field(default_factory=no_amount)


class SaleMoveAsk(Struct, frozen=True, kw_only=True):
    """A sale: what each offer costs meanwhile, from its new price. Times without a zone are UTC."""

    price: PriceMoveAsk
    begins_at: datetime | None = field(default=None, name="from")
    ends_at: datetime | None = field(default=None, name="until")


class PriceEditAsk(Struct, frozen=True, kw_only=True):
    """Of which offers (those named, else all with the words and the status) what is to be otherwise. What is
    not sent stays, and null takes away.

    `ending`: what is reckoned ends so: 0.99 makes 12.34 to 11.99. `compare_at_price` is reckoned from the
    price before."""

    offers: OffersChosen | None = None
    q: TitleWords = ""
    status: Status | None = None
    price: PriceMoveAsk | None = None
    ending: Price = field(default_factory=no_amount)
    sale: SaleMoveAsk | UnsetType | None = UNSET
    compare_at_price: PriceMoveAsk | UnsetType | None = UNSET


class NewPriceEditAsk(PriceEditAsk, frozen=True, kw_only=True):
    """The same as was looked at; `seen` is the mark of what was shown."""

    seen: PreviewMark


class OfferPricesShown(Struct, frozen=True, kw_only=True):
    price: Amount
    compare_at_price: Amount | None
    sale: SalePriceShown | None


class EditedOfferShown(Struct, frozen=True, kw_only=True):
    """`after` is null where it is refused; `code` and `why` say why."""

    offer_id: OfferId
    product_id: ProductId
    title: str
    currency: str
    before: OfferPricesShown
    after: OfferPricesShown | None
    code: str
    why: str


class PricePreviewShown(Struct, frozen=True, kw_only=True):
    """What would become of each offer; `seen` is what the edit itself needs."""

    seen: str
    changed: int
    unchanged: int
    refused: int
    offers: list[EditedOfferShown]


class PriceEditsApi:
    """Prices of many offers at once."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._currency = shop.settings.currency

    async def preview_prices(self, caller: Caller, ask: PriceEditAsk) -> PricePreviewShown:
        """Show what a change of many prices makes of each, and which it refuses and why; nothing is
        changed."""
        edit = _edit_asked(ask, self._currency)
        preview = await self._shop.catalog.preview_prices(seller_id_of(caller), edit)
        return PricePreviewShown(
            seen=preview.mark,
            changed=preview.changed,
            unchanged=len(preview.offers) - preview.changed - len(preview.refused),
            refused=len(preview.refused),
            offers=[_shown(each) for each in preview.offers],
        )

    async def edit_prices(self, caller: Caller, ask: NewPriceEditAsk, request: Request) -> Answer:
        """Change many prices as they were previewed, in the background: `GET /seller/imports/{import_id}`
        says what became of them, `POST …/undo` puts back what nobody has changed since."""
        key, edit = key_of(request), _edit_asked(ask, self._currency)
        given = NewPriceEdit(edit=edit, seen=ask.seen, name=edit_words(edit, self._currency))
        import_id = await self._shop.sellers.start_price_edit(
            seller_id_of(caller), given, f"prices/{key}" if key else None
        )
        return Answer(ImportStarted(import_id), 202)


def _edit_asked(ask: PriceEditAsk, currency: str) -> PriceEdit:
    sale: SaleEdit | UnsetType | None = UNSET if isinstance(ask.sale, UnsetType) else None
    if isinstance(ask.sale, SaleMoveAsk):
        price = _move_asked(ask.sale.price, currency, "/sale/price")
        sale = SaleEdit(price=price, begins_at=utc(ask.sale.begins_at), ends_at=utc(ask.sale.ends_at))
    compared = ask.compare_at_price
    return PriceEdit(
        meant=OffersMeant(offers=ask.offers, words=ask.q, status=ask.status),
        price=ask.price and _move_asked(ask.price, currency, "/price"),
        ending=minor(ask.ending, currency, "/ending") if is_given(ask.ending) else None,
        sale=sale,
        compare_at_price=_move_asked(compared, currency, "/compare_at_price")
        if isinstance(compared, PriceMoveAsk)
        else compared,
    )


def _move_asked(ask: PriceMoveAsk, currency: str, at: str) -> PriceMove:
    given = {"percent": ask.percent, "amount": ask.amount, "to": ask.to}
    return _move({name: raw for name, raw in given.items() if is_given(raw)}, currency, at)


def _move(given: Mapping[str, Raw | Decimal | None], currency: str, at: str) -> PriceMove:
    """Read a way to an amount, in hundredths of a percent and minor units; Invalid where it is none."""
    read: dict[str, int | None] = {}
    for name, raw in given.items():
        try:
            if raw is None:
                continue
            number = number_of(raw) if isinstance(raw, Raw) else raw
            hundredths = number * 100 if name == "percent" else None
            if hundredths is not None and hundredths != hundredths.to_integral_value():
                raise ValueError("a percentage has two decimals")
            read[name] = money.minor(number, currency) if hundredths is None else int(hundredths)
            codec.convert(read, PriceMove)
        except (ValueError, ValidationError) as error:
            raise Invalid(f"This does not fit: {error}.", pointer=f"{at}/{name}") from None
    return PriceMove(**read)


def _prices_shown(prices: OfferPrices, currency: str) -> OfferPricesShown:
    return OfferPricesShown(
        price=money.shown(prices.price, currency),
        compare_at_price=amount_shown(prices.compare_at_price, currency),
        sale=sale_shown(prices.sale, currency),
    )


def _shown(each: EditedOffer) -> EditedOfferShown:
    return EditedOfferShown(
        offer_id=each.offer_id,
        product_id=each.product_id,
        title=each.title,
        currency=each.currency,
        before=_prices_shown(each.before, each.currency),
        after=each.after and _prices_shown(each.after, each.currency),
        code=each.code,
        why=each.why,
    )


def edit_words(edit: PriceEdit, currency: str) -> str:
    """Say what an edit does: what it is called among a seller's files."""
    said: list[str] = []
    if edit.price:
        said.append(f"prices {_move_words(edit.price, currency)}")
    if edit.ending is not None:
        said.append(f"ending in {money.words(edit.ending, currency)}")
    if edit.sale is None:
        said.append("no sale any more")
    elif edit.sale:
        said.append(f"a sale {_move_words(edit.sale.price, currency)}")
    if edit.compare_at_price is None:
        said.append("compared with nothing")
    elif edit.compare_at_price:
        said.append("compared with another price")
    words = ", ".join(said)
    return (words[:1].upper() + words[1:])[:FILE_NAME_MAX]


def _move_words(move: PriceMove, currency: str) -> str:
    if move.to is not None:
        return f"at {money.words(move.to, currency)}"
    if move.amount is not None:
        return f"{money.words(abs(move.amount), currency)} {'less' if move.amount < 0 else 'more'}"
    percent = move.percent or 0
    return f"{abs(percent) / 100:g} % {'less' if percent < 0 else 'more'}"


API = [
    PublicRoute(
        "POST",
        "/seller/price-edits/preview",
        PriceEditsApi.preview_prices,
        tag="Selling",
        needs="seller",
        scopes=["catalog:write"],
        status=200,
        refuses=["not_found", "too_many_offers", "no_price_changes"],
    ),
    PublicRoute(
        "POST",
        "/seller/price-edits",
        PriceEditsApi.edit_prices,
        tag="Selling",
        needs="seller",
        scopes=["catalog:write"],
        status=202,
        shows=ImportStarted,
        refuses=["not_found", "too_many_offers", "no_price_changes", "stale", "too_many_imports"],
    ),
]


class PriceEditForm(Struct, frozen=True, kw_only=True):
    """What is to be otherwise, as it is typed; times are of the zone that is named."""

    which: Literal["chosen", "all"] = "all"
    offers: OffersChosen | None = None
    q: TitleWords = ""
    status: Status | None = None
    price: PriceWay = "keep"
    price_by: TypedNumber | None = None
    ending: TypedPrice | None = None
    sale: SaleWay = "keep"
    sale_by: TypedNumber | None = None
    sale_from: LocalTime | None = None
    sale_until: LocalTime | None = None
    zone: ZoneName = "UTC"
    compared: ComparedWay = "keep"
    compared_by: TypedNumber | None = None


_FIELDS = {
    "/price": "price_by",
    "/sale/price": "sale_by",
    "/sale/until": "sale_until",
    "/compare_at_price": "compared_by",
}
"""Of what the catalogue points to, the fields of the form."""


class PriceEditPages:
    """The form that changes many prices, what it would do, and doing it."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._currency = shop.settings.currency

    async def edit(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        query = request.query_params
        given = {**query, "offers": "\n".join(query.getlist("offers"))}
        if "see" not in given:
            zone = clock.time_zone(request.cookies.get(ZONE, ""))
            shown = {"zone": zone.key if zone else "UTC"} | given
            return await self._page(request, seller_id, Form(PriceEditForm, shown))
        return await self._looked_at(request, seller_id, given)

    async def apply(self, request: Request) -> Response:
        given = await self._pages.form(request)
        _, seller_id = await seller_of(request)
        edit = self._read(given)
        if isinstance(edit, FormErrors):
            return await self._page(request, seller_id, Form(PriceEditForm, given, edit))
        seen = given.get("seen", "")[:PREVIEW_MARK_MAX]
        asked = NewPriceEdit(edit=edit, seen=seen, name=edit_words(edit, self._currency))
        try:
            import_id = await self._shop.sellers.start_price_edit(seller_id, asked, f"form/{form_key(given)}")
        except Refusal as refused:
            return await self._looked_at(request, seller_id, given, refused)
        response = self._pages.redirect(request, f"/desk/upload/{import_id}")
        zone = given.get("zone", "UTC")
        response.set_cookie(ZONE, zone, ZONE_KEPT_S, path="/desk", httponly=True, samesite="lax")
        return response

    async def _looked_at(
        self, request: Request, seller_id: SellerId, given: dict[str, str], refused: Refusal | None = None
    ) -> Response:
        """Show what a form would do, or what is wrong with it."""
        edit = self._read(given)
        if isinstance(edit, FormErrors):
            return await self._page(request, seller_id, Form(PriceEditForm, given, edit))
        try:
            preview = await self._shop.catalog.preview_prices(seller_id, edit)
        except Refusal as wrong:
            errors = _as_errors(wrong)
            shown = Form(PriceEditForm, given, errors)
            return await self._page(request, seller_id, shown, refused=refused or wrong)
        return await self._page(request, seller_id, Form(PriceEditForm, given), preview, refused)

    async def _page(
        self,
        request: Request,
        seller_id: SellerId,
        form: Form,
        preview: PricePreview | None = None,
        refused: Refusal | None = None,
    ) -> Response:
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "products",
            seller_id,
            refused.status if refused else (422 if form.errors else 200),
            template="desk_price_edit.html",
            form=form,
            sent={name: form.given[name] for name in rules_of(PriceEditForm) if form.given.get(name)},
            preview=preview,
            key=form_key(form.given),
            chosen=len(form.given.get("offers", "").split()),
            ways=_WAYS,
            sale_ways=_SALE_WAYS,
            compared_ways=_COMPARED_WAYS,
            to_the_second='step="1"',
            currency=self._currency,
            refused=message_of(refused) if refused and not form.errors else None,
        )

    def _read(self, given: Mapping[str, str]) -> PriceEdit | FormErrors:
        form = read_form(given, PriceEditForm, currency=self._currency)
        if isinstance(form, FormErrors):
            return form
        if form.which == "chosen" and not form.offers:
            return FormErrors({"": "Choose at least one product in the list."})
        times = sale_times(form.zone, form.sale_from, form.sale_until)
        if isinstance(times, FormErrors):
            return times
        try:
            return self._edit(form, times)
        except Invalid as invalid:
            return _as_errors(invalid)

    def _edit(self, form: PriceEditForm, times: tuple[datetime | None, datetime | None]) -> PriceEdit:
        sale: SaleEdit | UnsetType | None = None if form.sale == "end" else UNSET
        if price := self._move(form.sale, form.sale_by, "/sale/price"):
            sale = SaleEdit(price=price, begins_at=times[0], ends_at=times[1])
        elif any(times):
            raise Invalid("Say what it costs meanwhile.", pointer="/sale/price")
        compared: PriceMove | UnsetType | None = None if form.compared == "end" else UNSET
        if form.compared == "before":
            compared = PriceMove(percent=0)
        elif move := self._move(form.compared, form.compared_by, "/compare_at_price"):
            compared = move
        return PriceEdit(
            meant=OffersMeant(
                offers=form.offers if form.which == "chosen" else None, words=form.q, status=form.status
            ),
            price=self._move(form.price, form.price_by, "/price"),
            ending=form.ending,
            sale=sale,
            compare_at_price=compared,
        )

    def _move(self, way: str, typed: str | None, at: str) -> PriceMove | None:
        """Read a way to an amount as it was chosen; None where none was."""
        if way in ("keep", "end", "before"):
            return None
        if typed is None:
            raise Invalid("Say how much.", pointer=at)
        kind, _, direction = way.partition("_")
        number = Decimal(typed) * (-1 if direction == "less" else 1)
        return _move({kind: number}, self._currency, at)


def _as_errors(refusal: Refusal) -> FormErrors:
    """Say a refusal at the field of the form that it points to."""
    at = re.sub("/(percent|amount|to)$", "", str(refusal.facts.get("pointer", "")))
    return FormErrors({_FIELDS.get(at, at.removeprefix("/")): str(refusal)})


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    edits = PriceEditPages(pages, shop)
    return [
        pages.route("/desk/price-edits", edits.edit),
        pages.route("/desk/price-edits", edits.apply, "POST"),
    ]
