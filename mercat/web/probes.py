"""What every process answers about itself: whether it lives, whether it can do its work, its metrics."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from mercat.kit import codec, metrics
from mercat.kit.refusals import Forbidden, Overloaded
from mercat.settings import Secret
from mercat.shop import Shop
from mercat.web.networks import is_loopback
from mercat.web.router import Endpoint

Ready = Callable[[], Awaitable[dict[str, bool]]]
Missing = Callable[[], Awaitable[list[str]]]
"""Says which databases of orders do not answer."""


_SAYS_WITHIN_S = 1.0


async def nothing_missing() -> list[str]:
    """Say so of a shop that has one database."""
    return []


def missing_of(shop: Shop) -> Missing:
    """Make what says which of a shop's databases of orders do not answer, as far as it is known in time."""

    async def missing() -> list[str]:
        try:
            async with asyncio.timeout(_SAYS_WITHIN_S):
                return await shop.orders.missing()
        except (TimeoutError, Overloaded):
            return []

    return missing if shop.settings.shards() else nothing_missing


class Asker(NamedTuple):
    """Who asks: the bearer token that they bring, and the address that they come from."""

    token: str
    address: str


def neighbour_asking(request: Request) -> Asker:
    """Say who asks an internal process, which has no proxy before it."""
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    return Asker(bearer, request.client.host if request.client else "")


def probe_endpoints(
    ready: Ready,
    metrics_key: Secret,
    asking: Callable[[Request], Asker],
    missing: Missing = nothing_missing,
) -> list[Endpoint]:
    """Make `/health`, `/ready` and `/metrics`. Without a key only this machine may read the last one.

    A process lives, and is ready, also while one of several databases of orders is away: it only says so."""
    key = metrics_key.reveal().encode()

    async def health(request: Request) -> Response:
        if away := await missing():
            content = codec.encode({"status": "ok", "orders_missing": away})
            return Response(content, media_type="application/json")
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def is_ready(request: Request) -> Response:
        parts = await ready()
        status = 200 if all(parts.values()) else 503
        return Response(codec.encode(parts), status, media_type="application/json")

    async def all_metrics(request: Request) -> Response:
        asker = asking(request)
        if key:
            allowed = hmac.compare_digest(asker.token.encode(), key)
        else:
            allowed = is_loopback(asker.address) and "x-forwarded-for" not in request.headers
        if not allowed:
            raise Forbidden("Metrics are for this shop's own monitoring.")
        return Response(metrics.metrics(), media_type="text/plain; version=0.0.4")

    return [
        Endpoint("GET", "/health", health),
        Endpoint("GET", "/ready", is_ready),
        Endpoint("GET", "/metrics", all_metrics),
    ]
