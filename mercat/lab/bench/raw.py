"""The floor of everything over HTTP: `python -m mercat.lab.bench.raw PORT BYTES`, which does nothing."""

import sys
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

_HEADERS = [(b"content-type", b"application/json")]


def answering(body: bytes) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": body})

    return app


async def main(port: int, size: int) -> None:
    await Server(answering(b"x" * size), port=port, interface=Interfaces.ASGI, log_enabled=False).serve()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
