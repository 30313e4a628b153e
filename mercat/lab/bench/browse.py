"""A product's JSON over HTTP, beside a bare application that answers as many bytes."""

import itertools

import httpx

from mercat.lab.bench import floors
from mercat.lab.bench.load import Load, Result, request
from mercat.lab.bench.report import Report
from mercat.lab.bench.shop import audited, opened

_PRODUCTS = 200


async def browse(seconds: float) -> Report:
    """Product JSON over HTTP from the demo shop, beside a raw ASGI application that answers as many bytes."""
    async with opened(demo=True) as shop:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{shop.port}/api/v1") as http:
            listed = (await http.get("/products", params={"limit": 100})).json()["products"]
            paths = [f"/api/v1/products/{product['product_id']}" for product in listed[:_PRODUCTS]]
            size = len((await http.get(paths[0].removeprefix("/api/v1"))).content)
        requests = [request("GET", path) for path in paths]
        listing = request("GET", "/api/v1/products?limit=20&sort=price_asc")
        searching = request("GET", "/api/v1/search?q=wireless+headphones")
        await _run(shop.port, requests, 1)
        products = await _run(shop.port, requests, seconds)
        lists = await _run(shop.port, [listing], seconds / 2)
        searches = await _run(shop.port, [searching], seconds / 2)
        findings = await audited(shop)
    floor = await floors.raw_asgi(size, seconds=seconds / 2)
    return Report(
        name="browse",
        rate_per_s=products.rate,
        floor_per_s=floor,
        ratio=products.rate / floor,
        p50_ms=products.percentile(0.5),
        p99_ms=products.percentile(0.99),
        audit_violations=sum(finding.violations for finding in findings),
        more={
            "product_bytes": size,
            "listings_per_s": round(lists.rate, 1),
            "searches_per_s": round(searches.rate, 1),
            "statuses": {str(status): count for status, count in products.statuses.items()},
        },
    )


async def _run(port: int, requests: list[bytes], seconds: float) -> Result:
    return await Load(port, itertools.cycle(requests)).run(32, seconds)
