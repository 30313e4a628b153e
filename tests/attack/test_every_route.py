"""Every route of both faces, asked by everybody: who may not is refused, and nobody's route is forgotten.

The routes come from the tables themselves, so a new one is asked too; a page that no class below is for fails
here until somebody says whom it is for.
"""

import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
import msgspec
import pytest
from valkeys import forget_all

from mercat import ids
from mercat.app import build_shop, public_app
from mercat.settings import Settings
from mercat.shop import Shop, every_product
from mercat.web.router import PublicRoute
from mercat.web.routes import PREFIX, TABLE

GOODBYE = "/account/left"
"""What somebody sees who has no account any more."""
OPEN, PERSON, SELLER, OPERATOR = "open", "person", "seller", "operator"
PAGES = {
    "": OPEN,
    ".well-known": OPEN,
    "account": PERSON,
    "c": OPEN,
    "cart": OPEN,
    "checkout": OPEN,
    "country": OPEN,
    "departments": OPEN,
    "desk": SELLER,
    "dev": OPEN,
    "favicon.ico": OPEN,
    "feeds": OPEN,
    "flash": OPEN,
    "for-you": OPEN,
    "forgot": OPEN,
    "fragments": OPEN,
    "health": OPEN,
    "help": OPEN,
    "media": OPEN,
    "metrics": OPEN,
    "operator": OPERATOR,
    "orders": OPEN,
    "p": OPEN,
    "problems": OPEN,
    "ready": OPEN,
    "register": OPEN,
    "reset": OPEN,
    "robots.txt": OPEN,
    "sandbox": OPEN,
    "reviews": OPEN,
    "search": OPEN,
    "sell": OPEN,
    "sellers": OPEN,
    "signin": OPEN,
    "signout": OPEN,
    "sitemap": OPEN,
    "sitemap.xml": OPEN,
    "static": OPEN,
    "unsubscribe": OPEN,
    "verify": OPEN,
    "wishlist": PERSON,
    "wishlists": OPEN,
}
"""Whom the pages below a first noun are for. `open`: for whoever comes, each sees their own at most."""
NOT_TOLD = {"sign_out"}
"""It ends the session that the next question needs."""


KEY_SCOPE = "webhooks"
"""All that the program's key may do."""
OWNERS = {
    "order_id": "shopper",
    "address_id": "shopper",
    "payment_method_id": "shopper",
    "wishlist_id": "shopper",
    "session_id": "shopper",
    "offer_id": "seller",
    "product_id": "seller",
    "api_key_id": "seller",
    "webhook_id": "seller",
}
"""Whose the things are that are made here, by the name of a path's parameter."""
ELSEWHERE = {
    "return_id": "contract/test_returns.py",
    "review_id": "contract/test_reviews.py",
    "import_id": "contract/test_seller_imports.py",
    "shipment_id": "contract/test_fulfilment.py",
    "delivery_id": "contract/test_webhooks.py",
    "promotion_id": "contract/test_promotions.py",
    "payout_id": "contract/test_web_money.py",
    "view_id": "contract/test_saved_reports.py",
}
"""Where it is tested that another's are not there, for things that take a whole story to make."""
NOBODYS = {
    *("provider", "sale_id", "name"),  # everybody's, or the name of a report
    *("item", "card", "key"),  # a name within one's own cart, or among one's own purchases
    *("token", "code"),  # itself the secret
    *("category_id", "seller_id", "rule_id", "change_id", "mail_id", "user_id", "role", "gift_card_id"),
    *("experiment_id", "learnt_id"),
    # the last line: operators' alone
}


class Principal(NamedTuple):
    name: str
    token: str
    classes: frozenset[str]
    """Of routes that it may ask: `nobody`, `guest`, `member`, `seller`, `operator`."""


class Asked(NamedTuple):
    app: Any
    shop: Shop
    principals: dict[str, Principal]
    pages: list[tuple[str, str]]
    theirs: dict[str, str]
    """Ids of things of the seller and of the shopper, by the name of a path's parameter."""


