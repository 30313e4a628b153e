"""What is made by a form or under a key is made once, however often it is sent; no store keeps its secret."""

import asyncio
import json
import re
from base64 import b64decode, b64encode

import pytest
from journeys.people import ok
from valkeys import names_in

from mercat.web.routes import PREFIX

pytestmark = pytest.mark.valkeys

KEY = "a1b2c3d4"
PIXEL = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
"""A picture, as PNG."""


async def send(person, page, path, **typed):
    token = re.search(r'name="csrf" value="([^"]+)"', (await person.get(page)).text)
    assert token
    return await person.post(path, data={"csrf": token[1], "key": KEY} | typed)


async def pressed_twice(person, page, path, **typed):
    """Press a button twice at once, and once more later."""
    both = await asyncio.gather(*(send(person, page, path, **typed) for _ in range(2)))
    return [*both, await send(person, page, path, **typed)]


PROMOTION = {"name": "Spring", "does": "percent", "percent": "10", "priority": "0"}


async def test_a_promotion(people, db):
    at = "/operator/promotions/new"
    answers = await pressed_twice(people.operator, at, at, **PROMOTION)
    assert {each.status_code for each in answers} == {303}
    assert len({each.headers["location"] for each in answers}) == 1
    assert await db.fetchval("select count(*) from promotions.promotion") == 1
    await send(people.operator, at, at, **PROMOTION | {"percent": "20"})
    assert await db.fetchval("select count(*) from promotions.promotion") == 2


async def test_a_sellers_promotion_with_a_code(people, db):
    at = "/desk/promotions/new"
    answers = await pressed_twice(people.seller, at, at, **PROMOTION, code="SPRING")
    assert {each.status_code for each in answers} == {303}, [each.text for each in answers]
    assert await db.fetchval("select count(*) from promotions.promotion") == 1


async def test_codes_of_a_promotion(people, db):
    at = "/operator/promotions/new"
    place = (await send(people.operator, at, at, **PROMOTION)).headers["location"].split("?")[0]
    answers = await pressed_twice(people.operator, place, f"{place}/codes", count="20", prefix="SP-")
    assert {each.status_code for each in answers} == {303}
    assert await db.fetchval("select count(*) from promotions.code where single_use") == 20
    assert await db.fetchval("select single_codes from promotions.promotion") == 20
    other = f"{PREFIX}/operator/promotions/{place.rsplit('/', 1)[1]}"
    assert (await people.operator.delete(other)).status_code in (200, 204)
    gone = await send(people.operator, at, f"{place}/codes", count="20", prefix="SP-")
    assert gone.status_code == 404


async def test_a_webhook(people, db):
    at, typed = "/desk/webhooks", {"url": "https://93.184.216.37/hook"}
    answers = await pressed_twice(people.seller, at, at, **typed)
    secrets = {secret for each in answers for secret in re.findall(r"whsec_[\w+/=]+", each.text)}
    assert len(secrets) == 1, answers[0].text
    assert await db.fetchval("select count(*) from webhooks.receiver") == 1


async def test_an_api_key(people, db):
    at, typed = "/desk/keys", {"name": "Till", "scope-stock:write": "on"}
    answers = await pressed_twice(people.seller, at, at, **typed)
    keys = {key for each in answers for key in re.findall(r"mk_[\w-]{30,}", each.text)}
    assert len(keys) == 1, answers[0].text
    assert await db.fetchval("select count(*) from accounts.api_key") == 1
    await send(people.seller, at, at, **typed | {"name": "Another"})
    assert await db.fetchval("select count(*) from accounts.api_key") == 2


async def test_an_api_key_that_ended_is_not_made_again_by_the_same_ask(people, db):
    """A form that is sent again after a key was ended, or whose maker was shut out, brings nothing back."""
    asked = {"name": "Till", "scopes": ["stock:write"]}
    for n, end in enumerate(["by its seller", "with its maker"]):
        headers = {"idempotency-key": f"k-{n}"}
        made = ok(await people.seller.post(f"{PREFIX}/seller/api-keys", json=asked, headers=headers), 201)
        if end == "by its seller":
            ok(await people.seller.delete(f"{PREFIX}/seller/api-keys/{made['api_key_id']}"), 200)
        else:
            await db.execute("delete from accounts.api_key")
        again = await people.seller.post(f"{PREFIX}/seller/api-keys", json=asked, headers=headers)
        assert (again.status_code, again.json()["code"]) == (409, "api_key_ended"), end
        assert await people.shop.accounts.keys.caller_with(made["key"]) is None
    other = {"idempotency-key": "another"}
    ok(await people.seller.post(f"{PREFIX}/seller/api-keys", json=asked, headers=other), 201)


