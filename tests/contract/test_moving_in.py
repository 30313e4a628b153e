"""People and orders of a former shop: people are invited, orders are history that nothing is reckoned from."""

# ruff: noqa: E501  rows of exports are as long as they are

import re

import pytest
from journeys.people import until

from mercat.audit import audit
from mercat.cli.moving_in import take_customers, take_orders
from mercat.web.routes import PREFIX

SHOPIFY_PEOPLE = """Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Address1,Default Address Address2,Default Address City,Default Address Province Code,Default Address Country Code,Default Address Zip,Default Address Phone,Phone,Total Spent
'101,Mia,Moor,mia@example.com,yes,,1 Fern St,,Austin,TX,US,78701,'+1 512 555 0100,,20.00
'102,Leo,,leo@example.com,no,,,,,,,,,,0
'103,Ann,Old,ann@example.com,no,,,,,,,,,,0
'104,No,Mail,,no,,,,,,,,,,0
'105,Bad,Place,bad@example.com,no,,2 Fern St,,Nowhere,ZZ,US,78701,,,0
'106,Mia,Again,MIA@example.com,no,,,,,,,,,,0
"""
WOO_PEOPLE = """ID,user_login,user_email,first_name,last_name,billing_address_1,billing_city,billing_state,billing_postcode,billing_country,user_registered
1,zoe,zoe@example.com,Zoe,Lake,3 Hill Rd,Portland,OR,97201,US,2023-02-01 10:00:00
"""
SHOPIFY_ORDERS = """Name,Email,Financial Status,Paid at,Fulfillment Status,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Shipping Name,Shipping Street,Shipping City,Shipping Zip,Shipping Province,Shipping Country,Cancelled at
#1001,mia@example.com,paid,2024-03-01 10:00:00 -0500,fulfilled,USD,30.00,5.00,2.50,37.50,,0.00,Post,2024-03-01 09:59:00 -0500,2,Moss Tee - S,10.00,MT-S,Mia Moor,1 Fern St,Austin,'78701,TX,US,
#1001,mia@example.com,,,,,,,,,,,,,1,River Cup,10.00,RC,,,,,,,
#1002,leo@example.com,refunded,,,USD,8.00,0,0,8.00,,0,,2024-04-01 09:00:00 -0500,1,River Cup,8.00,RC,,,,,,,2024-04-02 09:00:00 -0500
#1003,leo@example.com,paid,,,USD,8.00,0,0,eight,,0,,2024-04-01 09:00:00 -0500,1,River Cup,8.00,RC,,,,,,,
"""


@pytest.fixture
def take(people, tmp_path):
    async def take(verb, content, name="file.csv", **more):
        file = tmp_path / name
        file.write_text(content)
        notes = []
        done = await verb(
            people.shop, file, lambda note: notes.append((note.line, note.field)), dry_run=False, **more
        )
        return done, notes

    return take


async def mail(people, address):
    return await people.shop.notifications.mailbox(20, address)


async def letters(people, address, within):
    async def there():
        return any(within in each.body for each in await mail(people, address))

    await until(there)
    return [each.body for each in await mail(people, address) if within in each.body]


async def signed_in_by_invitation(people, address):
    [text] = await letters(people, address, "/reset/")
    token = re.search(r"/reset/([A-Za-z0-9_.~-]+)", text)
    assert token
    reset = f"{PREFIX}/accounts/password-reset/{token[1]}"
    assert (await people.nobody.post(reset, json={"password": "moss-and-river"})).status_code == 200
    assert (await people.nobody.post(reset, json={"password": "moss-and-river"})).status_code != 200
    said = await people.nobody.post(
        f"{PREFIX}/sessions", json={"email": address, "password": "moss-and-river"}
    )
    assert said.status_code == 201, said.text
    return {"authorization": f"Bearer {said.json()['token']}"}


async def test_people_of_a_former_shop_are_invited(people, take):
    done, notes = await take(take_customers, SHOPIFY_PEOPLE)
    assert (done.rows, done.added, done.unchanged, done.left_out) == (6, 3, 2, 1)
    assert notes == [(5, "email"), (6, "address")]
    again, _ = await take(take_customers, SHOPIFY_PEOPLE)
    assert (again.added, again.unchanged) == (0, 5)
    assert len(await letters(people, "mia@example.com", "/reset/")) == 1
    for password in ("", "password", "!"):
        wrong = {"email": "mia@example.com", "password": password}
        assert (await people.nobody.post(f"{PREFIX}/sessions", json=wrong)).status_code in (401, 422)
    mia = await signed_in_by_invitation(people, "mia@example.com")
    [address] = (await people.nobody.get(f"{PREFIX}/addresses", headers=mia)).json()["addresses"]
    assert (address["line1"], address["region"], address["default"]) == ("1 Fern St", "TX", True)
    assert (address["name"], address["phone"]) == ("Mia Moor", "+1 512 555 0100")
    woo, _ = await take(take_customers, WOO_PEOPLE)
    assert (woo.added, woo.left_out) == (1, 0)
    out = (await people.operator.get(f"{PREFIX}/operator/exports/people.csv")).text
    assert "Zoe Lake" in out
    assert "2023-02-01" in out
    back, _ = await take(take_customers, out)
    assert (back.added, back.left_out) == (0, 0)
    nothing, _ = await take(take_customers, "shop,street\nOurs,High Street\n")
    assert "no file of people" in nothing.unusable


