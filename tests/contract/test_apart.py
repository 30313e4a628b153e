"""The same shop as several processes: a service reached through its address is the service."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest
from contract.test_stand_ins import listening
from scene import Scene

from mercat.app import build_shop, internal_app
from mercat.ids import ProductId
from mercat.kit.neighbours import Neighbour, NotANeighbour, call_key
from mercat.kit.refusals import Unavailable
from mercat.kit.rpc import Caller
from mercat.kit.stand_ins import remote
from mercat.reviews import API, NotABuyer, Reviews
from mercat.reviews.messages import NewReview
from mercat.settings import Secret, WrongSetting
from mercat.shop import SERVICES, check_alone


@asynccontextmanager
async def process_with(settings, services):
    async with AsyncExitStack() as stack:
        shop = await build_shop(msgspec.structs.replace(settings, services=services), stack)
        yield await stack.enter_async_context(listening(internal_app(shop)))


async def test_a_shop_asks_a_service_that_lives_elsewhere(settings):
    async with process_with(settings, "reviews") as http, AsyncExitStack() as stack:
        told = msgspec.structs.replace(settings, addresses={"reviews": str(http.base_url)})
        shop = await build_shop(told, stack)
        assert "reviews" not in shop.host.here
        guest = await shop.accounts.guest()
        with pytest.raises(NotABuyer):
            await shop.reviews.write(Caller(guest.user_id), ProductId(1), NewReview(stars=5, body="Good."))
        assert (await shop.reviews.newest(ProductId(1))).total == 0


async def test_another_shop_is_none_of_its_neighbours(settings):
    other = msgspec.structs.replace(settings, secret_key="another")
    async with process_with(settings, "reviews") as http:
        neighbour = Neighbour("reviews", f"{http.base_url}/internal/reviews", call_key(other))
        with pytest.raises(NotANeighbour):
            await remote(Reviews, API, neighbour).newest(ProductId(1))
        await neighbour.close()


async def test_a_process_that_others_ask_answers_probes_and_shows_its_metrics(settings):
    async with process_with(settings, "reviews") as http:
        assert (await http.get("/health")).json() == {"status": "ok"}
        assert (await http.get("/ready")).json() == {"database": True, "store": True}
        assert "mercat_requests_total" in (await http.get("/metrics")).text
        assert (await http.get("/internal/reviews/products/prod_0000000000001/rating")).status_code == 401
    away = msgspec.structs.replace(settings, store_url="unix:///nowhere", metrics_key=Secret("key"))
    async with process_with(away, "reviews") as http:
        answer = await http.get("/ready")
        assert (answer.status_code, answer.json()) == (503, {"database": True, "store": False})
        assert (await http.get("/health")).status_code == 200
        assert (await http.get("/metrics")).status_code == 403
        told = {"authorization": "Bearer key"}
        assert (await http.get("/metrics", headers=told)).status_code == 200


async def test_a_process_can_have_all_services_but_one(settings):
    told = msgspec.structs.replace(
        settings, services="*,-analytics", addresses={"analytics": "http://127.0.0.1:9"}
    )
    check_alone(told)
    async with AsyncExitStack() as stack:
        assert SERVICES.keys() - (await build_shop(told, stack)).host.here.keys() == {"analytics"}
    for wrong in ("*,-analytic", "-analytics", "reviews,-analytics"):
        with pytest.raises(WrongSetting, match="There is no service"):
            check_alone(msgspec.structs.replace(settings, services=wrong))


async def test_a_process_says_what_it_asks_and_has_no_address_of(settings):
    async with AsyncExitStack() as stack:
        with pytest.raises(SystemExit, match="MERCAT_CATALOG_URL"):
            await build_shop(msgspec.structs.replace(settings, services="cart"), stack)


async def test_a_process_needs_no_address_of_what_it_never_asks(settings):
    async with AsyncExitStack() as stack:
        shop = await build_shop(
            msgspec.structs.replace(settings, services="inventory,payments,orders"), stack
        )
        assert {*shop.host.here} >= {"inventory", "payments", "orders"}
        assert "catalog" not in shop.host.here
        with pytest.raises(Unavailable):
            await shop.catalog.product(ProductId(1))


async def test_one_list_of_addresses_serves_the_process_that_is_meant_too(settings):
    told = msgspec.structs.replace(settings, services="reviews", addresses={"reviews": "http://elsewhere"})
    async with AsyncExitStack() as stack:
        assert "reviews" in (await build_shop(told, stack)).host.here


async def test_what_people_buy_at_once_is_few_requests_and_the_books_are_right(settings, db, monkeypatch):
    """Sixty purchases at once, with three services elsewhere: a request a verb and set, not one each."""
    requests: Counter[str] = Counter()
    send = Neighbour.__call__

    async def counted(self, path, body, seconds):
        requests[path] += 1
        return await send(self, path, body, seconds)

    monkeypatch.setattr(Neighbour, "__call__", counted)
    names = ("inventory", "payments", "orders")
    async with process_with(settings, ",".join(names)) as http, AsyncExitStack() as stack:
        told = msgspec.structs.replace(settings, addresses=dict.fromkeys(names, str(http.base_url)))
        shop = await build_shop(told, stack)
        people = [await Scene(shop, db).open() for _ in range(60)]
        asks = [await each.ask() for each in people]
        requests.clear()
        buying = (shop.checkout.buy(each.ann, "k", ask) for each, ask in zip(people, asks, strict=True))
        answers = await asyncio.gather(*buying)
        assert {answer.status for answer in answers} == {201}
        assert requests
        assert max(requests.values()) <= 4, requests
        for each in people[:3]:
            await each.must_have_bought()
