"""Webhooks over the public API: every route in its documented shape, and who may do what."""

from typing import Any

import msgspec
import pytest
from contract.test_web_story import Api
from contract.test_webhooks import receiver as receiver
from waiting import until

from mercat.web.routes import PREFIX, TABLE


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, webhook_networks="127.0.0.0/8")


async def test_a_seller_adds_tries_and_removes_a_webhook(people, receiver):
    asked: set[str] = set()
    bob, olga = Api(people.seller, asked), Api(people.operator, asked)
    wanted: dict[str, Any] = {"url": receiver.url, "events": ["order.placed", "stock.low"]}
    made = await bob("POST", "/seller/webhooks", 201, json=wanted)
    assert made["secret"].startswith("whsec_")
    [listed] = (await bob("GET", "/seller/webhooks", 200))["webhooks"]
    assert (listed["url"], listed["events"], listed["active"]) == (*wanted.values(), True)
    assert "secret" not in listed
    path = f"/seller/webhooks/{made['webhook_id']}"
    queued = await bob("POST", f"{path}/test", 201)
    await people.shop.webhooks.deliver_due()

    async def delivered():
        said = await bob("GET", f"{path}/deliveries", 200)
        return [(each["event"], each["status"]) for each in said["deliveries"]] == [("test", "delivered")]

    async def twice():
        return len(receiver.got) == 2

    await until(delivered)  # by this, or by the back
    await bob("POST", f"{path}/deliveries/{queued['delivery_id']}/redeliver", 200)
    await people.shop.webhooks.deliver_due()
    await until(twice)
    await until(delivered)
    for verb, route in (("DELETE", path), ("GET", f"{path}/deliveries"), ("POST", f"{path}/test")):
        assert (await people.shopper.request(verb, PREFIX + route)).status_code == 403
        assert (await people.nobody.request(verb, PREFIX + route)).status_code == 401
        await olga(verb, route, 403)
    await bob("DELETE", path, 200)
    await bob("DELETE", path, 404)
    assert asked == {f"{r.verb} {r.path}" for r in TABLE if r.path.startswith("/seller/webhooks")}


async def test_a_webhook_that_makes_no_sense_is_refused_at_its_field(people):
    bob = Api(people.seller, set())
    for change, pointer in (
        ({"url": "ftp://example.com/hook"}, "/url"),
        ({"url": "https://10.0.0.1/hook"}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["order.eaten"]}, "/events/0"),
    ):
        asked = {"url": "https://example.com/hook", "events": ["order.placed"], **change}
        assert (await bob("POST", "/seller/webhooks", 422, json=asked))["pointer"] == pointer
    assert (await bob("GET", "/seller/webhooks", 200))["webhooks"] == []