def client(app: Any, token: str = "", *, cookie: bool = False) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {token}"} if token and not cookie else {}
    cookies = {"mercat_session": token} if token and cookie else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport, base_url="http://shop", headers=headers, cookies=cookies, timeout=30
    )


@pytest.fixture
async def asked(settings: Settings) -> AsyncIterator[Asked]:
    many = {"account_rate": 1e6, "account_burst": 10**6, "webhook_networks": "10.1.0.0/16"}
    async with AsyncExitStack() as stack:
        shop = await build_shop(msgspec.structs.replace(settings, **many), stack)
        await shop.catalog.add_category("Cups")
        await shop.search.rebuild(every_product(shop.catalog))
        app = await public_app(shop)
        http = await stack.enter_async_context(client(app))

        async def person(name: str) -> tuple[str, Any]:
            account = {"email": f"{name}@example.com", "password": "mercat-test", "name": name}
            made = await http.post(f"{PREFIX}/accounts", json=account)
            assert made.status_code == 201, made.text
            return name, made.json()["user_id"]

        async def session(name: str) -> str:
            said = await http.post(
                f"{PREFIX}/sessions", json={"email": f"{name}@example.com", "password": "mercat-test"}
            )
            http.cookies.clear()
            assert said.status_code == 201, said.text
            return said.json()["token"]

        for name in ("ann", "eve", "bob", "sue", "olga"):
            _, user_id = await person(name)
            if name == "olga":
                await shop.accounts.grant(ids.parse(ids.UserId, user_id), "operator")
        tokens = {name: await session(name) for name in ("ann", "eve", "bob", "sue", "olga")}
        ended = await session("eve")
        async with client(app, ended) as leaving:
            assert (await leaving.delete(f"{PREFIX}/sessions/current")).status_code == 200
        guest = (await http.post(f"{PREFIX}/sessions/guest")).json()["token"]
        http.cookies.clear()
        for name in ("bob", "sue"):
            async with client(app, tokens[name]) as seller:
                opened = await seller.post(f"{PREFIX}/sellers", json={"name": f"{name}'s shop"})
                assert opened.status_code == 201, opened.text
        nobody, any_session = {"nobody"}, {"nobody", "guest"}
        member = any_session | {"member"}
        principals = [
            Principal("nobody", "", frozenset(nobody)),
            Principal("nonsense", "no-such-token", frozenset(nobody)),
            Principal("ended", ended, frozenset(nobody)),
            Principal("guest", guest, frozenset(any_session)),
            Principal("shopper", tokens["ann"], frozenset(member)),
            Principal("another", tokens["eve"], frozenset(member)),
            Principal("seller", tokens["bob"], frozenset(member | {"seller"})),
            Principal("another seller", tokens["sue"], frozenset(member | {"seller"})),
            Principal("operator", tokens["olga"], frozenset(member | {"operator"})),
            Principal("key", await key_of(app, tokens["bob"]), frozenset(nobody)),
        ]
        by_name = {each.name: each for each in principals}
        theirs = await things(app, by_name)
        yield Asked(app, shop, by_name, sorted(set(page_routes(app))), theirs)


async def key_of(app: Any, token: str) -> str:
    """Give a seller's program a key that may do little."""
    async with client(app, token) as seller:
        asked = {"name": "program", "scopes": [KEY_SCOPE]}
        made = await seller.post(f"{PREFIX}/seller/api-keys", json=asked)
        assert made.status_code == 201, made.text
        return made.json()["key"]


def page_routes(app: Any) -> Iterator[tuple[str, str]]:
    """List verb and path of everything outside the API that the router answers."""

    def walk(node: Any, path: str) -> Iterator[tuple[str, str]]:
        for verb in node.handlers:
            yield verb, path or "/"
        for segment, following in node.literal.items():
            yield from walk(following, f"{path}/{segment}")
        if node.parameter:
            yield from walk(node.parameter, f"{path}/{{{node.parameter_name}}}")
        if node.rest:
            yield from walk(node.rest, f"{path}/{{{node.rest_name}}}")

    return ((verb, path) for verb, path in walk(app._app._root, "") if not path.startswith("/api/"))


