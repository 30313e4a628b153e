"""Bad input on every route of the table: a problem document, never a 500. The whole shop, on real engines."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
from openapi_spec_validator import validate

from mercat import web
from mercat.ids import CheckoutId, Id
from mercat.kit.http import BODY_BYTES_MAX
from mercat.kit.refusals import Refusal
from mercat.web.openapi import document, markdown, refusals
from mercat.web.router import PublicRoute
from mercat.web.routes import PREFIX, TABLE

RECEIVED = {
    "lines": [{"order_line_id": "oli_0000000000001", "quantity": 1, "condition": "sellable"}],
    "withheld": {"amount": 1, "reason": "It was used."},
}
PROMOTION = {"name": "Ten off", "then": {"percent": 10}}
ZONES = {
    "zones": [
        {
            "name": "Home",
            "countries": ["US"],
            "methods": [{"code": "standard", "name": "Standard", "price": 5, "days": 3}],
        }
    ]
}
BODIES: dict[str, dict[str, Any]] = {
    "add_promotion": PROMOTION,
    "change_promotion": {"name": "Eleven off"},
    "add_own_promotion": PROMOTION,
    "change_own_promotion": {"name": "Eleven off"},
    "preview": {"items": [{"offer_id": "off_0000000000001", "quantity": 1}]},
    "make_codes": {"count": 1},
    "make_own_codes": {"count": 1},
    "set_groups": {"groups": ["staff"]},
    "add_code": {"code": "TEN"},
    "set_tax_rates": {"rates": [{"country": "US", "rate": 0.05, "shipping_taxed": False, "included": False}]},
    "set_markets": {"markets": [{"code": "eu", "name": "Euroland", "countries": ["AT"], "percent": 20}]},
    "set_offer_prices": {"prices": {}},
    "exempt_from_tax": {"reason": "A charity."},
    "set_shipping_zones": ZONES,
    "set_shipping_profile": ZONES,
    "edit_review": {"stars": 4},
    "report_review": {"reason": "Rude."},
    "reply_to_review": {"body": "Thank you."},
    "hide_review": {"reason": "Rude."},
    "alert_wishlist": {"alerts": False},
    "add_wishlist": {"name": "Gifts"},
    "rename_wishlist": {"name": "Gifts"},
    "set_invoice_details": {"details": "Bob's Bazaar Ltd"},
    "add_webhook": {"url": "https://example.com/hook", "events": ["order.placed"]},
    "add_item": {"product_id": "prod_0000000000001", "quantity": 1},
    "change_item": {"quantity": 1},
    "add_gift_card": {"code": "0000-0000-0000-0000-0000"},
    "make_gift_card": {"amount": 20, "currency": "USD"},
    "give_store_credit": {"amount": 5, "reason": "A late parcel."},
    "quote": {"shipping_address_id": "adr_0000000000001", "shipping_method": "standard"},
    "buy": {
        "shipping_address_id": "adr_0000000000001",
        "payment_method_id": "pm_0000000000001",
        "shipping_method": "standard",
        "quote_id": "quo_x",
        "email": "ann@example.com",
        "expected_total": 1,
    },
    "ask_return": {
        "lines": [{"order_line_id": "oli_0000000000001", "quantity": 1}],
        "reason": "arrived_late",
        "comment": "A week late.",
    },
    "return_sent": {"carrier": "Post", "tracking_number": "R-1"},
    "refuse_return": {"reason": "It was worn."},
    "operator_refuses_return": {"reason": "It was worn."},
    "receive_return": RECEIVED,
    "operator_receives_return": RECEIVED,
    "register": {"email": "new@example.com", "password": "correct horse", "name": "New"},
    "sign_in": {"email": "ann@example.com", "password": "wrong"},
    "change_account": {"name": "Ann", "current_password": "wrong"},
    "ask_reset": {"email": "ann@example.com"},
    "change_address": {"line1": "2 Lane", "default": True},
    "change_payment_method": {"default": True},
    "confirm_two_factor": {"code": "000000"},
    "end_two_factor": {"code": "000000"},
    "choose_notifications": {"wanted": {"price_drop": False}},
    "leave": {"current_password": "wrong"},
    "preview_prices": {"price": {"percent": -10}},
    "edit_prices": {"price": {"percent": -10}, "seen": "0"},
    "make_api_key": {"name": "warehouse", "scopes": ["webhooks"]},
    "reset_password": {"password": "correct horse"},
    "add_address": {
        "name": "Ann",
        "line1": "1 Lane",
        "line2": "",
        "city": "Boston",
        "region": "MA",
        "postal_code": "02110",
        "country": "US",
        "phone": "1",
    },
    "add_payment_method": {"token": "tok_visa"},
    "offer_product": {"product_id": "prod_0000000000001", "price": 5.0, "quantity": 1, "condition": "new"},
    "abandon": {"key": "a-key-that-nobody-used"},
    "review": {"stars": 5, "title": "Good", "body": "Very good."},
    "register_seller": {"name": "A seller"},
    "list_product": {
        "title": "Cup",
        "description": "A cup.",
        "category": "cups",
        "brand": "Ours",
        "price": 12.5,
        "currency": "USD",
        "quantity": 3,
        "attributes": {"colour": "red"},
        "images": [],
    },
    "change_product": {
        "title": "Cup",
        "description": "A cup.",
        "category": "cups",
        "brand": "Ours",
        "attributes": {"colour": "red"},
        "images": ["/a.png"],
    },
    "change_offer": {"price": 3, "status": "paused"},
    "count_stock": {"quantity": 3},
    "set_low_mark": {"low_mark": 3},
    "preview_fees": {"price": 10, "category": ""},
    "set_payout_account": {"holder": "Bob", "account": "000123456789", "bank": "BANKUS33"},
    "run_payouts": {"dry_run": True},
    "start_experiment": {"name": "Two rankers", "subject": "search_ranking"},
    "save_operator_view": {"name": "Sales", "report": "sales"},
    "save_seller_view": {"name": "Sales", "report": "sales"},
    "set_commissions": {"rules": [{"rate": 0.1}]},
    "moderate_product": {"hidden": True, "reason": "It was recalled.", "category": "cups"},
    "note_order": {"text": "She called."},
    "ship": {
        "order_id": "ord_0000000000001",
        "lines": [{"order_line_id": "oli_0000000000001", "quantity": 1}],
        "carrier": "Post",
        "tracking_number": "1",
    },
    "cancel": {"lines": [{"order_line_id": "oli_0000000000001", "quantity": 1}], "reason": "Too many."},
    "seller_cancels": {"lines": [{"order_line_id": "oli_0000000000001", "quantity": 1}], "reason": "None."},
    "operator_cancels": {"lines": [{"order_line_id": "oli_0000000000001", "quantity": 1}], "reason": "None."},
    "seller_refunds": {"amount": 1.5, "reason": "It came late."},
    "operator_refunds": {"amount": 1.5, "reason": "It came late."},
    "find_order": {"number": "M-1000001", "email": "ann@example.org"},
    "parcel_seen": {"status": "delivered", "location": "Boston", "at": "2026-11-23T00:00:00Z"},
    "add_rule": {"kind": "pin", "words": "tea", "product_id": "prod_0000000000001", "place": 1},
    "change_rule": {"kind": "boost", "brand": "Ours", "factor": 2.5, "starts_on": "2026-11-20"},
    "answer_challenge": {"outcome": "approve"},
    "add_category": {"name": "Lamps", "parent_id": None},
    "change_category": {"name": "Lamps", "merge_into": "cat_0000000000002"},
    "decide_category": {"names": ["Lamps"], "verdict": "map", "category_id": "cat_0000000000001"},
    "suspend_seller": {"reason": "Complaints."},
    "assign_seller": {"email": "ann@example.com"},
}
"""A well-formed body a route."""

QUERIES: dict[str, dict[str, str]] = {"shipping_methods": {"address_id": "adr_0000000000001"}}
"""The parameters that a route cannot do without."""

WRONG: list[Any] = [
    None,
    True,
    [[]],
    {"a": {}},
    -1,
    1.5,
    10**30,
    "",
    "\0",
    "x" * 100_000,
    "\U0001f375\u202e'\"<>;--",
]
"""What a field may be sent instead."""

ODD_TEXTS = [
    "",
    "abc",
    "-1",
    "0",
    "1.5",
    "NaN",
    "Infinity",
    "1e999",
    "9" * 40,
    "'\"<>;--",
    "\U0001f375",
    "x" * 5_000,
    "true",
]
"""What a parameter may be."""


def is_id(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Id)


def path_of(route: PublicRoute, **given: str) -> str:
    """The route's path, with ids that nothing has."""

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name in given:
            return given[name]
        hint = route.hints[name]
        return str(hint(1)) if is_id(hint) else "prod_0000000000001"

    return PREFIX + re.sub(r"\{(\w+)\}", fill, route.path)


