"""What is in a form or an address: fields, files, ids, numbers, where to go on to."""

from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request

from mercat.ids import Id
from mercat.kit import codec
from mercat.kit.refusals import BadRequest, NotFound, TooLarge
from mercat.kit.rpc import BODY_BYTES_MAX

_FIELDS_MAX = 1_200


async def read_body(request: Request) -> FormData:
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise BadRequest("A form says how long it is.")
    if int(length) > BODY_BYTES_MAX:
        raise TooLarge
    return await request.form(max_files=1, max_fields=_FIELDS_MAX, max_part_size=BODY_BYTES_MAX)


def id_of(given: str, kind: type[Any]) -> Any:
    """An id out of an address or a form; an impossible one names nothing."""
    try:
        found: Id = codec.convert(given, kind)
    except msgspec.ValidationError:
        raise NotFound from None
    return found


def number_in(given: str | None, otherwise: int, least: int, most: int) -> int:
    """A number out of an address; nonsense is as good as nothing."""
    if given and given.isascii() and given.isdigit() and len(given) < 10:
        return min(max(int(given), least), most)
    return otherwise


def local_path(url: str) -> str:
    """A path of this shop to go on to; never another site."""
    parts = urlsplit(url)
    safe = url.startswith("/") and not url.startswith(("//", "/\\")) and not parts.netloc and "\\" not in url
    return url if safe and url.isprintable() else "/"
