"""Pictures: uploaded, shown in any size, drawn; and the files that pages need."""

from collections.abc import Callable
from functools import lru_cache

import msgspec
from msgspec import Struct
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import MediaId
from mercat.kit.refusals import Forbidden, Invalid, NotFound, TooLarge, malformed
from mercat.kit.rpc import Caller
from mercat.media import UPLOAD_BYTES_MAX, Alt
from mercat.shop import Shop
from mercat.web.cache import DRAWN, SELDOM_CHANGED, VERSIONED, public_headers
from mercat.web.compression import coding_for
from mercat.web.forms import read_body
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute

_DRAWN_MAX = 1_000
_QUERY_MAX = 2_000
_UPLOADERS = frozenset({"seller", "operator"})


Draw = Callable[[str, str], str]
"""The picture (SVG) of what follows `/media/art/`: path and query."""


class MediumShown(Struct, frozen=True, kw_only=True):
    media_id: MediaId
    url: str
    width: int
    height: int
    alt: str


class MediaApi:
    """Pictures of the shop's own."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def add_medium(self, caller: Caller, request: Request) -> MediumShown:
        """Upload a picture as `file` of a multipart form, with `alt` for who cannot see it if you like.

        What it is is read from its bytes: JPEG, PNG, WebP, AVIF or GIF. It is turned upright and rid of EXIF.
        The same bytes again are the same medium. Sellers and operators may."""
        if not caller.roles & _UPLOADERS:
            raise Forbidden("Only sellers and operators upload pictures.")
        form = await read_body(request)
        file, alt = form.get("file"), form.get("alt") or ""
        if not isinstance(file, UploadFile):
            raise Invalid("Send the picture as `file` of a multipart form.", pointer="/file")
        try:
            words = msgspec.convert(alt, Alt)
        except msgspec.ValidationError as error:
            raise Invalid(str(malformed(error)), pointer="/alt") from None
        content = await file.read()
        if len(content) > UPLOAD_BYTES_MAX:
            raise TooLarge(f"A picture has at most {UPLOAD_BYTES_MAX // 10**6} MB.", pointer="/file")
        medium = await self._shop.media.add(content, caller.seller_id, words)
        return MediumShown(
            media_id=medium.media_id,
            url=medium.url,
            width=medium.width,
            height=medium.height,
            alt=medium.alt,
        )


API = [
    PublicRoute(
        "POST",
        "/media",
        MediaApi.add_medium,
        tag="Selling",
        needs="member",
        scopes=["catalog:write"],
        refuses=["not_a_picture", "forbidden"],
        uploads=True,
    ),
]


class MediaPages:
    """Pictures and static files."""

    def __init__(self, pages: Pages, shop: Shop, draw: Draw) -> None:
        self._pages = pages
        self._shop = shop
        self._draw = lru_cache(maxsize=_DRAWN_MAX)(draw)

    async def art(self, request: Request) -> Response:
        """Draw a picture: the same address is the same picture."""
        drawn = self._draw(request.path_params["path"], request.url.query[:_QUERY_MAX])
        headers = public_headers("art", policy=DRAWN)
        return Response(drawn, headers=headers, media_type="image/svg+xml")

    async def picture(self, request: Request) -> Response:
        """Show a picture of the shop's own, or one of its sizes. While too many sizes are being made the
        picture itself has to do."""
        picture = await self._shop.media.picture(request.path_params["name"])
        headers = {"Cache-Control": VERSIONED if picture.exact else "no-store"}
        return Response(picture.content, headers=headers, media_type=picture.media_type)

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


def page_routes(pages: Pages, shop: Shop, draw: Draw) -> list[Endpoint]:
    media = MediaPages(pages, shop, draw)
    return [
        pages.route("/static/{name}", media.static),
        pages.route("/media/art/{path:path}", media.art),
        pages.route("/media/{name}", media.picture),
    ]
