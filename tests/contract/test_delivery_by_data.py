"""Zones and rates of delivery are data: each part is priced by itself, and where nobody sends is refused."""

from datetime import UTC, date, datetime

import pytest
from house import house as house
from house import opened as opened
from one_scene import one_scene
from trade import WIEN, trading
from trade import trade as trade

from mercat import ids
from mercat.checkout.rules import deliveries
from mercat.countries import SERVED
from mercat.fulfilment import (
    DeliveryRate,
    DeliveryZone,
    Fulfilment,
    PartToSend,
    PickupPoint,
    ShippingProfile,
    days,
)
from mercat.fulfilment.days import arrives, leaves
from mercat.fulfilment.zones import built_in, offered, ways_of
from mercat.kit.clock import clock
from mercat.pricing import PartTotal, Totals
from mercat.web.routes import PREFIX

STANDARD = {"code": "standard", "name": "Post", "price": 5.0, "days": 3}


def zone(*methods, countries=("US",), **more):
    return {"name": "Zone", "countries": list(countries), "methods": list(methods or [STANDARD])} | more


async def test_before_anything_is_set_the_built_in_rates_are_shown_and_stand(trade):
    shown = await trade.olga.api("GET", "/operator/shipping-zones", 200)
    assert shown["built_in"] is True
    home = next(each for each in shown["zones"] if each["countries"] == ["US"])
    assert {method["code"]: method["price"] for method in home["methods"]} == {
        "standard": 4.99,
        "express": 12.99,
    }
    again = await trade.olga.api("PUT", "/operator/shipping-zones", 200, shown)
    assert again == shown | {"built_in": False}
    mine = await trade.bob.api("GET", "/seller/shipping-profile", 200)
    assert (mine["zones"], mine["built_in"]) == ([], True)


@pytest.mark.parametrize(("home", "us"), [("DE", "near"), ("JP", "far"), ("KW", "near")])
def test_what_is_home_is_where_the_shop_is(home, us):
    zones = {zone.name.lower(): zone for zone in built_in("EUR", home)}
    assert zones["home"].countries == [home]
    assert "US" in zones[us].countries
    assert zones["home"].methods == built_in("EUR", "US")[0].methods


@pytest.mark.parametrize("home", ["JP", "AU"])
def test_from_a_country_that_is_far_every_other_one_is(home):
    zones = {zone.name.lower(): zone.countries for zone in built_in("EUR", home)}
    assert zones.keys() == {"home", "far"}
    assert zones["home"] == [home]
    assert sorted([home, *zones["far"]]) == sorted(SERVED)


async def test_weight_units_and_free_above_make_the_price_of_a_part(trade):
    rates = [
        STANDARD | {"per_kg": 2.0, "per_item": 0.5, "free_above": 50.0},
        {"code": "light", "name": "Letter", "price": 1.0, "days": 5, "max_weight_g": 1_600},
    ]
    await trade.olga.api("PUT", "/operator/shipping-zones", 200, {"zones": [zone(*rates)]})
    home = await trade.lives()
    cup = await trade.lists(trade.bob, weight_g=750)
    await trade.puts(cup, 2)
    # 1.5 kg and 2 units: 5.00 + 1.5 x 2.00 + 2 x 0.50
    methods = await trade.methods(home)
    assert {code: each["price"] for code, each in methods.items()} == {"standard": 9.0, "light": 1.0}
    assert (await trade.quote(home))["shipping"] == 9.0
    await trade.puts(cup, 1)
    assert {code: each["price"] for code, each in (await trade.methods(home)).items()} == {"standard": 11.0}
    await trade.puts(cup, 2)  # goods are 50.00 now
    assert (await trade.methods(home))["standard"]["price"] == 0
    order = await trade.buys(home)
    assert order["shipping"] == 0


async def test_each_sellers_part_costs_by_their_own_zone_else_by_the_shops(trade):
    express = {"code": "express", "name": "Courier", "price": 15.0, "days": 1}
    await trade.olga.api("PUT", "/operator/shipping-zones", 200, {"zones": [zone(STANDARD, express)]})
    bike = {"code": "bike", "name": "Bike", "price": 2.5, "days": 0}
    mine = {"zones": [zone(bike, subdivisions=["Massachusetts"])]}
    kept = await trade.bob.api("PUT", "/seller/shipping-profile", 200, mine)
    assert kept["zones"][0]["subdivisions"] == ["MA"]
    await trade.puts(await trade.lists(trade.bob))
    await trade.puts(await trade.lists(trade.eve, title="Another cup"))
    boston, austin = await trade.lives(), await trade.lives(region="TX", city="Austin", postal_code="73301")
    methods = await trade.methods(boston)
    # Bob has no express: his part travels by his cheapest; Eve has no bike: hers by the shop's cheapest.
    assert {code: each["price"] for code, each in methods.items()} == {
        "bike": 7.5,
        "standard": 7.5,
        "express": 17.5,
    }
    assert [(part["code"], part["price"]) for part in methods["express"]["parts"]] == [
        ("bike", 2.5),
        ("express", 15.0),
    ]
    assert {code: each["price"] for code, each in (await trade.methods(austin)).items()} == {
        "standard": 10.0,
        "express": 30.0,
    }
    order = await trade.buys(boston, "express")
    assert order["shipping"] == 17.5
    assert [(part["shipping_method"], part["shipping"]) for part in order["parts"]] == [
        ("bike", 2.5),
        ("express", 15.0),
    ]


