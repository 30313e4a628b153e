"""Requests and answers of HTTP: reading a body, and turning results and errors into responses."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mercat.kit import codec
from mercat.kit.db_errors import AWAY, WRONG_VALUE
from mercat.kit.refusals import BadRequest, Invalid, Refusal, TooLarge, Unavailable, malformed

log = structlog.get_logger("mercat.http")
BODY_BYTES_MAX = 1_000_000
DISCARDED_BYTES_MAX = 32_000_000
"""Of a body that is too large so much is read and thrown away, for many clients do not listen before
they have sent everything."""
FILE_BYTES_MAX = 24_000_000
"""Of a file that is sent to be taken in."""
BODY = "mercat.body"
"""Where a scope has the body that was read already; None where it was too large."""
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Answer(msgspec.Struct, frozen=True):
    """An answer with a status, headers or bytes of its own; any other is JSON with the usual status."""

    body: Any = None
    status: int | None = None
    headers: dict[str, str] = {}
    raw: bytes | None = None
    media_type: str = "application/json"


async def answered(answer: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    """Answer, or say in a problem document why there is no answer."""
    try:
        return await answer(request)
    except ClientDisconnect:
        return Response(status_code=499)
    except Exception as error:
        return problem(refusal_of(error, request.url.path))


def refusal_of(error: Exception, path: str) -> Refusal:
    """Say what an error of a handler means to who asked. What is nobody's fault but ours is logged."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, msgspec.DecodeError | UnicodeDecodeError):  # malformed, or JSON of another shape
        return malformed(error)
    if isinstance(error, RecursionError):  # how msgspec says that JSON is nested too deeply
        return Invalid("This is nested too deeply.", pointer="")
    if isinstance(error, WRONG_VALUE):  # what only the database could tell: a NUL in a text, say
        return Invalid(str(error).split("\n")[0])
    if isinstance(error, AWAY):
        log.warning("a part of the shop is away", path=path, reason=repr(error)[:200])
        return Unavailable()
    log.error("a request failed", path=path, exc_info=error)
    return Refusal()


async def read_body(request: Request, *, needed: bool = True, most: int = BODY_BYTES_MAX) -> bytes:
    """Read the body; TooLarge beyond `most` bytes: 1 MB of the public, more of a neighbour."""
    body = await read_bytes(request, most)
    if not body and needed:
        raise Invalid("This request needs a JSON body.", pointer="")
    check_nul(body)
    return body


async def read_bytes(request: Request, most: int, *, discards: bool = True) -> bytes:
    """Read the body, whatever is in it; TooLarge beyond `most` bytes, at once unless it `discards` more."""
    if BODY in request.scope:
        body: bytes | None = request.scope[BODY]
        if body is None:
            raise TooLarge
    else:
        body = request.scope[BODY] = await _stream(
            request, most, DISCARDED_BYTES_MAX if discards else most
        )  # who is asked next reads it again
    return body


def check_nul(body: bytes | msgspec.Raw) -> None:
    """Raise Invalid where a text of this JSON has a NUL character, which PostgreSQL cannot keep."""
    content = bytes(body)
    if b"\\u0000" in content and _NUL.search(content):
        raise Invalid("A text may not contain the NUL character.", pointer=_nul_in(content))


async def _stream(request: Request, most: int, read_most: int) -> bytes:
    """Read a body as it comes.

    Of what is too large some is read and thrown away, for many clients do not listen before they have sent
    everything."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > read_most:
        raise TooLarge
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > read_most:
            raise TooLarge
        if size <= most:
            body += chunk
    if size > most:
        raise TooLarge
    return bytes(body)


def check_encoded(encoded: bytes) -> None:
    """Raise BadRequest unless percent-encoded octets are UTF-8 without NUL (RFC 3986, 2.1)."""
    if _BAD_ESCAPE.search(encoded):
        raise BadRequest("A % stands before two hexadecimal digits.")
    octets = unquote_to_bytes(encoded)
    if b"\0" in octets:
        raise BadRequest("A text may not contain the NUL character.")
    try:
        octets.decode()
    except UnicodeDecodeError:
        raise BadRequest("This is not UTF-8.") from None


def _nul_in(body: bytes) -> str:
    """Point to the first text or name with a NUL, as far as this is JSON."""

    def look(value: object, at: str) -> str | None:
        if isinstance(value, str):
            return at if "\0" in value else None
        if isinstance(value, dict):
            members = [(name, member) for name, member in cast(dict[str, object], value).items()]
            return next(
                (
                    found
                    for name, member in members
                    if (found := at if "\0" in name else look(member, f"{at}/{name}")) is not None
                ),
                None,
            )
        if isinstance(value, list):
            items = enumerate(cast(list[object], value))
            return next((found for n, item in items if (found := look(item, f"{at}/{n}")) is not None), None)
        return None

    try:
        return look(msgspec.json.decode(body), "") or ""
    except msgspec.DecodeError:
        return ""


def respond(answer: object, status: int = 200) -> Response:
    """Make the response of what a method answered: JSON, unless it is a response or an Answer."""
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, Answer):
        content = answer.raw if answer.raw is not None else codec.encode(answer.body)
        return Response(content, answer.status or status, dict(answer.headers), answer.media_type)
    return Response(codec.encode(answer), status, media_type="application/json")


def problem(refusal: Refusal) -> Response:
    """Make the problem document of a refusal (RFC 9457), with the headers that belong to its status."""
    headers: dict[str, str] = {}
    if refusal.retry_after or "retry_after" in refusal.facts:
        headers["Retry-After"] = str(refusal.facts.get("retry_after", refusal.retry_after))
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(codec.encode(refusal.problem()), refusal.status, headers, "application/problem+json")
