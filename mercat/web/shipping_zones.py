"""Zones and rates of delivery, as the API takes and shows them: of the shop, and of a seller."""

from datetime import date
from typing import Annotated

from msgspec import Meta, Raw, Struct, field
from starlette.requests import Request

from mercat import money
from mercat.fulfilment import (
    METHODS_MAX,
    SHOP,
    ZONES_MAX,
    CarrierDays,
    Countries,
    CutOff,
    DeliveryRate,
    DeliveryZone,
    HandlingDays,
    Holidays,
    PickupPoint,
    RateCode,
    RateName,
    ShippingProfile,
    Subdivisions,
    TimeZone,
    WeightLimit,
    ZoneName,
    built_in,
)
from mercat.ids import SellerId
from mercat.kit.http import Answer
from mercat.kit.rpc import Caller
from mercat.settings import Settings
from mercat.shop import Shop
from mercat.web.desk.products import seller_id_of
from mercat.web.preconditions import check_seen
from mercat.web.router import PublicRoute
from mercat.web.schemas import Amount, Price, is_given, minor, no_amount


class RateGiven(Struct, frozen=True, kw_only=True):
    """A way of delivery. `price` is for the part; `per_kg` (to the gram) and `per_item` come on top;
    `free_above`: from so much of goods on it is free; `days`: the carrier's."""

    code: RateCode
    name: RateName
    price: Price
    days: CarrierDays
    per_kg: Price = field(default_factory=no_amount)
    per_item: Price = field(default_factory=no_amount)
    free_above: Price = field(default_factory=no_amount)
    max_weight_g: WeightLimit | None = None
    pickup: PickupPoint | None = None


class ZoneGiven(Struct, frozen=True, kw_only=True):
    """Countries, or some subdivisions of them, by code or name."""

    name: ZoneName
    countries: Countries
    methods: Annotated[list[RateGiven], Meta(min_length=1, max_length=METHODS_MAX)]
    subdivisions: Subdivisions = []


class ProfileGiven(Struct, frozen=True, kw_only=True):
    """`holidays`: a country's code, or days; on them and on weekends nothing is packed. `built_in` is not
    read, so that what was shown can be sent back."""

    zones: Annotated[list[ZoneGiven], Meta(max_length=ZONES_MAX)]
    handling_days: HandlingDays | None = None
    cut_off: CutOff | None = None
    time_zone: TimeZone = "UTC"
    holidays: Holidays | None = None
    built_in: bool = False


class RateShown(Struct, frozen=True, kw_only=True):
    code: str
    name: str
    price: Amount
    per_kg: Amount | None
    per_item: Amount | None
    free_above: Amount | None
    days: int
    max_weight_g: int | None
    pickup: PickupPoint | None


class ZoneShown(Struct, frozen=True, kw_only=True):
    name: str
    countries: list[str]
    subdivisions: list[str]
    methods: list[RateShown]


class ProfileShown(Struct, frozen=True, kw_only=True):
    """`built_in`: nothing was set, and these are the rates that the shop comes with."""

    zones: list[ZoneShown]
    handling_days: int | None
    cut_off: str | None
    time_zone: str
    holidays: str | list[date] | None
    built_in: bool


class ShippingZonesApi:
    """Where is sent to, and for how much."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def shipping_zones(self) -> Answer:
        """Show where the shop sends to, and for how much; a seller's own zones come before these. The ETag is
        what setting them may name as If-Match."""
        return await self._shown(SHOP)

    async def set_shipping_zones(self, request: Request, profile: ProfileGiven) -> Answer:
        """Say where the shop sends to, in place of all that was said before. What no zone has is not served:
        buying is then 422 `address_not_served`. Once it is answered, all prices are by it. With If-Match it
        is done only while they are as they were read."""
        return await self._set(request, SHOP, profile)

    async def shipping_profile(self, caller: Caller) -> Answer:
        """Show one's own zones, and how long one packs. What is in none of them costs what the shop says. The
        ETag is what setting them may name as If-Match."""
        return await self._shown(seller_id_of(caller))

    async def set_shipping_profile(self, caller: Caller, request: Request, profile: ProfileGiven) -> Answer:
        """Say where one sends to and how long one packs, in place of all that was said before. With If-Match
        it is done only while that is as it was read."""
        return await self._set(request, seller_id_of(caller), profile)

    async def _shown(self, seller_id: SellerId) -> Answer:
        profile = await self._shop.fulfilment.shipping_profile(seller_id)
        shown = profile or unset(seller_id, self._shop.settings)
        return _answer(shown, self._currency, built_in=profile is None)

    async def _set(self, request: Request, seller_id: SellerId, given: ProfileGiven) -> Answer:
        profile, version = _profile(given, self._currency), None
        if_match = request.headers.get("if-match")
        if if_match is not None:
            stands = await self._shop.fulfilment.shipping_profile(seller_id)
            version = stands.version if stands else 0
            check_seen(if_match, _tag(version))
        kept = await self._shop.fulfilment.set_shipping_profile(seller_id, profile, version)
        return _answer(kept, self._currency, built_in=False)

    @property
    def _currency(self) -> str:
        return self._shop.settings.currency


def unset(seller_id: SellerId, settings: Settings) -> ShippingProfile:
    """Answer what stands while nothing is set: the built-in zones of the shop, none of a seller's own."""
    if seller_id != SHOP:
        return ShippingProfile()
    return ShippingProfile(zones=built_in(settings.currency, settings.home_country))