async def things(app: Any, principals: dict[str, Principal]) -> dict[str, str]:
    """Make what belongs to the seller and to the shopper; another's attempts must not find any of it."""
    found: dict[str, str] = {}
    async with client(app, principals["seller"].token) as bob:
        cup = {
            "title": "Cup",
            "description": "",
            "category": "Cups",
            "price": 5,
            "currency": "USD",
            "quantity": 9,
        }
        listed = await bob.post(f"{PREFIX}/seller/products", json=cup)
        assert listed.status_code == 201, listed.text
        found |= {name: listed.json()[name] for name in ("product_id", "offer_id")}
        keys = (await bob.get(f"{PREFIX}/seller/api-keys")).json()["api_keys"]
        found["api_key_id"] = keys[0]["api_key_id"]
        hears = {"url": "https://10.1.0.1/hook", "events": ["order.placed"]}
        made = await bob.post(f"{PREFIX}/seller/webhooks", json=hears)
        assert made.status_code == 201, made.text
        found["webhook_id"] = made.json()["webhook_id"]
    async with client(app, principals["shopper"].token) as ann:
        home = {
            "name": "Ann",
            "line1": "1 Lane",
            "city": "Boston",
            "region": "MA",
            "postal_code": "02110",
            "country": "US",
        }
        found["address_id"] = (await ann.post(f"{PREFIX}/addresses", json=home)).json()["address_id"]
        found["session_id"] = (await ann.get(f"{PREFIX}/sessions")).json()["sessions"][0]["session_id"]
        listed = await ann.post(f"{PREFIX}/wishlists", json={"name": "Ann's"})
        assert listed.status_code == 201, listed.text
        found["wishlist_id"] = listed.json()["wishlist_id"]
        card = await ann.post(f"{PREFIX}/payment-methods", json={"token": "tok_visa"})
        found["payment_method_id"] = card.json()["payment_method_id"]
        await ann.post(f"{PREFIX}/cart/items", json={"offer_id": found["offer_id"], "quantity": 1})
        bought = await ann.post(
            f"{PREFIX}/orders/checkout",
            json={
                "shipping_address_id": found["address_id"],
                "payment_method_id": found["payment_method_id"],
                "shipping_method": "standard",
            },
            headers={"idempotency-key": uuid.uuid4().hex},
        )
        assert bought.status_code == 201, bought.text
        found["order_id"] = bought.json()["order_id"]
    return found


def filled(path: str, theirs: dict[str, str], *, unknown: bool = False) -> str:
    """Put an id into each place of a path: one of `theirs`, or of the right kind that nobody has."""
    kinds = {kind.prefix: kind for kind in _kinds(ids.Id)}
    by_name = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): str(kind(0x1234567890ABCDE))
        for kind in kinds.values()
    }

    def place(match: re.Match[str]) -> str:
        name = match[1]
        return (None if unknown else theirs.get(name)) or by_name.get(name) or "nothing-like-it"

    return re.sub(r"\{(\w+)(?::path)?\}", place, path)


def _kinds(kind: type[ids.Id]) -> Iterator[type[ids.Id]]:
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)


def refusal_of(needs: str, who: Principal) -> set[int]:
    """Return how a route tells who may not ask it."""
    if needs in who.classes:
        return set()
    signed_in = "member" in who.classes
    return {403} if signed_in else {401} if needs in ("guest", "member") else {401, 403}


def refusal_of_key(route: PublicRoute) -> set[int]:
    """Return how a route tells a program that its key may not ask it."""
    return set() if route.needs == "nobody" or KEY_SCOPE in route.scopes else {403}


def test_every_thing_in_an_address_is_somebodys_or_said_to_be_nobodys() -> None:
    names = {name for route in TABLE for name in re.findall(r"\{(\w+)", route.path)}
    assert names - OWNERS.keys() - ELSEWHERE.keys() - NOBODYS == set(), "say whose these are"
    assert {*OWNERS, *ELSEWHERE} & NOBODYS == set()
    told = {name: (Path(__file__).parents[1] / name).read_text() for name in ELSEWHERE.values()}
    assert [name for name, text in told.items() if "404" not in text and "NotFound" not in text] == []


