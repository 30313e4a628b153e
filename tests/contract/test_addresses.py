"""What people are promised over HTTP of the addresses and cards that they keep."""

import pytest
from contract.test_people import BOB
from house import ANN, credentials
from house import house as house
from house import opened as opened
from journeys.people import HOME
from one_scene import one_scene


@pytest.fixture
async def ann(house):
    return await house.member()


@one_scene("typed", ["TX", "tx", " Texas ", "texas", "US-TX"])
async def test_a_region_is_its_code_however_it_was_typed(ann, typed):
    home = {**HOME, "region": typed, "postal_code": "75001"}
    address_id = (await ann.api("POST", "/addresses", 201, home))["address_id"]
    [address] = (await ann.api("GET", "/addresses", 200))["addresses"]
    await ann.api("DELETE", f"/addresses/{address_id}", 200)
    assert (address["address_id"], address["region"]) == (address_id, "TX")


@one_scene(
    ("country", "region", "postal_code", "code"),
    [
        ("JP", "Tokyo", "100-0001", "13"),
        ("JP", "\u6771\u4eac\u90fd", "100-0001", "13"),
        ("JP", "\u5927\u962a", "530-0001", "27"),  # people leave the suffix out
        ("US", "Washington, D.C.", "20001", "DC"),
        ("CA", "Newfoundland", "A1A 1A1", "NL"),
        ("IN", "Orissa", "751001", "OR"),
        ("IN", "TS", "500001", "TG"),
        ("IT", "Milan", "20121", "MI"),
        ("ES", "Gerona", "17001", "GI"),
        ("CA", "Québec", "H3Z 2Y7", "QC"),
        ("MX", "Ciudad de Mexico", "06082", "CMX"),
        ("IN", "maharashtra", "400001", "MH"),
        ("IT", "Milano", "20121", "MI"),
        ("ES", "Madrid", "28039", "M"),
        ("BR", "Sao Paulo", "01310-100", "SP"),
        ("AU", "New South Wales", "2060", "NSW"),
        ("IE", None, "", None),
        ("HK", "Kowloon", "999077", "Kowloon"),
    ],
)
async def test_an_address_has_the_form_of_its_country(ann, country, region, postal_code, code):
    home = {**HOME, "country": country, "region": region, "postal_code": postal_code}
    await ann.api("POST", "/addresses", 201, home)
    [address] = (await ann.api("GET", "/addresses", 200))["addresses"]
    await ann.api("DELETE", f"/addresses/{address['address_id']}", 200)
    assert address["region"] == code
    assert address["postal_code"] == ("" if country in ("IE", "HK") else postal_code)


@one_scene(
    ("change", "pointer"),
    [
        ({"region": "Calif."}, "/region"),
        ({"region": "Atlantis"}, "/region"),
        ({"region": None}, "/region"),
        ({"country": "JP", "region": "", "postal_code": "100-0001"}, "/region"),
        ({"postal_code": "1234"}, "/postal_code"),
        ({"postal_code": ""}, "/postal_code"),
        ({"country": "GB", "region": None, "postal_code": "12345"}, "/postal_code"),
        ({"country": "AB", "region": None}, "/country"),
        ({"country": "UK", "region": None, "postal_code": "SW1A 1AA"}, "/country"),
        ({"name": "\u200b\u2060"}, "/name"),
        ({"line1": "1 Lane\u202egnal"}, "/line1"),
        ({"city": "Bos\x07ton"}, "/city"),
    ],
)
async def test_what_is_no_address_of_its_country_is_refused_by_field(ann, change, pointer):
    refused = await ann.api("POST", "/addresses", 422, {**HOME, **change})
    assert refused["pointer"] == pointer
    assert (await ann.api("GET", "/addresses", 200))["addresses"] == []


async def test_an_irish_address_needs_no_postal_code(house):
    ann = await house.member()
    home = {name: HOME[name] for name in ("name", "line1")} | {"city": "Dublin", "country": "IE"}
    await ann.api("POST", "/addresses", 201, home | {"region": None, "postal_code": None})
    address_id = (await ann.api("POST", "/addresses", 201, home))["address_id"]
    methods = await ann.api("GET", f"/shipping-methods?address_id={address_id}", 200)
    assert methods["methods"]


async def test_an_address_is_changed_and_removed_by_its_owner_alone(house):
    ann, bob = await house.member(), await house.member(BOB)
    path = f"/addresses/{(await ann.api('POST', '/addresses', 201, HOME))['address_id']}"
    changed = await ann.api("PATCH", path, 200, {"line1": "2 Lane", "line2": "Flat 3"})
    assert (changed["line1"], changed["line2"], changed["city"]) == ("2 Lane", "Flat 3", HOME["city"])
    assert (await ann.api("PATCH", path, 200, {"line2": None}))["line2"] is None
    assert (await ann.api("PATCH", path, 422, {"region": "Calif."}))["pointer"] == "/region"
    assert (await ann.api("PATCH", path, 422, {"country": "GB"}))["pointer"] == "/postal_code"
    moved = await ann.api("PATCH", path, 200, {"country": "DE", "postal_code": "10115"})
    assert moved["region"] is None, "a state is none of another country's"
    await bob.api("PATCH", path, 404, {"line1": "Mine"})
    await bob.api("DELETE", path, 404)
    await ann.api("DELETE", path, 200)
    await ann.api("DELETE", path, 404)
    assert (await ann.api("GET", "/addresses", 200))["addresses"] == []


