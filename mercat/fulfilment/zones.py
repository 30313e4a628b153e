"""What the delivery of each part costs by zones, and what a cart is offered: decisions without IO."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from msgspec import structs

from mercat import money
from mercat.addresses import known_country, known_region, region_code, regions
from mercat.countries import zones_from
from mercat.fulfilment.days import arrives, has_holidays
from mercat.fulfilment.messages import (
    SHOP,
    DeliveryRate,
    DeliveryZone,
    PartRate,
    PartToSend,
    ShippingMethod,
    ShippingProfile,
)
from mercat.fulfilment.rates import rates
from mercat.fulfilment.rules import price
from mercat.ids import SellerId
from mercat.kit import clock
from mercat.kit.refusals import Invalid

Profiles = Mapping[SellerId, ShippingProfile]
_KILOGRAM = 1_000
_KNOWN_MAX = 4_096


class Way(NamedTuple):
    """How a part can travel, and what that costs."""

    rate: DeliveryRate
    price: int


def built_in(currency: str, home: str) -> list[DeliveryZone]:
    """Answer the zones of a shop that has set none: those of its built-in rates, from its home country."""
    zones: dict[tuple[DeliveryRate, ...], list[str]] = {}
    reached = zones_from(home)
    for code, zone in reached.items():
        known = tuple(
            DeliveryRate(code=method, name=name, price=price(rate.cents, currency), days=rate.days)
            for method, name, rate in rates(zone, code, "")
        )
        zones.setdefault(known, []).append(code)
    return [
        DeliveryZone(name=reached[codes[0]].capitalize(), countries=codes, methods=list(known))
        for known, codes in zones.items()
    ]


def zone_of(zones: Iterable[DeliveryZone], country: str, region: str) -> DeliveryZone | None:
    """Find the zone of a place: one of its subdivision before one of its country, then the first."""
    wide = None
    for zone in zones:
        if country in zone.countries:
            if region and region in zone.subdivisions:
                return zone
            if not zone.subdivisions and wide is None:
                wide = zone
    return wide


def zone_for(
    profiles: Profiles, currency: str, home: str, seller_id: SellerId, country: str, region: str
) -> DeliveryZone | None:
    """Find what counts for a part: the seller's own zone, else the shop's; built-in rates where the shop has
    set no zones."""
    own, shop = profiles.get(seller_id), profiles.get(SHOP)
    found = zone_of(own.zones, country, region) if own else None
    if found or shop:
        return found or (zone_of(shop.zones, country, region) if shop else None)
    return _built_in_zone(country, region, currency, home)


@lru_cache(_KNOWN_MAX)
def _built_in_zone(country: str, region: str, currency: str, home: str) -> DeliveryZone | None:
    zone = zones_from(home).get(country)
    if zone is None:
        return None
    methods = [
        DeliveryRate(code=code, name=name, price=price(rate.cents, currency), days=rate.days)
        for code, name, rate in rates(zone, country, region)
    ]
    return DeliveryZone(name="Built in", countries=[country], methods=methods)


def served_by(profiles: Profiles, home: str, seller_id: SellerId) -> list[str]:
    """List the countries that a seller's goods go to, some of them perhaps in part."""
    own, shop = profiles.get(seller_id), profiles.get(SHOP)
    zones = [*(own.zones if own else ()), *(shop.zones if shop else ())]
    reached = {country for zone in zones for country in zone.countries}
    return sorted(reached if shop else reached | zones_from(home).keys())


def served(profiles: Profiles, home: str) -> list[str]:
    """List the countries that somebody sends to."""
    sellers = {SHOP, *profiles}
    return sorted({country for seller_id in sellers for country in served_by(profiles, home, seller_id)})


def ways_of(part: PartToSend, zone: DeliveryZone, currency: str, wanted: str | None = None) -> list[Way]:
    """List how a part can travel, the cheapest first; not what it is too heavy for. Where it can travel as is
    `wanted`, that alone."""
    fitting = [
        rate for rate in zone.methods if rate.max_weight_g is None or part.weight_g <= rate.max_weight_g
    ]
    rates = [rate for rate in fitting if rate.code == wanted] or fitting
    step = money.step(currency)
    ways = [Way(rate, _price_of(rate, part, step)) for rate in rates]
    return sorted(ways, key=lambda way: (way.price, way.rate.days)) if len(ways) > 1 else ways