def named(route: PublicRoute) -> str:
    return f"{route.verb} {route.path}"


def fields(kind: Any) -> list[msgspec.structs.FieldInfo]:
    return list(msgspec.structs.fields(kind))


def who_may(people: Any, route: PublicRoute) -> httpx.AsyncClient:
    return getattr(people, route.needs) if route.needs in ("seller", "operator") else people.shopper


def check(said: httpx.Response, what: object) -> None:
    """No bug was found; and a refusal is a problem document."""
    assert said.status_code < 500, (what, said.status_code, said.text[:300])
    if said.status_code >= 400:
        problem = said.json()
        assert said.headers["content-type"] == "application/problem+json", what
        assert problem["status"] == said.status_code, what
        assert re.fullmatch(r"[a-z0-9_]+", problem["code"]), what
        assert problem["detail"], what
        assert problem["type"] == f"/problems/{problem['code']}", what
        assert problem["title"], what


async def send(client: httpx.AsyncClient, route: PublicRoute, path: str = "", **more: Any) -> httpx.Response:
    """A well-formed request but for `more`."""
    if route.body and "content" not in more and "json" not in more:
        more["json"] = BODIES[route.name]
    more["params"] = [*QUERIES.get(route.name, {}).items(), *more.pop("params", [])]
    headers: dict[str, str] = {"idempotency-key": uuid.uuid4().hex} if route.keyed else {}
    if route.name == "count_stock":
        headers["if-match"] = '"1"'
    headers |= more.pop("headers", {})
    return await client.request(route.verb, path or path_of(route), headers=headers, **more)


