"""A service as its neighbours have it: in this process, or at the other end of HTTP."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx
from starlette.applications import Starlette

from mercat.kit.rpc import Route, remote, serve

Service = TypeVar("Service")
WAYS = ["in process", "over http"]


@asynccontextmanager
async def reached(
    way: str, kind: type[Service], api: Iterable[Route], service: Service
) -> AsyncIterator[Service]:
    if way == "in process":
        yield service
        return
    app = httpx.ASGITransport(Starlette(routes=serve(api, service)))
    async with httpx.AsyncClient(transport=app, base_url="http://service") as http:
        yield remote(kind, api, http)