async def test_each_route_of_the_api_refuses_who_may_not_ask_it(asked: Asked) -> None:
    wrong: list[str] = []
    for who in asked.principals.values():
        async with client(asked.app, who.token) as http:
            for route in TABLE:
                if route.name in NOT_TOLD:
                    continue
                assert route.needs in ("nobody", "guest", "member", "seller", "operator"), route.path
                path = PREFIX + filled(route.path, asked.theirs, unknown=True)
                body = {"json": {}} if route.body else {}
                said = await http.request(route.verb, path, **cast(Any, body))
                http.cookies.clear()  # nobody stays nobody
                expected = refusal_of_key(route) if who.name == "key" else refusal_of(route.needs, who)
                told = f"{who.name}: {route.verb} {route.path}: {said.status_code}"
                if said.status_code >= 500 or (expected and said.status_code not in expected):
                    wrong.append(told)
                barred = not expected and said.status_code in (401, 403)
                if barred and said.json()["code"] not in route.refuses:
                    wrong.append(f"{told} though it may")
    assert wrong == []


async def test_who_accepts_nothing_that_an_address_answers_in_is_told_406(asked: Asked) -> None:
    wrong: list[str] = []
    for name in ("seller", "operator"):
        async with client(asked.app, asked.principals[name].token) as http:
            for route in TABLE:
                if route.name in NOT_TOLD or route.needs not in ("nobody", name):
                    continue
                path = PREFIX + filled(route.path, asked.theirs, unknown=True)
                said = await http.request(route.verb, path, headers={"accept": "application/xml"})
                if said.status_code != 406 or said.json()["code"] != "not_acceptable":
                    wrong.append(f"{name}: {route.verb} {route.path}: {said.status_code} {said.text[:80]}")
    assert wrong == []


async def test_what_is_anothers_is_not_there(asked: Asked) -> None:
    """Reads and changes of the shopper's and the seller's things, by everybody else who has the role."""
    others = {
        "nobody": ("nobody", "guest", "another", "another seller", "operator"),
        "member": ("another", "another seller", "operator"),
        "guest": ("guest", "another", "another seller", "operator"),
        "seller": ("another seller",),
    }
    seen = 0
    wrong: list[str] = []
    for route in TABLE:
        names = set(re.findall(r"\{(\w+)\}", route.path)) & OWNERS.keys()
        if not names or (route.needs == "nobody" and "order_id" not in names):
            continue  # of what anybody may ask, orders alone have an owner
        if names == {"product_id"} and route.needs != "seller":
            continue  # a product is everybody's to look at, and its seller's to change
        for name in others.get(route.needs, ()):
            async with client(asked.app, asked.principals[name].token) as http:
                path = PREFIX + filled(route.path, asked.theirs)
                said = await http.request(
                    route.verb, path, json={} if route.body else None, headers={"if-match": '"1"'}
                )
                seen += 1
                if said.status_code not in (400, 401, 403, 404, 412, 422, 428):
                    wrong.append(f"{name}: {route.verb} {route.path}: {said.status_code} {said.text[:80]}")
    assert wrong == []
    assert seen > 10


async def test_every_page_is_for_somebody_and_refuses_the_others(asked: Asked) -> None:
    unknown = sorted({path for _, path in asked.pages if path[1:].partition("/")[0] not in PAGES})
    assert unknown == [], "say in PAGES whom these pages are for"
    wrong: list[str] = []
    for who in asked.principals.values():
        async with client(asked.app, who.token, cookie=True) as http:
            for verb, path in asked.pages:
                if verb != "GET" or path.endswith("/live") or path == GOODBYE:
                    continue
                page = await http.get(filled(path, asked.theirs, unknown=True))
                whom = PAGES[path[1:].partition("/")[0]]
                told = f"{who.name}: {path}: {page.status_code} {page.headers.get('location', '')}"
                if page.status_code >= 500 and path != "/ready":
                    wrong.append(told)
                if whom in who.classes or whom == OPEN or (whom == PERSON and "member" in who.classes):
                    continue
                if whom == PERSON and page.status_code == 200 and "guest" in who.classes:
                    continue  # a guest has a wishlist too
                sent_away = page.status_code == 303 and page.headers["location"].startswith("/signin")
                if page.status_code not in (403, 404) and not sent_away:
                    wrong.append(told)
    assert wrong == []