async def test_who_is_nobody_or_the_wrong_one_is_told_so(people: Any) -> None:
    for route in TABLE:
        people.nobody.cookies.clear()
        said = await send(people.nobody, route)
        check(said, named(route))
        if route.needs != "nobody":
            assert (said.status_code, said.json()["code"]) == (401, "sign_in_first"), named(route)
        if route.needs == "seller":
            said = await send(people.shopper, route)
            assert (said.status_code, said.json()["code"]) == (403, "forbidden"), named(route)


async def test_ids_that_nothing_has(people: Any) -> None:
    for route in TABLE:
        for name in route.at("path"):
            other = str(CheckoutId(1))
            for odd in (
                "nonsense",
                other,
                "0",
                "-1",
                "%00",
                "%FF%FE",
                "x" * 3_000,
                "prod_zzzzzzzzzzzzz",
                "..%2f..",
                "%20",
            ):
                said = await send(who_may(people, route), route, path_of(route, **{name: odd}))
                check(said, (named(route), odd))
                assert said.status_code == 404, (named(route), odd, said.text)
            said = await send(who_may(people, route), route)
            check(said, named(route))
            if route.name not in ("unwish", "remove_item"):
                assert said.status_code == 404, (named(route), said.text)


async def test_bad_parameters(people: Any) -> None:
    def parameters(route: PublicRoute) -> Iterator[str]:
        yield from route.at("query")
        if route.filters:
            yield from (field.encode_name for field in fields(route.filters))

    for route in TABLE:
        client = who_may(people, route)
        for name in parameters(route):
            for odd in ODD_TEXTS:
                said = await send(client, route, params=[(name, odd)])
                check(said, (named(route), name, odd))
                twice = await send(client, route, params=[(name, odd), (name, odd)])
                check(twice, (named(route), name, odd))
            for query in (f"{name}=%00", f"{name}=%FF%FE", f"{name}=%", f"{name}", f"{name}=a;b&&=&{name}"):
                check(await client.get(f"{path_of(route)}?{query}"), (named(route), query))
            wrong = {
                "limit": ["0", "101", "-1", "x", "1.5", "", "true"],
                "page": ["0", "-1", "x", "1001", "1.5", ""],
            }
            wrong["sort"] = ["upwards", "", "PRICE_ASC"]
            if name not in wrong:
                continue
            for odd in wrong[name]:
                if route.at("path"):
                    continue  # the unknown id comes first
                said = await send(client, route, params=[(name, odd)])
                assert said.status_code == 422, (named(route), name, odd, said.text)
                assert said.json()["pointer"] == f"/{name}", (named(route), name, odd, said.text)


