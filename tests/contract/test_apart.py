"""The same shop as several processes: a service reached through its address is the service."""

from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest

from mercat import app
from mercat.app import build_shop
from mercat.ids import ProductId
from mercat.kit.rpc import Caller
from mercat.reviews import NotABuyer
from mercat.reviews.messages import NewReview


async def test_a_shop_asks_a_service_that_lives_elsewhere(settings, monkeypatch):
    async with AsyncExitStack() as stack:
        elsewhere = await build_shop(settings, stack)
        transport = httpx.ASGITransport(app.internal_app(elsewhere))
        client = httpx.AsyncClient
        monkeypatch.setattr(
            "mercat.kit.host.httpx.AsyncClient", lambda **more: client(transport=transport, **more)
        )
        told = msgspec.structs.replace(settings, addresses={"reviews": "http://elsewhere"})
        shop = await build_shop(told, stack)

        assert "reviews" not in shop.host.here
        guest = await shop.accounts.guest()
        with pytest.raises(NotABuyer):
            await shop.reviews.write(Caller(guest.user_id), ProductId(1), NewReview(stars=5, body="Good."))
        assert (await shop.reviews.newest(ProductId(1))).total == 0


async def test_a_process_of_some_services_says_what_it_lacks(settings):
    async with AsyncExitStack() as stack:
        with pytest.raises(SystemExit, match="MERCAT_ACCOUNTS_URL"):
            await build_shop(msgspec.structs.replace(settings, services="reviews"), stack)
