"""How a process ends without losing a request: each answer is the last one on its connection."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class LastAnswers:
    """An application that can say with every answer that its connection ends.

    A client that keeps connections then opens another one, which another process answers. HTTP/2 has a frame
    of its own for that, which the server sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.answering = 0
        """Requests that have no whole answer yet."""
        self.last = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.answering += 1
        try:
            if self.last and scope["type"] == "http" and scope["http_version"] != "2":
                send = _closing(send)
            await self._app(scope, receive, send)
        finally:
            self.answering -= 1


def _closing(send: Send) -> Send:
    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return closing