async def test_every_route_refuses_parameters_that_it_does_not_know(people: Any) -> None:
    for route in TABLE:
        if route.any_query:
            continue
        said = await send(who_may(people, route), route, params=[("nonsense", "1")])
        assert (said.status_code, said.json()["pointer"]) == (422, "/nonsense"), (named(route), said.text)


async def test_bad_bodies(people: Any) -> None:
    for route in TABLE:
        if not route.body:
            continue
        client = who_may(people, route)
        whole = BODIES[route.name]
        text = json.dumps(whole)
        for content in (
            b"",
            b"{",
            b"[]",
            b"null",
            b"1",
            b'"x"',
            b"\xff\xfe\x00",
            text[:-1].encode(),
            text.encode("utf-16"),
        ):
            if not content and not route.body_needed:
                continue
            said = await send(client, route, content=content)
            check(said, (named(route), content))
            assert (said.status_code, said.json()["code"]) == (422, "invalid"), (
                named(route),
                content,
                said.text,
            )
        nested = b'{"deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        assert (await send(client, route, content=nested)).status_code == 422, named(route)
        large = await send(client, route, content=b'{"x": "' + b"x" * BODY_BYTES_MAX + b'"}')
        check(large, named(route))
        assert (large.status_code, large.json()["code"]) == (413, "too_large")
        check(await send(client, route, headers={"content-type": "text/xml"}), named(route))
        check(
            await send(client, route, headers={"content-type": "multipart/form-data"}, content=text),
            named(route),
        )
        for field in fields(route.body):
            name = field.encode_name
            if field.required:
                said = await send(
                    client, route, json={key: value for key, value in whole.items() if key != name}
                )
                check(said, (named(route), name))
                assert said.status_code == 422, (named(route), name, said.text)
                assert said.json()["pointer"] == f"/{name}", (named(route), name, said.text)
            for odd in WRONG:
                said = await send(client, route, json={**whole, name: odd})
                check(said, (named(route), name, str(odd)[:20]))
            for content in (text[:-1] + f', "{name}": NaN}}', text[:-1] + f', "{name}": 1e999}}'):
                said = await send(client, route, content=content.encode())
                check(said, (named(route), content))
                assert said.status_code == 422, (named(route), content, said.text)
            for odd in ({"a": {"b": []}}, [[]]):
                said = await send(client, route, json={**whole, name: odd})
                assert said.status_code == 422, (named(route), name, odd, said.text)
                assert said.json()["pointer"].startswith(f"/{name}"), (named(route), name, odd, said.text)


def test_every_route_answers_200_201_or_202_with_something_by_name() -> None:
    assert [route.path for route in TABLE if route.status not in (200, 201, 202)] == []
    nothing = (None, "None", bool, int, str)
    assert [route.path for route in TABLE if route.signature.return_annotation in nothing] == []


async def test_unknown_methods_and_paths(people: Any) -> None:
    for path in sorted({path_of(route) for route in TABLE}):
        there = {route.verb for route in TABLE if path_of(route) == path}
        for verb in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - there:
            said = await people.seller.request(verb, path)
            check(said, (verb, path))
            assert said.status_code == 405, (verb, path)
            assert there <= set(said.headers["allow"].split(", "))
        for odd in (path + "/", path + "/more/of/it", PREFIX + path.removeprefix(PREFIX).upper()):
            said = await people.seller.get(odd)
            check(said, odd)


async def test_one_key_on_three_routes_is_three_requests(people: Any) -> None:
    """Each does its own, and each says its own again."""
    key = {"idempotency-key": "the same"}
    asks = (
        ("/addresses", BODIES["add_address"], 201),
        ("/payment-methods", BODIES["add_payment_method"], 201),
        ("/sellers", {"name": "Keys and locks"}, 201),
    )
    first = [await people.shopper.post(PREFIX + path, json=body, headers=key) for path, body, _ in asks]
    assert [said.status_code for said in first] == [status for *_, status in asks]
    again = [await people.shopper.post(PREFIX + path, json=body, headers=key) for path, body, _ in asks]
    assert [said.content for said in again] == [said.content for said in first]
    assert {said.headers.get("idempotent-replayed") for said in again} == {"true"}
    assert len({said.content for said in first}) == 3


async def test_every_refusal_that_the_table_names_exists() -> None:
    for route in TABLE:
        for status, code in refusals(route):
            assert Refusal.named(code).code() == code, (named(route), code)
            assert 400 <= status < 500 or status == 503


