"""The desk's editor of delivery, the same for a seller and for the shop: zones, rates, days of packing, and
what a parcel would cost."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from mercat.countries import CountryCode
from mercat.fulfilment import (
    COUNTRIES_MAX,
    HOLIDAYS_MAX,
    METHODS_MAX,
    SHOP,
    ZONES_MAX,
    CarrierDays,
    CutOff,
    DeliveryRate,
    DeliveryZone,
    HandlingDays,
    PartToSend,
    PickupAddress,
    PickupName,
    PickupPoint,
    RateAmount,
    RateCode,
    RateName,
    ShippingMethod,
    ShippingProfile,
    Subdivision,
    Subdivisions,
    TimeZone,
    Weight,
    WeightLimit,
    ZoneName,
)
from mercat.ids import SellerId
from mercat.kit import codec
from mercat.kit.refusals import Invalid, NotFound, Refusal, Stale
from mercat.quantity import Quantity
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.errors import message_of
from mercat.web.forms import MONEY, Form, FormErrors, number_in, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.shipping_zones import unset

Cost = Annotated[RateAmount, MONEY]
HOLIDAYS_TEXT_MAX = HOLIDAYS_MAX * len("2026-12-25\n")
OTHERS_TEXT_MAX = COUNTRIES_MAX * len("AT ")
HolidaysText = Annotated[str, Meta(max_length=HOLIDAYS_TEXT_MAX)]
OthersText = Annotated[str, Meta(max_length=OTHERS_TEXT_MAX, pattern=r"^([A-Za-z]{2}([ ,]+|$))*$")]
_SAID = {
    "saved": "Saved. Every price is by it from now on.",
    "removed": "The zone is gone.",
}
_CHANGED = "Somebody else changed this meanwhile. Here is what stands now: change it again."
_TICKED = "in-"
_ROW = "-"
WhoseDesk = Callable[[Request], Awaitable[SellerId]]
Send = Callable[..., Awaitable[Response]]
"""Sends a page of a desk: the request, its template's name, a status, whose it is, and what is shown."""


class HandlingForm(Struct, frozen=True):
    """How long is packed, and when is not."""

    handling_days: HandlingDays | None = None
    cut_off: CutOff | None = None
    time_zone: TimeZone = "UTC"
    holidays: HolidaysText = ""


class ZoneForm(Struct, frozen=True):
    """Where a zone is. `others`: codes of countries that the page does not list."""

    name: ZoneName
    others: OthersText = ""
    subdivisions: Subdivisions = []


class RateForm(Struct, frozen=True):
    """A way of delivery: a row of the zone's form."""

    code: RateCode
    title: RateName
    price: Cost
    days: CarrierDays
    per_kg: Cost | None = None
    per_item: Cost | None = None
    free_above: Cost | None = None
    max_weight_g: WeightLimit | None = None
    pickup_name: PickupName | None = None
    pickup_address: PickupAddress | None = None


class ParcelForm(Struct, frozen=True):
    """A parcel that is not sent: what would it cost?"""

    country: CountryCode
    region: Subdivision | None = None
    weight_g: Weight = 0
    amount: Cost = 0
    units: Quantity = 1


class Preview(NamedTuple):
    """What a parcel would cost, or why it is not sent."""

    methods: list[ShippingMethod]
    why: str = ""