async def test_where_no_zone_is_nothing_is_bought_and_it_says_what_is_served(trade):
    await trade.olga.api("PUT", "/operator/shipping-zones", 200, {"zones": [zone(countries=["CA", "DE"])]})
    await trade.puts(await trade.lists(trade.bob))
    home = await trade.lives()
    refused = await trade.quote(home, status=422)
    assert (refused["code"], refused["pointer"]) == ("address_not_served", "/shipping_address_id")
    assert refused["served"] == ["CA", "DE"]
    bought = await trade.tries(home)
    assert (bought.status_code, bought.json()["code"]) == (422, "address_not_served")
    assert (await trade.ann.api("GET", "/orders", 200))["orders"] == []
    await trade.bob.api("PUT", "/seller/shipping-profile", 200, {"zones": [zone()]})
    assert (await trade.quote(home))["shipping"] == 5.0


async def test_a_pickup_point_is_a_method_that_may_cost_nothing(trade):
    corner = {
        "code": "corner",
        "name": "Corner shop",
        "price": 0,
        "days": 1,
        "pickup": {"name": "Corner", "address": "1 High St"},
    }
    await trade.olga.api("PUT", "/operator/shipping-zones", 200, {"zones": [zone(STANDARD, corner)]})
    await trade.puts(await trade.lists(trade.bob))
    method = (await trade.methods(await trade.lives()))["corner"]
    assert (method["price"], method["pickup"]["address"]) == (0, "1 High St")


CORNER = PickupPoint("Corner", "1 High St")


def fetched(*units):
    """The one way, fetched at the corner, of a cart with so many units of each seller's."""
    rate = DeliveryRate(code="corner", name="Corner shop", price=0, days=1, pickup=CORNER)
    here = DeliveryZone(name="Here", countries=["US"], methods=[rate])
    parts = [PartToSend(ids.SellerId(7 + n), 100, each) for n, each in enumerate(units)]
    leaving = [date(2026, 12, 7) for _ in parts]
    [method] = offered(parts, [ways_of(part, here, "USD") for part in parts], leaving, "US", "USD")
    return method


@pytest.mark.parametrize(
    ("units", "points"), [([1], [CORNER]), ([0], [None]), ([0, 2], [None, CORNER]), ([2, 0], [CORNER, None])]
)
def test_what_goes_by_letter_is_not_fetched(units, points):
    method = fetched(*units)
    assert [part.pickup for part in method.parts] == points
    assert method.pickup == (CORNER if CORNER in points else None)


def test_who_sends_only_what_a_promotion_gives_has_nobody_elses_point():
    totals = Totals(0, 0, 0, 0, 0, parts=[PartTotal(ids.SellerId(n), 0, 0, 0) for n in (7, 9)])
    parts = deliveries(fetched(1), totals)
    assert [(part.pickup_name, part.pickup_address) for part in parts] == [("Corner", "1 High St"), ("", "")]


@one_scene(
    ("body", "pointer"),
    [
        ({"zones": [zone(countries=["XX"])]}, "/zones/0/countries/0"),
        ({"zones": [zone(countries=[])]}, "/zones/0/countries"),
        ({"zones": [zone(subdivisions=["Atlantis"])]}, "/zones/0/subdivisions/0"),
        ({"zones": [zone(STANDARD, STANDARD)]}, "/zones/0/methods/1/code"),
        ({"zones": [zone(STANDARD | {"price": -1})]}, "/zones/0/methods/0/price"),
        ({"zones": [zone(STANDARD | {"price": 1.005})]}, "/zones/0/methods/0/price"),
        ({"zones": [zone(STANDARD | {"per_kg": "x"})]}, "/zones/0/methods/0/per_kg"),
        ({"zones": [zone(STANDARD | {"days": -1})]}, "/zones/0/methods/0/days"),
        ({"zones": [zone()] * 51}, "/zones"),
        ({"zones": [], "cut_off": "25:00"}, "/cut_off"),
        ({"zones": [], "time_zone": "Mars/Base"}, "/time_zone"),
        ({"zones": [], "holidays": "XX"}, "/holidays"),
    ],
)
async def test_what_cannot_be_is_refused_with_where_it_stands(people, body, pointer):
    for who, path in (
        (people.operator, "/operator/shipping-zones"),
        (people.seller, "/seller/shipping-profile"),
    ):
        refused = await who.put(PREFIX + path, json=body)
        assert refused.status_code == 422, refused.text
        assert refused.json()["pointer"] == pointer
    shown = (await people.operator.get(f"{PREFIX}/operator/shipping-zones")).json()
    assert shown["built_in"] is True


