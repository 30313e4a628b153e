"""The form of an offer's price: what it is compared with, a sale with its times, rules of quantity."""

from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from mercat.catalog import Offer, OfferTerms, QuantityRules, SalePrice
from mercat.ids import OfferId, SellerId
from mercat.kit import clock
from mercat.kit.refusals import Invalid, NotFound, Refusal, Stale
from mercat.quantity import Quantity
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.desk.listing_form import TypedPrice
from mercat.web.desk.market_prices import PriceInMarket, read_own_prices, rows_of
from mercat.web.desk.page import desk_page, seller_of
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint

ZONE = "zone"
ZONE_KEPT_S = 31_536_000
LocalTime = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$",
        extra={"words": "A time is written 2026-11-27T09:00."},
    ),
]
ZoneName = Annotated[str, Meta(min_length=1, max_length=60)]
_SUGGESTED = "_suggested"
"""The button that takes suggestions over; with a market's code behind it, what was shown as one."""
_OTHERS_NOW = "Other prices are suggested now. Look at them, then take them over."
_FIELDS = {
    "sale/price": "sale_price",
    "sale/until": "sale_until",
    "quantity_rules/max": "max",
    "quantity_rules/per_customer": "per_customer",
}
"""Of what the catalogue points to, the fields of the form."""


class PriceTermsForm(Struct, frozen=True, kw_only=True):
    """What an offer costs; times are of the zone that is named."""

    price: TypedPrice
    compare_at_price: TypedPrice | None = None
    sale_price: TypedPrice | None = None
    sale_from: LocalTime | None = None
    sale_until: LocalTime | None = None
    zone: ZoneName = "UTC"
    min: Quantity | None = None
    max: Quantity | None = None
    step: Quantity | None = None
    per_customer: Quantity | None = None