def offered(
    parts: Sequence[PartToSend],
    ways: Sequence[Sequence[Way]],
    leaving: Sequence[date],
    country: str,
    currency: str,
    wanted: str | None = None,
) -> list[ShippingMethod]:
    """List what a cart is offered: every method that a part has, or the one that is `wanted`; the cheapest
    first.

    A part whose seller does not have that method travels by its own cheapest one that is brought."""
    codes: dict[str, DeliveryRate] = {}
    for each in ways:
        for way in each:
            codes.setdefault(way.rate.code, way.rate)
    if wanted is not None:
        codes = {wanted: codes[wanted]} if wanted in codes else {}
    methods: list[ShippingMethod] = []
    for code, rate in codes.items():
        rated: list[PartRate] = []
        for part, each, leaves in zip(parts, ways, leaving, strict=True):
            way = _nearest(each, code)
            day = arrives(leaves, way.rate.days, country)
            by = way.rate
            fetched = by.pickup if part.units else None
            rated.append(PartRate(part.seller_id, way.price, day, by.code, by.name, fetched))
        methods.append(
            ShippingMethod(
                code=code,
                name=rate.name,
                price=sum([each.price for each in rated]),
                currency=currency,
                estimated_delivery=max([each.estimated_delivery for each in rated]),
                days=rate.days,
                parts=rated,
                pickup=next((each.pickup for each in rated if each.code == code and each.pickup), None),
            )
        )
    return sorted(methods, key=lambda method: (method.price, method.estimated_delivery))


def _nearest(ways: Sequence[Way], code: str) -> Way:
    for way in ways:
        if way.rate.code == code:
            return way
    return next((way for way in ways if way.rate.pickup is None), ways[0])


def _price_of(rate: DeliveryRate, part: PartToSend, step: int) -> int:
    if not part.units:
        return 0
    if rate.free_above is not None and part.amount >= rate.free_above:
        return 0
    by_weight, rest = divmod(rate.per_kg * part.weight_g, _KILOGRAM * step)
    by_weight += 2 * rest >= _KILOGRAM * step
    return rate.price + by_weight * step + rate.per_item * part.units


def checked(profile: ShippingProfile) -> ShippingProfile:
    """Bring a profile into its form; Invalid points to what cannot be."""
    if clock.time_zone(profile.time_zone) is None:
        raise Invalid("This is no time zone, as Europe/Vienna is.", pointer="/time_zone")
    kept = profile.holidays
    if isinstance(kept, str) and not has_holidays(kept):
        raise Invalid(
            "The holidays of this country are not known: list the days instead.", pointer="/holidays"
        )
    zones = [_checked_zone(zone, f"/zones/{n}") for n, zone in enumerate(profile.zones)]
    return structs.replace(profile, zones=zones, holidays=kept.upper() if isinstance(kept, str) else kept)


def _checked_zone(zone: DeliveryZone, at: str) -> DeliveryZone:
    given = enumerate(zone.countries)
    countries = list(dict.fromkeys(known_country(each, f"{at}/countries/{n}") for n, each in given))
    subdivisions = [
        _subdivision(each, countries, f"{at}/subdivisions/{n}") for n, each in enumerate(zone.subdivisions)
    ]
    codes: set[str] = set()
    for n, method in enumerate(zone.methods):
        if method.code in codes:
            raise Invalid("This code is in the zone already.", pointer=f"{at}/methods/{n}/code")
        codes.add(method.code)
    return structs.replace(zone, countries=countries, subdivisions=list(dict.fromkeys(subdivisions)))


def _subdivision(given: str, countries: Sequence[str], at: str) -> str:
    listed = [country for country in countries if regions(country)]
    for country in listed:
        if code := region_code(country, given):
            return code
    if len(listed) == len(countries):
        raise Invalid("There is no such state, province or prefecture.", pointer=at)
    return known_region(next(each for each in countries if each not in listed), given)