async def test_no_form_of_another_sites_page_is_taken(asked: Asked) -> None:
    """CSRF, of both faces and for everybody: nothing unsafe passes with the visitor's cookie."""
    unsafe = [(verb, path) for verb, path in asked.pages if verb != "GET"]
    unsafe += [(route.verb, PREFIX + route.path) for route in TABLE if route.verb != "GET"]
    wrong: list[str] = []
    for name in ("nobody", "shopper", "seller", "operator"):
        who = asked.principals[name]
        for headers in (
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "https://evil.example"},
            {"origin": "null"},
        ):
            async with client(asked.app, who.token, cookie=True) as http:
                for verb, path in unsafe:
                    said = await http.request(verb, filled(path, asked.theirs), headers=headers)
                    if said.status_code != 403:
                        wrong.append(f"{name}: {verb} {path} {headers}: {said.status_code}")
                    if "set-cookie" in said.headers:
                        wrong.append(f"{name}: {verb} {path} {headers} plants {said.headers['set-cookie']}")
    assert wrong == []


async def test_no_form_without_its_token_is_taken(asked: Asked) -> None:
    wrong: list[str] = []
    for name in ("nobody", "shopper", "seller", "operator"):
        async with client(asked.app, asked.principals[name].token, cookie=True) as http:
            for verb, path in asked.pages:
                if verb == "GET":
                    continue
                said = await http.request(verb, filled(path, asked.theirs), data={"csrf": ""})
                sent_away = said.status_code == 303 and said.headers["location"].startswith("/signin")
                if said.status_code not in (400, 403, 404) and not sent_away:
                    wrong.append(f"{name}: {verb} {path}: {said.status_code}")
    assert wrong == []


async def test_every_address_says_what_it_takes(asked: Asked) -> None:
    verbs: dict[str, set[str]] = {}
    for verb, path in [*asked.pages, *((route.verb, PREFIX + route.path) for route in TABLE)]:
        verbs.setdefault(filled(path, asked.theirs, unknown=True), set()).add(verb)
    async with client(asked.app) as http:
        for path, taken in verbs.items():
            said = await http.options(path)
            assert said.status_code == 204, (path, said.status_code)
            allowed = {each.strip() for each in said.headers["allow"].split(",")}
            assert taken | {"OPTIONS"} <= allowed, path
            assert ("HEAD" in allowed) == ("GET" in allowed), path
            refused = await http.request("BREW", path)
            assert (refused.status_code, refused.headers["allow"]) == (405, said.headers["allow"]), path


async def test_a_token_that_has_expired_is_nobodys(
    asked: Asked, clock_ahead: Callable[[float], None]
) -> None:
    clock_ahead(400 * 86_400)
    await forget_all(asked.shop.host.store)  # what Valkey does by itself when the time is over
    for name in ("guest", "shopper"):
        async with client(asked.app, asked.principals[name].token) as http:
            for route in TABLE:
                if route.needs == "nobody":
                    continue
                path = PREFIX + filled(route.path, asked.theirs)
                said = await http.request(route.verb, path, json={} if route.body else None)
                assert said.status_code == 401, (name, route.verb, route.path)
        async with client(asked.app, asked.principals[name].token, cookie=True) as http:
            for verb, path in asked.pages:
                if verb == "GET" and PAGES[path[1:].partition("/")[0]] in (SELLER, OPERATOR):
                    page = await http.get(filled(path, asked.theirs))
                    sent_away = page.status_code == 303 and page.headers["location"].startswith("/signin")
                    assert sent_away or page.status_code in (403, 404), (name, path)