class PricePages:
    """The form of an offer's price."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._currency = shop.settings.currency

    async def edit(
        self,
        request: Request,
        form: Form | None = None,
        refused: Refusal | None = None,
        market_prices: list[PriceInMarket] | None = None,
    ) -> Response:
        _, seller_id = await seller_of(request)
        offer = await self._offer(request, seller_id)
        form = form or Form(PriceTermsForm, _as_typed(offer, clock.time_zone(request.cookies.get(ZONE, ""))))
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "price",
            seller_id,
            refused.status if refused else (422 if form.errors or market_prices else 200),
            offer=offer,
            market_prices=await rows_of(self._shop, offer) if market_prices is None else market_prices,
            said="The prices of the markets stand." if request.query_params.get("said") == "markets" else "",
            form=form,
            to_the_second='step="1"',
            currency=self._currency,
            refused=message_of(refused) if refused and not form.errors else None,
        )

    async def save(self, request: Request) -> Response:
        form = await self._pages.form(request)
        _, seller_id = await seller_of(request)
        offer = await self._offer(request, seller_id)
        asked = read_form(form, PriceTermsForm, currency=self._currency)
        if isinstance(asked, FormErrors):
            return await self.edit(request, Form(PriceTermsForm, form, asked))
        terms = _terms(asked)
        if isinstance(terms, FormErrors):
            return await self.edit(request, Form(PriceTermsForm, form, terms))
        try:
            await self._shop.catalog.change_offer(seller_id, offer.offer_id, asked.price, None, terms)
        except Refusal as refused:
            errors = FormErrors(
                {_FIELDS.get(name, name): words for name, words in errors_of(refused).items()}
            )
            return await self.edit(request, Form(PriceTermsForm, form, errors), refused)
        response = self._pages.redirect(request, f"/desk?said=price#row-{offer.offer_id}")
        response.set_cookie(ZONE, asked.zone, ZONE_KEPT_S, path="/desk", httponly=True, samesite="lax")
        return response

    async def save_markets(self, request: Request) -> Response:
        """Save the prices of its own that the offer has in markets."""
        form = await self._pages.form(request)
        _, seller_id = await seller_of(request)
        offer = await self._offer(request, seller_id)
        shown = {name: form.pop(name) for name in [*form] if name.startswith(_SUGGESTED)}
        prices, errors = read_own_prices(form, offer.currency)
        if shown.pop(_SUGGESTED, ""):  # one press takes them over; what is typed of other markets stays
            rows = await rows_of(self._shop, offer, form)
            suggested = {each.code: each.suggested for each in rows if each.suggested is not None}
            if shown != {f"{_SUGGESTED}_{code}": str(amount) for code, amount in suggested.items()}:
                return await self.edit(request, refused=Stale(_OTHERS_NOW), market_prices=rows)
            prices |= suggested
            errors = FormErrors({name: words for name, words in errors.items() if name not in prices})
        if not errors:
            try:
                await self._shop.catalog.set_own_prices(seller_id, offer.offer_id, prices)
            except Invalid as refused:
                errors = errors_of(refused)
        if errors:
            errors = {name.removeprefix("prices/"): words for name, words in errors.items()}
            rows = await rows_of(self._shop, offer, form, errors)
            return await self.edit(request, market_prices=rows)
        return self._pages.redirect(request, f"/desk/prices/{offer.offer_id}?said=markets#markets")

    async def _offer(self, request: Request, seller_id: SellerId) -> Offer:
        offer_id: OfferId = id_of(request.path_params["offer_id"], OfferId)
        offer = (await self._shop.catalog.offers([offer_id])).get(offer_id)
        if offer is None or offer.seller_id != seller_id or offer.status == "archived":
            raise NotFound("You have no such offer.")
        return offer


def _as_typed(offer: Offer, zone: ZoneInfo | None) -> dict[str, Any]:
    """Write what stands as its seller would have typed it."""
    zone = zone or ZoneInfo("UTC")
    amounts = {
        "price": offer.regular_price,
        "compare_at_price": offer.compare_at_price,
        "sale_price": offer.sale and offer.sale.price,
    }
    times = {
        "sale_from": offer.sale and offer.sale.begins_at,
        "sale_until": offer.sale and offer.sale.ends_at,
    }
    rules = structs.asdict(offer.quantity_rules or QuantityRules())
    return (
        {
            name: "" if each is None else rendering.decimal(each, offer.currency)
            for name, each in amounts.items()
        }
        | {name: "" if at is None else _local(at, zone) for name, at in times.items()}
        | {name: "" if each is None else each for name, each in rules.items()}
        | {"zone": zone.key}
    )


def _local(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


def sale_times(
    zone_name: str, begins: str | None, ends: str | None
) -> tuple[datetime | None, datetime | None] | FormErrors:
    """Read when a sale begins and ends, as they were typed in a time zone."""
    zone = clock.time_zone(zone_name)
    if zone is None:
        return FormErrors({"zone": "A time zone is written as Europe/Vienna, or UTC."})
    times: list[datetime | None] = []
    for name, typed in (("sale_from", begins), ("sale_until", ends)):
        try:
            times.append(
                datetime.fromisoformat(typed).replace(tzinfo=zone).astimezone(UTC) if typed else None
            )
        except (ValueError, OverflowError):
            return FormErrors({name: "There is no such time."})
    return times[0], times[1]


def _terms(asked: PriceTermsForm) -> OfferTerms | FormErrors:
    """Read a sale's times in their zone, and rules of quantity where there are any."""
    times = sale_times(asked.zone, asked.sale_from, asked.sale_until)
    if isinstance(times, FormErrors):
        return times
    if asked.sale_price is None and any(times):
        return FormErrors({"sale_price": "Say what it costs meanwhile."})
    sale = asked.sale_price and SalePrice(price=asked.sale_price, begins_at=times[0], ends_at=times[1])
    rules = QuantityRules(min=asked.min, max=asked.max, step=asked.step, per_customer=asked.per_customer)
    return OfferTerms(
        compare_at_price=asked.compare_at_price or None,
        sale=sale or None,
        quantity_rules=None if rules == QuantityRules() else rules,
    )


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    prices = PricePages(pages, shop)
    return [
        pages.route("/desk/prices/{offer_id}", prices.edit),
        pages.route("/desk/prices/{offer_id}", prices.save, "POST"),
        pages.route("/desk/prices/{offer_id}/markets", prices.save_markets, "POST"),
    ]
