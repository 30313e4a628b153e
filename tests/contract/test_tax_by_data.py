"""Rates of tax are data: the narrowest place counts, and where none is known an order says so."""

import asyncio

import pytest
from house import house as house
from house import opened as opened
from journeys.people import until
from one_scene import one_scene
from trade import WIEN, trading
from trade import trade as trade

from mercat.audit import audit
from mercat.kit import metrics
from mercat.kit.refusals import Invalid
from mercat.pricing import read_rules
from mercat.web.routes import PREFIX

TEXAS = {"country": "US", "subdivision": "Texas", "rate": 0.0625, "shipping_taxed": True, "included": False}
MEMBER_STATES = (
    *("AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE"),
    *("IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE"),
)
AUSTIN = {"region": "TX", "city": "Austin", "postal_code": "73301"}


async def test_a_shop_begins_with_rates_that_have_a_source_and_a_day(people):
    shown = (await people.operator.get(f"{PREFIX}/operator/tax-rates")).json()
    rates = shown["rates"]
    assert shown["built_in"] is True
    assert all(rate["source"] and rate["valid_from"] for rate in rates)
    standard = {
        (rate["country"], rate["subdivision"]): rate
        for rate in rates
        if not rate["class"] and not rate["postal_from"]
    }
    assert len([place for place in standard if place[0] == "US"]) == 51
    assert len([place for place in standard if place[0] == "CA"]) == 13
    for country in [*MEMBER_STATES, "GB", "CH", "NO", "JP", "AU", "KR", "MX", "NZ", "SG"]:
        assert standard[country, None]["included"] is True
    assert standard["US", "TX"]["rate"] == 0.0625
    assert standard["CA", "QC"]["rate"] == 0.14975


async def test_the_narrowest_place_counts_and_a_class_before_the_standard(trade):
    rates = [
        TEXAS | {"subdivision": None, "rate": 0.01},
        TEXAS,
        TEXAS | {"postal_from": "73300", "postal_to": "73399", "rate": 0.0825},
        TEXAS | {"class": "food", "rate": 0},
    ]
    kept = await trade.olga.api("PUT", "/operator/tax-rates", 200, {"rates": rates})
    assert kept["built_in"] is False
    assert await trade.olga.api("PUT", "/operator/tax-rates", 200, kept) == kept
    await trade.puts(await trade.lists(trade.bob, price=100))
    taxes = [
        (await trade.quote(await trade.lives(**place)))["tax"]
        for place in ({}, AUSTIN | {"postal_code": "75001"}, AUSTIN, AUSTIN | {"postal_code": "73301-1234"})
    ]
    # 104.99 at 1 %, 6.25 %, 8.25 % and 8.25 %
    assert taxes == [1.05, 6.56, 8.66, 8.66]
    await trade.puts(await trade.lists(trade.bob, title="Bread", price=10, tax_class="food"))
    quote = await trade.quote(await trade.lives(**AUSTIN))
    assert (quote["subtotal"], quote["tax"], quote["tax_included"]) == (110.0, 8.66, False)


async def test_what_became_of_many_rates_is_in_the_audit_log(trade):
    codes = [{"postal_from": f"73{n:03}", "rate": 0.08} for n in range(400)]
    many = [TEXAS, *(TEXAS | each for each in codes)]
    await trade.olga.api("PUT", "/operator/tax-rates", 200, {"rates": many})
    changed = [*many[:-1], many[-1] | {"rate": 0.09}]
    await trade.olga.api("PUT", "/operator/tax-rates", 200, {"rates": changed})
    [entry, *_] = (await trade.olga.api("GET", "/operator/audit-log", 200))["entries"]
    assert entry["what"] == "set_tax_rates"
    for kept in ("put_in", "taken_out", "73399", "0.09", "0.08"):
        assert kept in str(entry["after"])
    assert "73100" not in str(entry["after"])


async def test_a_fee_is_reckoned_without_the_tax_that_a_price_includes(trade):
    rates = [{"country": "US", "rate": 0.2, "shipping_taxed": True, "included": True}]
    await trade.olga.api("PUT", "/operator/tax-rates", 200, {"rates": rates})
    fees = await trade.bob.api("POST", "/seller/fees/preview", 200, {"price": 120})
    assert [fees[name] for name in ("price", "tax", "commission", "net")] == [120, 20, 10, 90]