@pytest.mark.parametrize(
    ("who", "path", "asked", "secret", "counted"),
    [
        (
            "operator",
            "/operator/gift-cards",
            {"amount": 20, "currency": "USD"},
            "code",
            "payments.stored_value",
        ),
        ("seller", "/seller/api-keys", {"name": "Till", "scopes": ["webhooks"]}, "key", "accounts.api_key"),
        (
            "seller",
            "/seller/webhooks",
            {"url": "https://93.184.216.37/hook", "events": ["order.placed"]},
            "secret",
            "webhooks.receiver",
        ),
    ],
)
async def test_a_secret_is_told_again_to_the_same_key_and_kept_nowhere(
    people, db, who, path, asked, secret, counted
):
    person, headers = getattr(people, who), {"idempotency-key": "k-1"}
    answers = [await person.post(f"{PREFIX}{path}", json=asked, headers=headers) for _ in range(2)]
    first, second = (ok(each, 201) for each in answers)
    assert first == second
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert await db.fetchval(f"select count(*) from {counted}") == 1
    kept = [key async for key in stored(people.shop)]
    assert kept
    for text in kept:
        assert first[secret] not in text
        assert secret_in_base64(first[secret]) not in text
    other = await person.post(f"{PREFIX}{path}", json=another(asked), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


def another(asked):
    """The same kind of thing, asked otherwise."""
    changed = {"amount": 30, "name": "Another", "url": "https://93.184.216.38/hook"}
    return asked | {name: value for name, value in changed.items() if name in asked}


def secret_in_base64(secret):
    """How a body that is kept would have the middle of it, whatever stands before."""
    return b64encode(secret[3:].encode()).decode()[:24]


async def stored(shop):
    """All answers that the store keeps, and the bodies in them."""
    for key in await names_in(shop.host.store, "*once:*"):
        value = await shop.host.store.do("GET", key)
        yield value.decode() + b64decode(json.loads(value)["body"]).decode()


@pytest.mark.parametrize(
    ("path", "content", "status", "counted"),
    [
        ("/media", PIXEL, 201, "media.medium"),
        ("/seller/imports", b"title,price\nMug,5\n", 202, "sellers.import"),
    ],
)
async def test_a_file_that_is_sent_again_is_the_same_whatever_parts_its_form(
    people, db, path, content, status, counted
):
    async def send(content, boundary):
        kind = f"multipart/form-data; boundary={boundary}"
        head = b'Content-Disposition: form-data; name="file"; filename="a"'
        parts = b"\r\n".join((f"--{boundary}".encode(), head, b"", content, f"--{boundary}--".encode(), b""))
        headers = {"idempotency-key": "k-1", "content-type": kind}
        return await people.seller.post(f"{PREFIX}{path}", content=parts, headers=headers)

    made, again = await send(content, "one"), await send(content, "another")
    assert (made.status_code, again.status_code) == (status, status), (made.text, again.text)
    assert again.content == made.content
    assert again.headers["idempotent-replayed"] == "true"
    assert await db.fetchval(f"select count(*) from {counted}") == 1
    other = await send(content + b"\n", "one")
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


@pytest.mark.parametrize("names", [("a.csv",), ("products.csv", "combinations.csv")])
async def test_an_import_is_begun_once_though_what_was_answered_is_forgotten(people, names):
    """As where a worker died before it could keep that; another file under the key is another import."""

    async def begun(content):
        for key in await names_in(people.shop.host.store, "*once:*"):
            await people.shop.host.store.do("DEL", key)
        files = [("file", (name, content)) for name in names]
        sent = await people.seller.post(
            f"{PREFIX}/seller/imports", files=files, headers={"idempotency-key": "k-1"}
        )
        return ok(sent, 202)["import_id"]

    first = await begun(b"title,price\nMug,5\n")
    assert await begun(b"title,price\nMug,5\n") == first
    assert await begun(b"title,price\nMug,6\n") != first
