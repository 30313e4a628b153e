"""`Idempotency-Key` on unsafe routes other than checkout, which keeps its own: the same key again gives the
same bytes, and nothing is done twice.

A key belongs to who sent it and to the route. Only final answers are kept, for a day; whatever says "try
again" is not.
"""

import asyncio
import uuid
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec
from python_multipart.multipart import parse_options_header
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from mercat.checkout import KeyReused
from mercat.kit.http import answered, read_body
from mercat.kit.refusals import BadRequest, Conflict
from mercat.kit.valkey import Store
from mercat.web.cache import Handler
from mercat.web.context import Authenticate

KEPT_S = 24 * 3600
RUNNING_S = 30
KEY_CHARACTERS_MAX = 255
FORM_KEY_MAX = 64
_KEPT_HEADERS = ("content-type", "etag", "location")
_NEVER_KEPT = frozenset({202, 400, 401, 403, 408, 412, 413, 428, 429})

_BEGIN = """
local kept = redis.call('GET', KEYS[1])
if kept then return kept end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
"""


class RequestInProgress(Conflict):
    """The first request with this Idempotency-Key is still being answered."""

    retry_after = 1


class Kept(msgspec.Struct, frozen=True):
    """A key's first request, and its answer once there is one."""

    fingerprint: str
    status: int = 0
    headers: dict[str, str] = {}
    body: str = ""
    secret: bool = False
    """The answer is not kept: who asks again is answered by the verb, which knows the key too."""


def key_of(request: Request) -> str | None:
    """Read the key that the client sent; raise BadRequest where it could not be one."""
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1:
        raise BadRequest("A request has one Idempotency-Key.")
    [key] = keys
    if not key or len(key) > KEY_CHARACTERS_MAX or not key.isascii() or not key.isprintable():
        raise BadRequest(f"An Idempotency-Key is 1 to {KEY_CHARACTERS_MAX} printable ASCII characters.")
    return key


def form_key(form: Mapping[str, Any]) -> str:
    """Return the key that a form carries in a hidden field, so that pressed twice it is done once; or a new
    one."""
    key = str(form.get("key", ""))
    return key if 0 < len(key) <= FORM_KEY_MAX and key.isascii() and key.isalnum() else uuid.uuid4().hex


class Replays:
    """Remembers answers by key in the store that never evicts."""

    def __init__(self, store: Store, authenticate: Authenticate) -> None:
        self._store = store
        self._authenticate = authenticate

    def wrap(
        self, name: str, handler: Handler, *, usual: int, anybody: bool = False, secret: bool = False
    ) -> Handler:
        """Make a handler that answers a key it has answered with what it said then. `usual`: the status of
        what it says where all goes well, which is final. `anybody`: the route is open to who has no session;
        their key counts with the very same request only. `secret`: what it says is not kept, but for what it
        was asked."""

        async def answer(request: Request) -> Response:
            key = key_of(request)
            caller = await self._authenticate(request) if key else None
            if key is None or (caller is None and not anybody):
                return await handler(request)  # nobody: the route itself says what it thinks of that
            body = await read_body(request, needed=False)
            acting = request.headers.get("seller", "")
            target = f"{request.url.path}?{request.url.query}\n{acting}".encode()
            fingerprint = blake2b(target + _said(request, body), digest_size=16).hexdigest()
            whose = str(int(caller.user_id)) if caller else fingerprint
            place = f"once:{whose}:{name}:{key}"
            asked = Kept(fingerprint, secret=secret)
            return await self._once(place, asked, request, body, handler, usual)

        async def keyed(request: Request) -> Response:
            if "idempotency-key" not in request.headers:
                return await handler(request)
            return await answered(answer, request)

        return keyed

    async def _once(
        self, place: str, asked: Kept, request: Request, body: bytes, handler: Handler, usual: int
    ) -> Response:
        running = msgspec.json.encode(asked)
        found = await self._store.run(_BEGIN, [place], [running, RUNNING_S * 1000])
        if found:
            kept = msgspec.json.decode(found, type=Kept)
            if not (kept.secret and kept.status and kept.fingerprint == asked.fingerprint):
                return _replay(kept, asked.fingerprint)
        try:
            response = await handler(Request(request.scope, _receive_again(body)))
        except asyncio.CancelledError:
            await self._store.do("DEL", place)
            raise
        if response.status_code == usual or _final(response):
            kept = msgspec.structs.replace(asked, status=response.status_code)
            if not asked.secret:
                kept = msgspec.structs.replace(
                    kept,
                    headers={
                        name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers
                    },
                    body=b64encode(bytes(response.body)).decode(),
                )
            await self._store.do("SET", place, msgspec.json.encode(kept), "EX", KEPT_S)
            if found:  # the verb knew the key
                response.headers["idempotent-replayed"] = "true"
        else:
            await self._store.do("DEL", place)
        return response


def _said(request: Request, body: bytes) -> bytes:
    """Return what a body says: of a form in parts, without the boundary, which clients make up each time."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary") if kind == b"multipart/form-data" else None
    return body.replace(b"--" + boundary, b"--") if boundary else body


def _receive_again(body: bytes) -> Callable[[], Awaitable[Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _replay(kept: Kept, fingerprint: str) -> Response:
    if kept.fingerprint != fingerprint:
        raise KeyReused
    if not kept.status:
        raise RequestInProgress
    headers = {**kept.headers, "idempotent-replayed": "true"}
    return Response(b64decode(kept.body), kept.status, headers)


def _final(response: Response) -> bool:
    """Say whether the same request would be told so for ever; a malformed one may be mended under its key."""
    if response.status_code >= 500 or response.status_code in _NEVER_KEPT:
        return False
    return response.status_code != 422 or b'"code":"invalid"' not in bytes(response.body)