@one_scene(
    ("rates", "pointer"),
    [
        ([TEXAS | {"valid_from": "2999-01-01"}], "/rates/0/valid_from"),
        ([TEXAS | {"rate": 1.5}], "/rates/0/rate"),
        ([TEXAS | {"rate": -0.1}], "/rates/0/rate"),
        ([TEXAS | {"rate": "six"}], "/rates/0/rate"),
        ([TEXAS | {"rate": 0.06250001}], "/rates/0/rate"),
        ([TEXAS | {"country": "XX"}], "/rates/0/country"),
        ([TEXAS, TEXAS | {"subdivision": "Atlantis"}], "/rates/1/subdivision"),
        ([TEXAS | {"postal_to": "75999"}], "/rates/0/postal_from"),
        ([TEXAS | {"postal_from": "75999", "postal_to": "75000"}], "/rates/0/postal_to"),
        ([TEXAS | {"postal_from": "75", "postal_to": "75000"}], "/rates/0/postal_to"),
        ([TEXAS, TEXAS | {"subdivision": "NY", "included": True}], "/rates/1/included"),
        ([TEXAS, TEXAS | {"subdivision": "TX"}], "/rates/1"),
        ([TEXAS | {"class": "Food Stuff"}], "/rates/0/class"),
    ],
)
async def test_a_rate_that_cannot_be_is_refused_with_where_it_stands(people, rates, pointer):
    refused = await people.operator.put(f"{PREFIX}/operator/tax-rates", json={"rates": rates})
    assert refused.status_code == 422, refused.text
    assert refused.json()["pointer"] == pointer
    assert (await people.operator.get(f"{PREFIX}/operator/tax-rates")).json()["built_in"] is True


async def test_only_operators_set_rates(people):
    for who in (people.nobody, people.shopper, people.seller):
        assert (await who.get(f"{PREFIX}/operator/tax-rates")).status_code in (401, 403)
        assert (await who.put(f"{PREFIX}/operator/tax-rates", json={"rates": []})).status_code in (401, 403)


async def test_many_who_set_rates_at_once_leave_the_rates_of_one(people):
    bodies = [
        {"rates": [TEXAS | {"rate": rate}, TEXAS | {"subdivision": "NY", "rate": rate}]}
        for rate in (0.1, 0.2)
    ]
    answers = await asyncio.gather(
        *(people.operator.put(f"{PREFIX}/operator/tax-rates", json=body) for body in bodies * 3)
    )
    assert {answer.status_code for answer in answers} == {200}
    rates = (await people.operator.get(f"{PREFIX}/operator/tax-rates")).json()["rates"]
    assert len(rates) == 2
    assert len({rate["rate"] for rate in rates}) == 1


async def test_prices_have_the_tax_in_them_where_the_law_says_so(trade):
    await trade.puts(await trade.lists(trade.bob, price=20))
    wien = (await trade.ann.api("POST", "/addresses", 201, WIEN))["address_id"]
    quote = await trade.quote(wien)
    # 32.99 / 6
    assert (quote["tax"], quote["tax_included"], quote["total"]) == (5.5, True, 32.99)
    order = await trade.buys(wien)
    assert (order["tax"], order["tax_included"], order["total"]) == (5.5, True, 32.99)
    assert sum(line["tax"] for line in order["lines"]) < order["tax"]  # delivery is taxed too


@pytest.mark.parametrize("place", [WIEN, AUSTIN])
async def test_what_was_taxed_goes_back_to_the_cent_and_every_law_holds(trade, db, place):
    cup, pot = (
        await trade.lists(trade.bob, price=9.99),
        await trade.lists(trade.eve, title="A pot", price=3.33),
    )
    await trade.puts(cup, 3)
    await trade.puts(pot, 1)
    order = await trade.buys(await trade.lives(**place))
    assert order["tax"] > 0
    path = f"/orders/{order['order_id']}/cancel"
    line = next(each for each in order["lines"] if each["offer_id"] == cup)
    units = [{"order_line_id": line["order_line_id"], "quantity": 1}]
    await trade.ann.api("POST", path, 200, {"lines": units})
    done = await trade.ann.api("POST", path, 200, {})
    assert done["status"] == "cancelled"
    assert round(sum(refund["amount"] for refund in done["refunds"]), 2) == order["total"]
    async with db.acquire() as connection:
        assert [law for law in await audit(connection) if law.violations] == []


