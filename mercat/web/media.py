"""Pictures that are drawn, and the files that pages need."""

from collections.abc import Callable
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

from mercat.kit.refusals import NotFound
from mercat.web.cache import DRAWN, SELDOM_CHANGED, VERSIONED, public_headers
from mercat.web.compression import coding_for
from mercat.web.pages import Pages
from mercat.web.router import Endpoint

_DRAWN_MAX = 1_000
_QUERY_MAX = 2_000


Draw = Callable[[str, str], str]
"""The picture (SVG) of what follows `/media/art/`: path and query."""


class MediaPages:
    """Pictures and static files."""

    def __init__(self, pages: Pages, draw: Draw) -> None:
        self._pages = pages
        self._draw = lru_cache(maxsize=_DRAWN_MAX)(draw)

    async def art(self, request: Request) -> Response:
        """Draw a picture: the same address is the same picture."""
        drawn = self._draw(request.path_params["path"], request.url.query[:_QUERY_MAX])
        headers = public_headers("art", policy=DRAWN)
        return Response(drawn, headers=headers, media_type="image/svg+xml")

    async def static(self, request: Request) -> Response:
        found = self._pages.statics.find(request.path_params["name"])
        if found is None:
            raise NotFound
        kept = VERSIONED if request.url.query == found.tag else SELDOM_CHANGED
        headers = {"Cache-Control": kept, "ETag": f'W/"{found.tag}"', "Vary": "Accept-Encoding"}
        coding = coding_for(request.headers.get("accept-encoding", "").encode("latin-1"))
        if coding:
            headers["Content-Encoding"] = coding
        return Response(found.forms[coding], headers=headers, media_type=found.kind)


def page_routes(pages: Pages, draw: Draw) -> list[Endpoint]:
    media = MediaPages(pages, draw)
    return [
        pages.route("/static/{name}", media.static),
        pages.route("/media/art/{path:path}", media.art),
    ]