async def test_only_who_may_sets_them(people):
    for who in (people.nobody, people.shopper, people.seller):
        assert (await who.get(f"{PREFIX}/operator/shipping-zones")).status_code in (401, 403)
        assert (await who.put(f"{PREFIX}/operator/shipping-zones", json={"zones": []})).status_code in (
            401,
            403,
        )
    assert (await people.shopper.get(f"{PREFIX}/seller/shipping-profile")).status_code == 403


async def test_delivery_in_yen_has_the_magnitude_of_the_yen(opened):
    async with opened(currency="JPY") as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob, currency="JPY", price=1_000))
        place = {"country": "JP", "region": "Tokyo", "city": "Chiyoda", "postal_code": "100-0001"}
        methods = await trade.methods(await trade.lives(**place))
        assert {code: each["price"] for code, each in methods.items()} == {
            "standard": 1_999,
            "express": 4_499,
        }


async def test_the_same_again_changes_nothing(trade):
    body = {"zones": [zone()], "handling_days": 1, "cut_off": "14:00", "time_zone": "America/New_York"}
    first = await trade.bob.api("PUT", "/seller/shipping-profile", 200, body)
    assert await trade.bob.api("PUT", "/seller/shipping-profile", 200, body) == first
    assert await trade.bob.api("GET", "/seller/shipping-profile", 200) == first
    assert (first["cut_off"], first["handling_days"], first["holidays"]) == ("14:00", 1, None)


def profile(**more):
    return ShippingProfile(**more)


@pytest.mark.parametrize(
    ("now", "told", "day"),
    [
        # Thursday 24 December 2026, 12:00 in Vienna.
        ("2026-12-24T11:00", profile(), "2026-12-24"),
        (
            "2026-12-24T11:00",
            profile(handling_days=0, cut_off="14:00", time_zone="Europe/Vienna"),
            "2026-12-24",
        ),
        # After the cut-off it is the next working day: two holidays follow, and a Sunday.
        (
            "2026-12-24T14:00",
            profile(cut_off="14:00", time_zone="Europe/Vienna", holidays="AT"),
            "2026-12-28",
        ),
        ("2026-12-24T11:00", profile(handling_days=2, holidays="AT"), "2026-12-29"),
        ("2026-12-24T11:00", profile(handling_days=1, holidays=[date(2026, 12, 25)]), "2026-12-28"),
        # In Vienna it is the next day already.
        ("2026-12-01T23:30", profile(handling_days=0, time_zone="Europe/Vienna"), "2026-12-02"),
    ],
)
def test_a_parcel_leaves_after_the_days_of_packing(now, told, day):
    assert leaves(datetime.fromisoformat(now).replace(tzinfo=UTC), told) == date.fromisoformat(day)


def test_carriers_rest_on_sundays_and_on_holidays_of_where_they_bring_it():
    wednesday = date(2026, 12, 23)
    for remembered in (arrives, days._holidays_of):
        remembered.cache_clear()  # as in a new process
    assert arrives(wednesday, 2, "AT") == date(2026, 12, 28)  # not on the 25th, 26th and 27th
    assert arrives(wednesday, 2, "JP") == date(2026, 12, 25)
    assert arrives(wednesday, 2) == date(2026, 12, 25)
    assert arrives(date(2026, 12, 3), 1, "AE") == date(2026, 12, 4)


async def test_each_part_has_its_own_day(pool, settings):
    clock.drive(lambda: datetime(2026, 12, 7, 9, tzinfo=UTC))  # a Monday
    try:
        fulfilment = Fulfilment(await pool("fulfilment"), settings)
        bob, eve = ids.SellerId(7), ids.SellerId(8)
        rate = DeliveryRate(code="standard", name="Post", price=100, days=1)
        zones = [DeliveryZone(name="Here", countries=["US"], methods=[rate])]
        await fulfilment.set_shipping_profile(bob, ShippingProfile(zones=zones, handling_days=2))
        await fulfilment.set_shipping_profile(eve, ShippingProfile(zones=zones))
        [method] = await fulfilment.methods("US", "MA", [PartToSend(bob, 100, 1), PartToSend(eve, 100, 1)])
    finally:
        clock.drive(None)
    assert [part.estimated_delivery for part in method.parts] == [date(2026, 12, 10), date(2026, 12, 8)]
    assert method.estimated_delivery == date(2026, 12, 10)


async def test_a_place_of_its_own_zone_is_not_what_the_country_costs(trade):
    rest, islands = zone(), zone(STANDARD | {"price": 25.0}, subdivisions=["HI", "Alaska"])
    await trade.olga.api(
        "PUT", "/operator/shipping-zones", 200, {"zones": [rest, islands, zone(countries=["AT"])]}
    )
    await trade.puts(await trade.lists(trade.bob))
    prices = [
        (await trade.methods(await trade.lives(**place)))["standard"]["price"]
        for place in (
            {},
            {"region": "Hawaii", "city": "Honolulu", "postal_code": "96801"},
            {"region": "AK", "city": "Juneau", "postal_code": "99801"},
        )
    ]
    assert prices == [5.0, 25.0, 25.0]
    wien = (await trade.ann.api("POST", "/addresses", 201, WIEN))["address_id"]
    assert (await trade.methods(wien))["standard"]["price"] == 5.0
