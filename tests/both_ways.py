"""A service as its neighbours have it: in this process, or at the other end of HTTP."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
from starlette.applications import Starlette

from mercat.kit.stand_ins import Post, Replied, remote, serve_asks
from mercat.kit.verbs import Verb

Service = TypeVar("Service")
WAYS = ["in process", "over http"]


def posts_to(http: httpx.AsyncClient) -> Post:
    """What stand-ins send, sent by this client, unsigned."""

    async def post(path: str, body: bytes, seconds: float) -> Replied:
        answer = await http.post(path, content=body)
        return Replied(answer.status_code, answer.content)

    return post


def at_the_other_end(api: Iterable[Verb], service: object) -> httpx.AsyncClient:
    """A client of the process that has a service."""
    app: Any = Starlette(routes=serve_asks(api, service))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@asynccontextmanager
async def reached(
    way: str, kind: type[Service], api: Iterable[Verb], service: Service
) -> AsyncIterator[Service]:
    if way == "in process":
        yield service
        return
    async with at_the_other_end(api, service) as http:
        yield remote(kind, api, posts_to(http))