async def test_where_no_rate_is_known_the_order_and_the_operator_are_told(trade):
    await trade.olga.api("PUT", "/operator/tax-rates", 200, {"rates": [TEXAS]})
    await trade.puts(await trade.lists(trade.bob))
    home = await trade.lives()
    quote = await trade.quote(home)
    assert (quote["tax"], quote["tax_note"]) == (0, "rate_unknown")
    order = await trade.buys(home)
    assert (order["tax"], order["tax_note"]) == (0, "rate_unknown")
    before = _counted()

    async def told():
        return (await trade.olga.api("GET", "/operator/tax-rates", 200))["without_rate"]

    await until(told)
    [sold] = await told()
    assert (sold["country"], sold["subdivision"], sold["orders"]) == ("US", "MA", 1)
    assert _counted() >= before
    assert "mercat_orders_without_tax_rate_total" in metrics.metrics().decode()
    seen = await trade.olga.api("GET", f"/operator/orders/{order['order_id']}", 200)
    assert seen["tax_note"] == "rate_unknown"
    assert "No rate of tax is known for US" in await trade.olga.page(f"/operator/orders/{order['order_id']}")
    await trade.puts(await trade.lists(trade.bob, title="Tea"))
    assert (await trade.buys(await trade.lives(**AUSTIN)))["tax_note"] == ""
    assert len(await told()) == 1


async def test_a_shop_that_sells_without_a_rate_meanwhile_may_set_rates(trade):
    await trade.olga.api("PUT", "/operator/tax-rates", 200, {"rates": [TEXAS]})
    await trade.puts(await trade.lists(trade.bob))
    path = f"{PREFIX}/operator/tax-rates"
    seen = await trade.olga.http.get(path)
    assert seen.json()["without_rate"] == []
    await trade.buys(await trade.lives())

    async def sold():
        return (await trade.olga.http.get(path)).headers["ETag"] != seen.headers["ETag"]

    await until(sold)
    if_match = {"If-Match": seen.headers["ETag"]}
    assert (await trade.olga.http.put(path, json={"rates": []}, headers=if_match)).status_code == 200
    assert (await trade.olga.http.put(path, json={"rates": []}, headers=if_match)).status_code == 412


def _counted():
    return metrics.sold_without_rate._value.get()


async def test_rounding_is_a_setting_that_is_kept_with_the_order(opened, db):
    async with opened(tax_rounding="half_even", tax_by="line") as house:
        trade = await trading(house)
        await trade.olga.api(
            "PUT", "/operator/tax-rates", 200, {"rates": [TEXAS | {"shipping_taxed": False}]}
        )
        for title in ("A cup", "A pot"):
            await trade.puts(await trade.lists(trade.bob, title=title, price=10))
        order = await trade.buys(await trade.lives(**AUSTIN))
    assert order["tax"] == 1.24  # 0.625 twice, each to the even cent
    assert tuple(await db.fetchrow("select rounding, taxed_by from orders.orders")) == ("half_even", "line")


