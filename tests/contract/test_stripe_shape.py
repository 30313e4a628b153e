"""Requests have the shape that Stripe's published API takes: checked by its own stripe-mock, where that is
there (`go install github.com/stripe/stripe-mock@v0.203.0`)."""

import asyncio
import os
import shutil
import socket
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest

from mercat import ids
from mercat.kit.refusals import Invalid
from mercat.payments.provider import ChargeRequest
from mercat.payments.providers.stripe.adapter import Stripe
from mercat.settings import Secret

MOCK = os.environ.get("STRIPE_MOCK") or shutil.which("stripe-mock")
pytestmark = pytest.mark.skipif(MOCK is None, reason="stripe-mock is not in PATH, nor named by STRIPE_MOCK")
ASK = ChargeRequest(ids.new(ids.CheckoutId), ids.new(ids.OrderId), 10_000, "USD", "pm_card_visa")


@pytest.fixture
async def mock(tmp_path, free_ports):
    plain, secure = free_ports
    args = [
        "-http-addr",
        f"127.0.0.1:{plain}",
        "-https-addr",
        f"127.0.0.1:{secure}",
        "-strict-version-check=false",
    ]
    assert MOCK
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(MOCK, *args, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{plain}"
    async with httpx.AsyncClient() as http:
        for _ in range(300):
            try:
                await http.get(url)
                break
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    yield url
    process.terminate()
    await process.wait()


@pytest.fixture
def free_ports():

    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


async def test_every_request_is_one_that_stripe_takes(mock, settings):
    told = msgspec.structs.replace(
        settings, variables={"stripe_key": Secret("sk_test_123"), "stripe_url": Secret(mock)}
    )
    provider = Stripe(told)
    customer = await provider.customer(ids.UserId(8), "")
    assert (await provider.attach(customer, "pm_card_visa")).last4
    with pytest.raises(Invalid, match="another's"):
        await provider._attached("cus_mine", "pm_card_visa")
    intent = (await provider.authorise(ASK._replace(customer=customer))).reference
    assert intent.startswith("pi_")
    assert (await provider.look_up(ASK, intent)).reference
    await provider.capture(ASK, intent)
    await provider.cancel(ASK, intent)
    await provider.refund(ids.new(ids.RefundId), ASK, intent, 100, again=False)
    await provider.refund(ids.new(ids.RefundId), ASK, intent, 100, again=True)
    old = ids.CheckoutId(ids.first_of(datetime(2026, 1, 2, tzinfo=UTC)))  # looked for by search
    await provider.look_up(ASK._replace(key=old), "")
    now = datetime.now(UTC)
    assert [page async for page in provider.listed(now - timedelta(hours=1), now)]
    await provider.close()
