"""Who remits the tax of what sellers sell: the shop where a setting says so, the seller elsewhere."""

import pytest
from house import opened as opened
from journeys.people import new_key, until
from trade import WIEN, trading

from mercat.audit import audit
from mercat.checkout.messages import Destination
from mercat.checkout.rules import shop_remits
from mercat.ids import OrderId, parse
from mercat.settings import WrongSetting, load, named
from mercat.web.routes import PREFIX

BOSTON = {"region": "MA", "postal_code": "02110"}


@pytest.mark.parametrize(
    ("where", "country", "region", "is_so"),
    [
        ("*", "US", "MA", True),
        ("", "US", "MA", False),
        ("US-CA,US-MA", "US", "Massachusetts", True),
        ("US-CA, US-MA", "us", "ma", True),
        ("US-CA", "US", "MA", False),
        ("AT", "AT", "", True),
        ("AT", "DE", "", False),
        ("US", "US", "TX", True),
    ],
)
def test_where_the_shop_remits(where, country, region, is_so):
    assert shop_remits(named(where), Destination(country, region)) is is_so


def test_what_is_no_place_stops_the_start():
    assert load({"MERCAT_SHOP_REMITS_TAX": "US-CA,AT"}).shop_remits_tax == "US-CA,AT"
    with pytest.raises(WrongSetting, match="SHOP_REMITS_TAX"):
        load({"MERCAT_SHOP_REMITS_TAX": "California"})


async def postings(db, account):
    """What is booked on an account, by kind of entry."""
    rows = await db.fetch(
        "select e.kind, sum(u.amount)::bigint as amount from payments.entry e, "
        "unnest(accounts, amounts) as u (account, amount) where u.account = $1 group by 1",
        account,
    )
    return {row["kind"]: row["amount"] for row in rows}


async def sellers_of(db, order):
    rows = await db.fetch(
        "select distinct seller_id from orders.line where order_id = $1", parse(OrderId, order["order_id"])
    )
    return [row["seller_id"] for row in rows]


async def laws(db):
    async with db.acquire() as connection:
        return [law for law in await audit(connection) if law.violations]


async def refunds(trade, order, units):
    line = order["lines"][0]["order_line_id"]
    body = {"lines": [{"order_line_id": line, "quantity": units}], "reason": "Broken"}
    path = f"{PREFIX}/operator/orders/{order['order_id']}/refunds"
    answer = await trade.olga.http.post(path, json=body, headers={"idempotency-key": new_key()})
    assert answer.status_code == 201, answer.text


async def lines_of(db, kind, count):
    async def there():
        return await db.fetchval("select count(*) from payments.seller_line where kind = $1", kind) >= count

    await until(there, 30)
    return [
        row["amount"]
        for row in await db.fetch(
            "select amount from payments.seller_line where kind = $1 order by line_id", kind
        )
    ]


@pytest.mark.parametrize("place", [BOSTON, WIEN])
async def test_elsewhere_the_tax_is_the_sellers_and_goes_back_with_refunds(opened, db, place):
    """Whether it comes on top of the price, or is in it."""
    async with opened(shop_remits_tax="US-CA") as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob, price=100), 3)
        await trade.puts(await trade.lists(trade.eve, price=33))
        order = await trade.buys(await trade.lives(**place))
        assert await postings(db, "tax") == {}
        taxes = await lines_of(db, "tax", 2)
        assert sum(taxes) == round(order["tax"] * 100)
        bob, eve = await sellers_of(db, order)
        booked = [(await postings(db, f"tax:{each}"))["capture"] for each in (bob, eve)]
        assert sorted(booked) == sorted(-tax for tax in taxes)
        await refunds(trade, order, 1)
        await refunds(trade, order, 2)
        back = await lines_of(db, "tax", 4)
        assert all(tax < 0 for tax in back[2:])
        of_refunds = [(await postings(db, f"tax:{each}")).get("refund", 0) for each in (bob, eve)]
        assert sum(of_refunds) == -sum(back[2:])
        assert await laws(db) == []


async def test_where_the_shop_remits_nothing_of_it_is_a_sellers(opened, db):
    async with opened(shop_remits_tax="US-MA") as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob, price=100))
        order = await trade.buys(await trade.lives(**BOSTON))
        assert await postings(db, "tax") == {"capture": -625}
        [bob] = await sellers_of(db, order)
        assert await postings(db, f"tax:{bob}") == {}
        await refunds(trade, order, 1)
        assert (await postings(db, "tax"))["refund"] == 625
        assert await laws(db) == []


async def test_it_is_paid_out_and_stands_on_the_statement(opened, db):
    async with opened(shop_remits_tax="", payout_hold_days=0) as house:
        trade = await trading(house)
        account = {"holder": "Bob", "account": "000123456789", "bank": "BANKUS33"}
        await trade.bob.api("PUT", "/seller/payout-account", 200, account)
        await trade.puts(await trade.lists(trade.bob, price=100))
        order = await trade.buys(await trade.lives(**BOSTON))
        await lines_of(db, "tax", 1)
        [bob] = await sellers_of(db, order)
        await db.execute(
            "insert into payments.seller_part (order_id, seller_id, available_at) select distinct order_id, "
            "seller_id, now() - interval '1 hour' from payments.seller_line where order_id <> 0 "
            "on conflict (order_id, seller_id) do update set available_at = excluded.available_at"
        )
        await trade.olga.api("POST", "/operator/payouts/run", 200, {"dry_run": False})
        entry = await db.fetchrow("select accounts, amounts from payments.entry where kind = 'payout'")
        assert entry["accounts"][3] == f"tax:{bob}"
        assert entry["amounts"][3] == 625
        assert sum(entry["amounts"]) == 0
        [payout] = (await trade.bob.api("GET", "/seller/payouts", 200))["payouts"]
        page = await trade.bob.page(f"/desk/money/{payout['payout_id']}")
        assert "Tax that the seller remits" in page
        assert "Tax that does not stand here is remitted by the shop." in page
        assert await laws(db) == []