async def test_a_business_of_another_member_state_owes_the_tax_itself(opened):
    async with opened(home_country="DE", currency="EUR") as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob, currency="EUR"))

        async def quoted(**more):
            made = await trade.ann.api("POST", "/addresses", 201, WIEN | more)
            return await trade.quote(made["address_id"])

        person, business = await quoted(), await quoted(vat_number="\uff41tu \uff11\uff13585627")
        assert (person["tax_note"], person["tax"]) == ("", 3.83)  # 22.99 / 6
        assert (business["tax_note"], business["tax"]) == ("reverse_charge", 0)
        # without their 20 %: 10.00 is 8.33, delivery 12.99 is 10.82
        assert (person["total"], business["total"], business["tax_included"]) == (22.99, 19.15, False)
        at_home = {"line1": "1 Weg", "city": "Berlin", "postal_code": "10115", "country": "DE"}
        german = await quoted(**at_home, vat_number="DE136695976")
        assert (german["tax_note"], german["tax"]) == ("", 2.39)  # 14.99 x 19/119
        wrong = await trade.ann.api("POST", "/addresses", 422, WIEN | {"vat_number": "ATU13585628"})
        assert wrong["pointer"] == "/vat_number"
        kept = (await trade.ann.api("GET", "/addresses", 200))["addresses"]
        assert [each.get("vat_number") for each in kept] == ["DE136695976", "ATU13585627", None]
        order = await trade.buys(kept[1]["address_id"])
        assert (order["tax"], order["tax_note"], order["total"]) == (0, "reverse_charge", 19.15)
        assert [line["unit_price"] for line in order["lines"]] == [8.33]
        assert order["shipping_address"]["vat_number"] == "ATU13585627"
        assert "reverse charge" in (await trade.ann.page(f"/orders/{order['order_id']}")).lower()


MONACO = {"country": "MC", "city": "Monaco", "postal_code": "98000", "line1": "1 Quai"}
NORTHERN_IRISH, FRENCH = "XI110305878", "FR83404833048"


@pytest.mark.parametrize(
    ("home", "place", "number", "tax", "note"),
    [
        *(
            ("DE", {"country": "GB", "city": city, "postal_code": code}, NORTHERN_IRISH, tax, note)
            for city, code, tax, note in [
                ("Belfast", "BT1 1AA", 0, "reverse_charge"),
                ("London", "SW1A 1AA", 3.83, ""),
            ]
        ),
        ("DE", {"country": "ES", "city": "Arrecife", "region": "GC", "postal_code": "35500"}, FRENCH, 0, ""),
        ("DE", MONACO, FRENCH, 0, "reverse_charge"),
        ("DE", MONACO, None, 3.67, ""),  # 22.99 x 19/119: at origin, as in any member state
        ("FR", MONACO, FRENCH, 3.83, ""),  # 22.99 / 6: at home
        ("MC", {"country": "FR", "city": "Nice", "postal_code": "06000"}, FRENCH, 3.83, ""),
        ("MC", {}, "ATU13585627", 0, "reverse_charge"),
    ],
)
async def test_who_owes_the_tax_goes_by_its_territory_and_not_by_the_country(
    opened, home, place, number, tax, note
):
    async with opened(home_country=home, currency="EUR", eu_distance_sales="origin") as house:
        trade = await trading(house)
        post = {"code": "standard", "name": "Post", "price": 12.99, "days": 7}
        zone = {"name": "Europe", "countries": ["AT", "ES", "FR", "GB", "MC"], "methods": [post]}
        await trade.olga.api("PUT", "/operator/shipping-zones", 200, {"zones": [zone]})
        await trade.puts(await trade.lists(trade.bob, currency="EUR"))
        made = await trade.ann.api("POST", "/addresses", 201, WIEN | place | {"vat_number": number})
        if place == MONACO:
            [kept] = (await trade.ann.api("GET", "/addresses", 200))["addresses"]
            assert kept.get("vat_number") == number
        quote = await trade.quote(made["address_id"])
        assert (quote["tax"], quote["tax_note"]) == (tax, note)


async def test_below_the_threshold_consumers_of_the_eu_pay_the_home_countrys_rate(opened):
    async with opened(home_country="DE", currency="EUR", eu_distance_sales="origin") as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob, currency="EUR"))

        async def tax(**place):
            made = await trade.ann.api("POST", "/addresses", 201, WIEN | place)
            quote = await trade.quote(made["address_id"])
            return quote["tax"], quote["tax_note"]

        assert await tax() == (3.67, "")  # 22.99 x 19/119, not 20/120
        assert await tax(vat_number="ATU13585627") == (0, "reverse_charge")
        london = {"city": "London", "postal_code": "SW1A 1AA", "country": "GB"}
        assert (await tax(**london))[0] == pytest.approx(22.99 / 6, abs=0.5)  # abroad is not the EU


