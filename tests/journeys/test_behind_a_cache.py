"""The shop behind Varnish: a crowd that waits reaches it once a second, and nobody gets another's page."""

import itertools

import httpx
import pytest

from mercat.lab.bench import cache
from mercat.lab.bench.load import Load, request

DOCUMENT = "/api/v1/flash-sales/demo"
ROUTE = "GET /api/v1/flash-sales/{sale_id}"
QUEUE = "/api/v1/flash-sales/demo/queue"


@pytest.fixture
async def port(open_shop):
    if not cache.there_is_one():
        pytest.skip(cache.ABSENT)
    async with cache.before(open_shop) as port:
        yield port


async def test_ten_times_as_many_pollers_reach_the_shop_as_often(open_shop, port):
    came = []
    for rate in (100, 1_000):
        asks = (request("GET", DOCUMENT, {"Cookie": f"mercat_session=s{n}"}) for n in itertools.count())
        before = await cache.asked(open_shop, ROUTE)
        result = await Load(port, asks).run(16, 2, rate)
        assert set(result.statuses) == {200}
        came.append(await cache.asked(open_shop, ROUTE) - before)
    assert all(1 <= each <= 4 for each in came), came  # once a second, and one at each end


async def test_what_is_somebodys_own_is_kept_by_no_cache(port):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
        tokens = [(await http.post("/api/v1/sessions/guest")).json()["token"] for _ in range(2)]
        numbers = []
        for token in tokens:
            http.cookies.clear()
            who = {"Authorization": f"Bearer {token}"}
            await http.post(QUEUE, headers=who)
            numbers.append((await http.get(QUEUE, headers=who)).json()["number"])
            page = await http.get("/flash/demo", headers={"Cookie": f"mercat_session={token}"})
            assert "set-cookie" not in page.headers
            assert "public" in page.headers["cache-control"]
            own = await http.get("/flash/demo/wait", headers={"Cookie": f"mercat_session={token}"})
            assert "no-store" in own.headers["cache-control"]
            assert "public" not in own.headers["cache-control"]
        assert len(set(numbers)) == 2
        said = await http.get(DOCUMENT)
        assert said.headers["surrogate-key"] == "flash-sale-demo"
        assert {"signature-ed25519", "signature-key", "etag"} <= set(said.headers)
        assert (await http.get(DOCUMENT + "?x=1")).json()["sale_id"] == "demo"