async def test_nobody_is_invited_without_their_address(people, take, db):
    """Where what is written after the account is not, the account is not either: again both are."""
    await db.execute("alter table accounts.address rename to address_away")
    with pytest.raises(Exception, match="address"):
        await take(take_customers, WOO_PEOPLE)
    await db.execute("alter table accounts.address_away rename to address")
    done, notes = await take(take_customers, WOO_PEOPLE)
    assert (done.added, done.unchanged, notes) == (1, 0, [])
    zoe = await signed_in_by_invitation(people, "zoe@example.com")
    [address] = (await people.nobody.get(f"{PREFIX}/addresses", headers=zoe)).json()["addresses"]
    assert (address["line1"], address["default"]) == ("3 Hill Rd", True)


async def test_orders_of_a_former_shop_are_history(people, take, db):
    await take(take_customers, SHOPIFY_PEOPLE)
    before = await db.fetchval("select count(*) from orders.orders")
    done, notes = await take(take_orders, SHOPIFY_ORDERS)
    assert (done.rows, done.added, done.left_out, notes) == (4, 2, 1, [(5, "total")])
    again, _ = await take(take_orders, SHOPIFY_ORDERS)
    assert (again.added, again.changed, again.unchanged) == (0, 0, 2)
    paid, _ = await take(
        take_orders, SHOPIFY_ORDERS.replace("#1002,leo@example.com", "#1002,leo@example.org")
    )
    assert (paid.added, paid.changed, paid.unchanged) == (0, 1, 1)
    mia = await signed_in_by_invitation(people, "mia@example.com")
    [order] = (await people.nobody.get(f"{PREFIX}/orders/imported", headers=mia)).json()["orders"]
    assert order | {"imported_order_id": ""} == {
        "imported_order_id": "",
        "number": "#1001",
        "imported": True,
        "placed_at": "2024-03-01T14:59:00Z",
        "status": "fulfilled",
        "email": "mia@example.com",
        "currency": "USD",
        "subtotal": 30.0,
        "discount": 0.0,
        "shipping": 5.0,
        "tax": 2.5,
        "total": 37.5,
        "address": {
            "name": "Mia Moor",
            "line1": "1 Fern St",
            "city": "Austin",
            "region": "TX",
            "postal_code": "78701",
            "country": "US",
        },
        "lines": [
            {"title": "Moss Tee - S", "sku": "MT-S", "quantity": 2, "unit_price": 10.0},
            {"title": "River Cup", "sku": "RC", "quantity": 1, "unit_price": 10.0},
        ],
    }
    cookie = {"cookie": "mercat_session=" + mia["authorization"].removeprefix("Bearer ")}
    page = (await people.nobody.get("/orders", headers=cookie)).text
    assert "In our former shop" in page
    assert "Moss Tee - S" in page
    assert (await people.nobody.get(f"{PREFIX}/account/export", headers=mia)).json()["imported_orders"] == [
        order
    ]
    # Whose address is not confirmed sees nothing, and neither do others.
    assert (await people.shopper.get(f"{PREFIX}/orders/imported")).json()["orders"] == []
    everybodys = (await people.operator.get(f"{PREFIX}/operator/orders/imported")).json()["orders"]
    assert [each["number"] for each in everybodys] == ["#1002", "#1001"]
    found = (await people.operator.get(f"{PREFIX}/operator/orders/imported?q=MIA@example.com")).json()[
        "orders"
    ]
    assert [each["number"] for each in found] == ["#1001"]
    assert (await people.shopper.get(f"{PREFIX}/operator/orders/imported")).status_code == 403
    # No book knows them.
    assert await db.fetchval("select count(*) from orders.orders") == before
    assert not await db.fetchval("select count(*) from payments.entry")
    async with db.acquire() as connection:
        assert not [each for each in await audit(connection) if each.violations]
    # Who leaves is forgotten there too.
    gone = await people.nobody.request(
        "DELETE", f"{PREFIX}/account", json={"current_password": "moss-and-river"}, headers=mia
    )
    assert gone.status_code == 200

    async def forgotten():
        rows = (await people.operator.get(f"{PREFIX}/operator/orders/imported?q=%231001")).json()["orders"]
        return (rows[0]["email"], rows[0]["address"]) == ("", {})

    await until(forgotten)
