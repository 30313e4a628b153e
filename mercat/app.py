"""The applications of a process: the public one with pages and API, and the internal one between services."""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from functools import partial

from starlette.applications import Starlette
from starlette.routing import Route

from mercat import flashsale, web
from mercat.audit import audit_shop
from mercat.kit.batching import AT_ONCE
from mercat.kit.database import warm
from mercat.kit.host import Host, for_ever
from mercat.kit.http import answered
from mercat.kit.neighbours import NeighbourDoor, call_key
from mercat.lab.demo import draw_from_path
from mercat.settings import Settings
from mercat.shop import CHECKOUT_PATH, Shop, build_services

_SWITCHES_S = 2
_READY_WITHIN_S = 2


async def build_shop(settings: Settings, stack: AsyncExitStack) -> Shop:
    """Build every service, wherever it lives. A purchase is answered as the API presents it."""
    return await build_services(settings, stack, web.present_checkout)


def bare_shop(settings: Settings, stack: AsyncExitStack) -> Shop:
    """Make a shop without any service, for a process that only relays."""
    return Shop(Host(settings, stack), web.present_checkout)


def internal_app(shop: Shop) -> NeighbourDoor:
    """Make the application of a process that only others of the shop ask: the services here, for requests
    that one of them has signed, and probes for everybody."""
    probes = web.probe_endpoints(
        lambda: engines_answer(shop), shop.settings.metrics_key, web.neighbour_asking
    )
    routes = [*map(_probe, probes), *shop.host.internal_routes()]
    return NeighbourDoor(
        Starlette(routes=routes),
        call_key(shop.settings),
        frozenset(probe.path for probe in probes),
        shop.host.asks_bytes_max(),
    )


def _probe(endpoint: web.Endpoint) -> Route:
    return Route(endpoint.path, partial(answered, endpoint.handler), methods=[endpoint.verb])


async def public_app(shop: Shop) -> web.Middleware:
    """Make the public application: pages for people, JSON for machines, and nothing internal."""
    host, settings = shop.host, shop.settings
    connections = web.Connections(
        settings.port,
        settings.connections_of_network,
        web.Proxies(settings.proxies),
        loopback=settings.limit_loopback,
    )
    if "catalog" in host.here:
        host.start(for_ever("news of products", shop.catalog.listen))
    host.start(for_ever("connections", lambda: _bound_connections(connections)))
    host.start(for_ever("switches", lambda: _follow_switches(shop)))
    return web.application(
        shop,
        ready=lambda: ready(shop),
        events=await host.pool("events"),
        audit=lambda: audit_shop(settings),
        draw=draw_from_path,
    )


async def certify(shop: Shop, sale_id: str) -> flashsale.Certified:
    """Sign the certificate of a sale, with what the audit finds of it."""
    found = await audit_shop(shop.settings)
    laws = [
        flashsale.LawCheck(each.law, each.checked, each.violations)
        for each in found
        if "flash" in each.law or "stock" in each.law
    ]
    return await shop.flashsale.certify(sale_id, laws)


async def _bound_connections(connections: web.Connections) -> None:
    """Close each second what networks hold open beyond their share."""
    await asyncio.to_thread(connections.close_idle)
    await asyncio.sleep(1)


async def _follow_switches(shop: Shop) -> None:
    """Follow what an operator switched off for a sale: those breakers are off in every process, the others
    armed, and the connections that a purchase needs are open. After the sale all is as before."""
    off = set(await shop.flashsale.switched_off())
    for name, breaker in shop.breakers.items():
        breaker.off, breaker.armed = name in off, bool(off)
    if off:
        for service in CHECKOUT_PATH & shop.host.here.keys():
            await warm(await shop.host.pool(service), AT_ONCE)
    await asyncio.sleep(_SWITCHES_S)


async def ready(shop: Shop) -> dict[str, bool]:
    """Ask each part that selling needs whether it answers."""
    host = shop.host

    async def database() -> None:
        await (await host.pool("checkout")).fetchval("select 1")

    async def index() -> None:
        await shop.search.suggest("a", 1)

    parts: dict[str, Awaitable[object]] = {
        "database": database(),
        "store": host.store.do("PING"),
        "search": index(),
    }
    answers = await asyncio.gather(*(_answers(part) for part in parts.values()))
    return dict(zip(parts, answers, strict=True))


async def engines_answer(shop: Shop) -> dict[str, bool]:
    """Ask the engines of a process that others ask whether they answer. Its neighbours are not asked: one of
    them that is away must not take all who ask it out of service."""

    async def database() -> None:
        await (await shop.host.pool("events")).fetchval("select 1")

    parts: dict[str, Awaitable[object]] = {"database": database(), "store": shop.host.store.do("PING")}
    answers = await asyncio.gather(*(_answers(part) for part in parts.values()))
    return dict(zip(parts, answers, strict=True))


async def _answers(part: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(_READY_WITHIN_S):
            await part
    except Exception:
        return False
    return True