class ShippingEditor:
    """The pages of one desk: below `base`, of the profile that `whose` names."""

    def __init__(self, pages: Pages, shop: Shop, base: str, whose: WhoseDesk, send: Send) -> None:
        self._pages = pages
        self._shop = shop
        self._base = base
        self._whose = whose
        self._send = send
        self._currency = shop.settings.currency

    def routes(self) -> list[Endpoint]:
        """List the routes of this desk."""
        base, route = self._base, self._pages.route
        return [
            route(base, self.overview),
            route(f"{base}/handling", self.save_handling, "POST"),
            route(f"{base}/zones/{{zone}}", self.zone),
            route(f"{base}/zones/{{zone}}", self.save_zone, "POST"),
            route(f"{base}/zones/{{zone}}/remove", self.remove_zone, "POST"),
        ]

    async def overview(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        seller_id = await self._whose(request)
        known, profile = await self._profile(seller_id)
        asked = dict(request.query_params)
        parcel = read_form(asked, ParcelForm, currency=self._currency) if asked.get("country") else None
        preview = None
        if isinstance(parcel, ParcelForm):
            preview = await self._preview(seller_id, parcel)
        return await self._send(
            request,
            "shipping",
            refused.status if refused else (422 if form and form.errors else 200),
            seller_id,
            base=self._base,
            of_shop=seller_id == SHOP,
            known=known,
            profile=profile,
            seen=_seen(profile),
            form=form or Form(HandlingForm, _handling(profile)),
            parcel=Form(ParcelForm, asked, parcel if isinstance(parcel, FormErrors) else None),
            preview=preview,
            places=rendering.COUNTRIES,
            home=self._shop.settings.home_country,
            currency=self._currency,
            said=_SAID.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused else None,
        )

    async def save_handling(self, request: Request) -> Response:
        form = await self._pages.form(request)
        seller_id = await self._whose(request)
        _, profile = await self._profile(seller_id)
        asked = read_form(form, HandlingForm)
        if isinstance(asked, FormErrors):
            return await self.overview(request, Form(HandlingForm, form, asked))
        try:
            changed = structs.replace(
                profile,
                handling_days=asked.handling_days,
                cut_off=asked.cut_off,
                time_zone=asked.time_zone,
                holidays=_holidays(asked.holidays),
            )
            await self._save(seller_id, form, profile, changed)
        except Invalid as refused:
            field = str(refused.facts.get("pointer", "")).removeprefix("/")
            return await self.overview(request, Form(HandlingForm, form, {field: str(refused)}))
        except Stale as refused:
            return await self.overview(request, None, refused)
        return self._pages.redirect(request, f"{self._base}?said=saved")

    async def zone(self, request: Request) -> Response:
        """Show a zone with its rates, and room for another."""
        seller_id = await self._whose(request)
        _, profile = await self._profile(seller_id)
        n = self._place(request, profile)
        given = _given(profile.zones[n] if n is not None else None, self._currency)
        return await self._zone_page(request, seller_id, profile, n, Form((ZoneForm, RateForm), given))

    async def save_zone(self, request: Request) -> Response:
        form = await self._pages.form(request)
        seller_id = await self._whose(request)
        _, profile = await self._profile(seller_id)
        n = self._place(request, profile)
        zone = _read_zone(form, self._currency)
        if isinstance(zone, FormErrors):
            shown = Form((ZoneForm, RateForm), form, zone)
            return await self._zone_page(request, seller_id, profile, n, shown, status=422)
        zones = [*profile.zones, zone] if n is None else _replaced(profile.zones, n, zone)
        try:
            await self._save(seller_id, form, profile, structs.replace(profile, zones=zones))
        except Refusal as refused:
            shown = Form((ZoneForm, RateForm), form, {"": str(refused)})
            return await self._zone_page(request, seller_id, profile, n, shown, status=refused.status)
        return self._pages.redirect(request, f"{self._base}?said=saved")

    async def remove_zone(self, request: Request) -> Response:
        form = await self._pages.form(request)
        seller_id = await self._whose(request)
        _, profile = await self._profile(seller_id)
        n = self._place(request, profile)
        zones = [zone for m, zone in enumerate(profile.zones) if m != n]
        try:
            await self._save(seller_id, form, profile, structs.replace(profile, zones=zones))
        except Refusal as refused:
            return await self.overview(request, None, refused)
        return self._pages.redirect(request, f"{self._base}?said=removed")

    async def _zone_page(
        self,
        request: Request,
        seller_id: SellerId,
        profile: ShippingProfile,
        n: int | None,
        form: Form,
        status: int = 200,
    ) -> Response:
        rows = max(_rows(form.given) + 1, 1)
        return await self._send(
            request,
            "shipping_zone",
            status,
            seller_id,
            base=self._base,
            n=n,
            zone=profile.zones[n] if n is not None else None,
            seen=_seen(profile),
            form=form,
            rows=range(min(rows, METHODS_MAX)),
            places=rendering.COUNTRIES,
            currency=self._currency,
        )

    async def _save(
        self, seller_id: SellerId, form: Mapping[str, Any], stood: ShippingProfile, profile: ShippingProfile
    ) -> None:
        if form.get("seen") != _seen(stood):
            raise Stale(_CHANGED)
        try:
            await self._shop.fulfilment.set_shipping_profile(seller_id, profile, stood.version)
        except Stale:
            raise Stale(_CHANGED) from None

    async def _profile(self, seller_id: SellerId) -> tuple[bool, ShippingProfile]:
        """Return what stands, and whether somebody set it."""
        known = await self._shop.fulfilment.shipping_profile(seller_id)
        return known is not None, known or unset(seller_id, self._shop.settings)

    async def _preview(self, seller_id: SellerId, asked: ParcelForm) -> Preview:
        part = PartToSend(seller_id, asked.amount, asked.units, asked.weight_g)
        try:
            methods = await self._shop.fulfilment.methods(asked.country, asked.region or "", [part])
        except Refusal as refused:
            return Preview([], str(refused))
        return Preview(methods)

    def _place(self, request: Request, profile: ShippingProfile) -> int | None:
        """Read which zone an address is about; None: a new one."""
        named = request.path_params["zone"]
        if named == "new":
            return None
        n = number_in(named, -1, 0, ZONES_MAX)
        if not 0 <= n < len(profile.zones):
            raise NotFound("There is no such zone.")
        return n


def _seen(profile: ShippingProfile) -> str:
    """Say what a profile looked like, so that nobody saves over what they did not see."""
    return sha256(codec.encode(profile)).hexdigest()


def _replaced(zones: list[DeliveryZone], n: int, zone: DeliveryZone) -> list[DeliveryZone]:
    return [zone if m == n else each for m, each in enumerate(zones)]


def _handling(profile: ShippingProfile) -> dict[str, str]:
    kept = profile.holidays
    holidays = kept if isinstance(kept, str) else "\n".join(day.isoformat() for day in kept or ())
    days = profile.handling_days
    return {
        "handling_days": "" if days is None else str(days),
        "cut_off": profile.cut_off or "",
        "time_zone": profile.time_zone,
        "holidays": holidays,
    }


def _holidays(typed: str) -> str | list[date] | None:
    words = typed.split()
    if not words:
        return None
    if len(words) == 1 and words[0].isalpha():
        return words[0].upper()
    try:
        return [date.fromisoformat(each) for each in words]
    except ValueError:
        raise Invalid(
            "A country's code, or days such as 2026-12-25, one a line.", pointer="/holidays"
        ) from None


def _given(zone: DeliveryZone | None, currency: str) -> dict[str, str]:
    """Fill a zone's form with what it is."""
    if zone is None:
        return {}
    listed = dict(rendering.COUNTRIES)
    given = {f"{_TICKED}{code}": "1" for code in zone.countries if code in listed}
    given |= {
        "name": zone.name,
        "others": " ".join(code for code in zone.countries if code not in listed),
        "subdivisions": "\n".join(zone.subdivisions),
    }
    for n, rate in enumerate(zone.methods):
        row = {
            "code": rate.code,
            "title": rate.name,
            "price": rendering.decimal(rate.price, currency),
            "days": str(rate.days),
            "per_kg": rendering.decimal(rate.per_kg, currency) if rate.per_kg else "",
            "per_item": rendering.decimal(rate.per_item, currency) if rate.per_item else "",
            "free_above": "" if rate.free_above is None else rendering.decimal(rate.free_above, currency),
            "max_weight_g": str(rate.max_weight_g or ""),
            "pickup_name": rate.pickup.name if rate.pickup else "",
            "pickup_address": rate.pickup.address if rate.pickup else "",
        }
        given |= {f"{name}{_ROW}{n}": value for name, value in row.items()}
    return given


def _rows(given: Mapping[str, Any]) -> int:
    """Count the rows of rates that a form has something in."""
    return 1 + max((n for n in range(METHODS_MAX) if _row(given, n)), default=-1)


def _row(given: Mapping[str, Any], n: int) -> dict[str, str]:
    names = RateForm.__struct_fields__
    row = {name: str(given.get(f"{name}{_ROW}{n}", "")).strip() for name in names}
    return {name: value for name, value in row.items() if value}


def _read_zone(form: Mapping[str, str], currency: str) -> DeliveryZone | FormErrors:
    """Read a zone's form; a row without anything is none, nor is one that is to go."""
    asked = read_form(form, ZoneForm)
    errors = FormErrors(asked if isinstance(asked, FormErrors) else {})
    rates: list[DeliveryRate] = []
    for n in range(METHODS_MAX):
        row = _row(form, n)
        if not row or form.get(f"remove{_ROW}{n}"):
            continue
        rate = read_form(row, RateForm, currency=currency)
        if isinstance(rate, FormErrors):
            errors |= {f"{name}{_ROW}{n}": words for name, words in rate.items()}
        else:
            rates.append(_rate(rate))
    countries = [name.removeprefix(_TICKED) for name in form if name.startswith(_TICKED)]
    if isinstance(asked, ZoneForm):
        countries += asked.others.replace(",", " ").upper().split()
    if not countries:
        errors["others"] = "Tick a country, or write its code."
    if not rates and not errors:
        errors[f"code{_ROW}0"] = "A zone needs a way of delivery."
    if errors or isinstance(asked, FormErrors):
        return errors
    return DeliveryZone(name=asked.name, countries=countries, methods=rates, subdivisions=asked.subdivisions)


def _rate(asked: RateForm) -> DeliveryRate:
    name, address = asked.pickup_name, asked.pickup_address
    pickup = PickupPoint(name or asked.title, address or name or asked.title) if name or address else None
    return DeliveryRate(
        code=asked.code,
        name=asked.title,
        price=asked.price,
        days=asked.days,
        per_kg=asked.per_kg or 0,
        per_item=asked.per_item or 0,
        free_above=asked.free_above,
        max_weight_g=asked.max_weight_g,
        pickup=pickup,
    )