async def test_one_address_is_the_default(house):
    ann = await house.member()

    async def defaults() -> list[bool]:
        return [each["default"] for each in (await ann.api("GET", "/addresses", 200))["addresses"]]

    first = (await ann.api("POST", "/addresses", 201, HOME))["address_id"]
    second = (await ann.api("POST", "/addresses", 201, {**HOME, "line1": "2 Lane"}))["address_id"]
    assert await defaults() == [False, True]
    assert (await ann.api("PATCH", f"/addresses/{second}", 200, {"default": True}))["default"]
    assert await defaults() == [True, False]
    await ann.api("POST", "/addresses", 201, {**HOME, "line1": "3 Lane", "default": True})
    assert await defaults() == [True, False, False]
    await ann.api("PATCH", f"/addresses/{first}", 200, {"default": True})
    await ann.api("DELETE", f"/addresses/{first}", 200)
    assert await defaults() == [False, True]


async def test_an_address_of_before_in_what_is_no_country_can_still_be_changed(house, db):
    ann = await house.member()
    british = {**HOME, "country": "GB", "region": None, "postal_code": "SW1A 1AA"}
    path = f"/addresses/{(await ann.api('POST', '/addresses', 201, british))['address_id']}"
    await db.execute("update accounts.address set country = 'UK'")
    assert (await ann.api("PATCH", path, 200, {"default": True}))["default"]
    assert (await ann.api("PATCH", path, 422, {"country": "UK"}))["pointer"] == "/country"
    assert (await ann.api("PATCH", path, 200, {"country": "GB"}))["country"] == "GB"


async def test_the_cap_on_addresses_has_a_way_back(house):
    ann = await house.member()
    ways = [await ann.api("POST", "/addresses", 201, HOME) for _ in range(50)]
    assert "Remove one" in (await ann.api("POST", "/addresses", 409, HOME))["detail"]
    await ann.api("DELETE", f"/addresses/{ways[0]['address_id']}", 200)
    await ann.api("POST", "/addresses", 201, HOME)


async def test_what_a_guest_kept_can_be_changed_and_removed_by_the_member(house):
    ann = await house.visitor()
    await ann.api("POST", "/sessions/guest", 201)
    address = (await ann.api("POST", "/addresses", 201, HOME))["address_id"]
    card = (await ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"}))["payment_method_id"]
    await ann.api("POST", "/accounts", 201, ANN)
    await ann.api("POST", "/sessions", 201, credentials(ANN))
    assert (await ann.api("PATCH", f"/addresses/{address}", 200, {"line1": "9 Lane"}))["default"]
    await ann.api("DELETE", f"/addresses/{address}", 200)
    await ann.api("DELETE", f"/payment-methods/{card}", 200)


# -- cards


async def test_a_card_is_made_the_default_and_removed_by_its_owner_alone(house):
    ann, bob = await house.member(), await house.member(BOB)
    cards = [
        (await ann.api("POST", "/payment-methods", 201, {"token": token}))["payment_method_id"]
        for token in ("tok_visa", "tok_3ds")
    ]

    async def defaults() -> list[bool]:
        listed = (await ann.api("GET", "/payment-methods", 200))["payment_methods"]
        return [each["default"] for each in listed]

    assert await defaults() == [False, True]
    path = f"/payment-methods/{cards[1]}"
    assert (await ann.api("PATCH", path, 200, {"default": True}))["default"]
    assert await defaults() == [True, False]
    await ann.api("PATCH", path, 200, {"default": False})
    assert await defaults() == [False, True]
    await bob.api("PATCH", path, 404, {"default": True})
    await bob.api("DELETE", path, 404)
    await ann.api("DELETE", path, 200)
    await ann.api("DELETE", path, 404)
    again = {"token": "tok_declined", "default": True}
    await ann.api("POST", "/payment-methods", 201, again)
    assert await defaults() == [True, False]


async def test_addresses_come_newest_first_and_so_many_at_a_time(house):
    ann = await house.member()
    made = [(await ann.api("POST", "/addresses", 201, HOME))["address_id"] for _ in range(3)]
    first = await ann.api("GET", "/addresses?limit=2", 200)
    assert [each["address_id"] for each in first["addresses"]] == made[:0:-1]
    rest = await ann.api("GET", f"/addresses?limit=2&cursor={first['next_cursor']}", 200)
    assert ([each["address_id"] for each in rest["addresses"]], rest["next_cursor"]) == (made[:1], None)
    everything = await ann.api("GET", "/addresses", 200)
    assert ([each["address_id"] for each in everything["addresses"]], everything["next_cursor"]) == (
        made[::-1],
        None,
    )
    await ann.api("DELETE", f"/addresses/{made[1]}", 200)
    lost = await ann.api("GET", f"/addresses?cursor={made[1]}", 422)
    assert lost["pointer"] == "/cursor"


async def test_an_address_of_more_letters_than_mail_carries_is_none(house):
    asked = {"email": f"{'a' * 65}@shop.example", "password": "Walking-Otter-7", "name": "Ann"}
    refused = await (await house.visitor()).api("POST", "/accounts", 422, asked)
    assert refused["pointer"] == "/email"