async def test_what_a_business_paid_without_tax_goes_back_to_the_cent(opened, db):
    async with opened(home_country="DE", currency="EUR") as house:
        trade = await trading(house)
        for percent in (10, 5):
            ask = {"name": f"{percent} off", "then": {"percent": percent}}
            await trade.olga.api("POST", "/operator/promotions", 201, ask)
        await trade.puts(await trade.lists(trade.bob, price=9.99, currency="EUR"), 3)
        await trade.puts(await trade.lists(trade.eve, price=3.33, currency="EUR", tax_class="books"))
        made = await trade.ann.api("POST", "/addresses", 201, WIEN | {"vat_number": "ATU13585627"})
        quote = await trade.quote(made["address_id"])
        order = await trade.buys(made["address_id"])
        # 9.99 has 1.67 in it (20 %), 3.33 has 0.30 (10 %)
        assert order["subtotal"] == quote["subtotal"] == 27.99
        assert order["total"] == quote["total"]
        assert sum(round(each["amount"] * 100) for each in order["discounts"]) == round(
            order["discount"] * 100
        )
        path = f"/orders/{order['order_id']}/cancel"
        line = order["lines"][0]["order_line_id"]
        await trade.ann.api("POST", path, 200, {"lines": [{"order_line_id": line, "quantity": 1}]})
        done = await trade.ann.api("POST", path, 200, {})
        assert round(sum(refund["amount"] for refund in done["refunds"]), 2) == order["total"]
        async with db.acquire() as connection:
            assert [law for law in await audit(connection) if law.violations] == []


async def test_who_is_exempt_pays_prices_without_the_tax_in_them(trade):
    me = await trade.ann.api("GET", "/account", 200)
    await trade.olga.api("PUT", f"/operator/tax-exemptions/{me['user_id']}", 200, {"reason": "A school"})
    await trade.puts(await trade.lists(trade.bob, price=12))
    wien = (await trade.ann.api("POST", "/addresses", 201, WIEN))["address_id"]
    quote = await trade.quote(wien)
    assert (quote["subtotal"], quote["tax"], quote["tax_note"]) == (10.0, 0, "exempt")


async def test_an_operator_frees_somebody_of_tax_and_taxes_them_again(trade):
    me = await trade.ann.api("GET", "/account", 200)
    path = f"/operator/tax-exemptions/{me['user_id']}"
    await trade.puts(await trade.lists(trade.bob, price=100))
    austin = await trade.lives(**AUSTIN)
    for _ in range(2):
        freed = await trade.olga.api("PUT", path, 200, {"reason": "A school"})
    assert [each["reason"] for each in freed["exemptions"]] == ["A school"]
    quote = await trade.quote(austin)
    assert (quote["tax"], quote["tax_note"]) == (0, "exempt")
    await trade.olga.api("DELETE", path, 200)
    assert (await trade.quote(austin))["tax"] == 6.56
    assert (await trade.ann.http.put(PREFIX + path, json={"reason": "Me"})).status_code == 403


CSV = b"""# ours
country,subdivision,class,rate,shipping_taxed,included
US,Texas,,0.0625,yes,no

US,TX,food,0,,false
"""


def test_a_file_of_rates_is_csv_or_json():
    rules = read_rules(CSV)
    assert [(rule.subdivision, rule.tax_class, rule.ppm, rule.shipping_taxed) for rule in rules] == [
        ("Texas", "", 62_500, True),
        ("TX", "food", 0, False),
    ]
    assert (
        read_rules(
            b'{"rates": [{"country": "US", "subdivision": "Texas", "rate": 0.0625, "included": false,'
            b' "shipping_taxed": true}, {"country": "US", "subdivision": "TX", "class": "food", "rate": 0,'
            b' "included": false}]}'
        )
        == rules
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"country,rate\nUS,0.1\n", "included"),
        (b"country,rate,included,colour\nUS,0.1,no,red\n", "colour"),
        (b"# remark\ncountry,rate,included\nUS,lots,no\n", "line 3"),
        (b"country,rate,included\nUS,0.1,perhaps\n", "line 2: included"),
        (b"country,rate,included\nAmerica,0.1,no\n", "line 2"),
        (b'{"rates": 5}', "list"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_file_that_is_wrong_says_where(content, says):
    with pytest.raises(Invalid, match=says):
        read_rules(content)