async def test_the_document_is_openapi_and_names_every_route(people: Any) -> None:
    answer = await people.nobody.get(f"{PREFIX}/openapi.json")
    said = answer.json()
    again = {"If-None-Match": answer.headers["ETag"]}
    assert (await people.nobody.get(f"{PREFIX}/openapi.json", headers=again)).status_code == 304
    assert said["openapi"] == "3.1.0"
    validate(said)
    there = {(verb.upper(), path) for path, verbs in said["paths"].items() for verb in verbs}
    assert there == {(route.verb, route.path) for route in TABLE}
    assert document(TABLE, PREFIX) == said
    card = said["components"]["schemas"]["ProductCard"]["properties"]
    assert card["price"] == {"type": "number"}
    assert card["product_id"]["pattern"] == "^prod_[0-9a-z]{13}$"
    search = {parameter["name"]: parameter for parameter in said["paths"]["/search"]["get"]["parameters"]}
    assert search["filters[price_min]"]["schema"]["anyOf"][0]["type"] == "number"


def test_components_are_public_nouns_and_no_two_are_alike() -> None:
    names = [*document(TABLE, PREFIX)["components"]["schemas"]]
    assert [name for name in names if name.endswith(("Shown", "Ask"))] == []
    assert len({name.lower() for name in names}) == len(names)


def test_headers_and_links_of_answers_are_described() -> None:
    paths = document(TABLE, PREFIX)["paths"]
    bought = paths["/orders/checkout"]["post"]["responses"]
    assert {"Location", "RateLimit"} <= bought["201"]["headers"].keys()
    assert bought["201"]["links"]["order"]["parameters"] == {"order_id": "$response.body#/order_id"}
    for status in ("400", "406", "408", "413", "415", "421", "429", "503"):
        assert status in bought, status
    assert {status for status in bought if "Retry-After" in bought[status].get("headers", {})} == {
        "409",
        "429",
        "503",
    }
    assert "ETag" in paths["/products/{product_id}"]["get"]["responses"]["200"]["headers"]
    named = {route.name: paths[route.path][route.verb.lower()]["parameters"] for route in TABLE}
    takes_key = {
        name for name, given in named.items() if "Idempotency-Key" in [each["name"] for each in given]
    }
    assert "buy" in takes_key
    assert not {"sign_in", "guest", "sign_out"} & takes_key, "only where it is honoured"


async def test_what_was_made_is_where_its_location_says(people: Any) -> None:
    product = {"title": "Cup", "description": "", "category": "Cups", "price": 5, "currency": "USD"}
    made = await people.seller.post(f"{PREFIX}/seller/products", json={**product, "quantity": 3})
    assert made.status_code == 201
    found = await people.nobody.get(made.headers["location"])
    assert found.json()["product_id"] == made.json()["product_id"]
    session = await people.nobody.post(f"{PREFIX}/sessions/guest")
    current = await people.nobody.get(session.headers["location"])
    assert current.json()["user_id"] == session.json()["user_id"]
    listed = await people.shopper.post(f"{PREFIX}/wishlists", json={"name": "Birthday"})
    there = await people.shopper.get(listed.headers["location"])
    assert there.json()["wishlist_id"] == listed.json()["wishlist_id"]


def test_what_is_made_has_a_location_where_it_can_be_read_alone() -> None:
    readable = {route.path for route in TABLE if route.verb == "GET"}
    nowhere = [
        route.path
        for route in TABLE
        if (route.verb, route.status, route.location) == ("POST", 201, "")
        and any(path.startswith(f"{route.path}/{{") and path.endswith("_id}") for path in readable)
    ]
    assert nowhere == []


async def test_the_page_for_people_names_every_route(people: Any) -> None:
    said = await people.nobody.get(f"{PREFIX}/docs")
    assert said.headers["content-type"].startswith("text/html")
    for route in TABLE:
        assert f"</b> {route.path}" in said.text
    assert "<script" not in said.text
    assert "style=" not in said.text
    styles = await people.nobody.get(f"{PREFIX}/docs.css")
    assert styles.headers["content-type"].startswith("text/css")


def test_the_written_page_is_the_tables() -> None:
    written = Path(web.__file__).parents[2] / "docs" / "api.md"
    assert written.read_text() == markdown(TABLE, PREFIX)