def _profile(given: ProfileGiven, currency: str) -> ShippingProfile:
    return ShippingProfile(
        zones=[
            DeliveryZone(
                name=zone.name,
                countries=zone.countries,
                subdivisions=zone.subdivisions,
                methods=[
                    _rate(rate, currency, f"/zones/{n}/methods/{m}") for m, rate in enumerate(zone.methods)
                ],
            )
            for n, zone in enumerate(given.zones)
        ],
        handling_days=given.handling_days,
        cut_off=given.cut_off,
        time_zone=given.time_zone,
        holidays=given.holidays,
    )


def _rate(given: RateGiven, currency: str, at: str) -> DeliveryRate:
    def amount(name: str, raw: Raw) -> int | None:
        return minor(raw, currency, f"{at}/{name}") if is_given(raw) else None

    return DeliveryRate(
        code=given.code,
        name=given.name,
        price=minor(given.price, currency, f"{at}/price"),
        days=given.days,
        per_kg=amount("per_kg", given.per_kg) or 0,
        per_item=amount("per_item", given.per_item) or 0,
        free_above=amount("free_above", given.free_above),
        max_weight_g=given.max_weight_g,
        pickup=given.pickup,
    )


def _tag(version: int) -> str:
    return f'"{version}"'


def _answer(profile: ShippingProfile, currency: str, *, built_in: bool) -> Answer:
    return Answer(_shown(profile, currency, built_in=built_in), headers={"ETag": _tag(profile.version)})


def _shown(profile: ShippingProfile, currency: str, *, built_in: bool) -> ProfileShown:
    return ProfileShown(
        zones=[
            ZoneShown(
                name=zone.name,
                countries=zone.countries,
                subdivisions=zone.subdivisions,
                methods=[_rate_shown(rate, currency) for rate in zone.methods],
            )
            for zone in profile.zones
        ],
        handling_days=profile.handling_days,
        cut_off=profile.cut_off,
        time_zone=profile.time_zone,
        holidays=profile.holidays,
        built_in=built_in,
    )


def _rate_shown(rate: DeliveryRate, currency: str) -> RateShown:
    def amount(units: int | None) -> Amount | None:
        return None if units is None else money.shown(units, currency)

    return RateShown(
        code=rate.code,
        name=rate.name,
        price=money.shown(rate.price, currency),
        per_kg=amount(rate.per_kg or None),
        per_item=amount(rate.per_item or None),
        free_above=amount(rate.free_above),
        days=rate.days,
        max_weight_g=rate.max_weight_g,
        pickup=rate.pickup,
    )


_IF_MATCH = {"If-Match": "The ETag of what was seen: it is set only if that still stands."}
API = [
    PublicRoute(
        "GET",
        "/operator/shipping-zones",
        ShippingZonesApi.shipping_zones,
        tag="Running the shop",
        needs="operator",
        shows=ProfileShown,
    ),
    PublicRoute(
        "PUT",
        "/operator/shipping-zones",
        ShippingZonesApi.set_shipping_zones,
        tag="Running the shop",
        needs="operator",
        shows=ProfileShown,
        refuses=["stale"],
        headers=_IF_MATCH,
    ),
    PublicRoute(
        "GET",
        "/seller/shipping-profile",
        ShippingZonesApi.shipping_profile,
        tag="Selling",
        needs="seller",
        scopes=["orders:read", "orders:write"],
        shows=ProfileShown,
    ),
    PublicRoute(
        "PUT",
        "/seller/shipping-profile",
        ShippingZonesApi.set_shipping_profile,
        tag="Selling",
        needs="seller",
        scopes=["orders:write"],
        shows=ProfileShown,
        refuses=["stale"],
        headers=_IF_MATCH,
    ),
]
