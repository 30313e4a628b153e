"""What operators change is written down before it is tried, with how the thing was before and after.

The one place is here, around the handlers: a verb that is added is in the log without a word. Before and
after are what the API shows of the thing at that address, so they are in its terms.
"""

from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from mercat.auditlog import DOCUMENT_MAX, AuditLog, NewEntry
from mercat.kit.http import answered, read_body
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.web.cache import Handler
from mercat.web.context import Authenticate
from mercat.web.router import Endpoint

_SECRETS = frozenset(
    {"password", "current_password", "secret", "token", "key", "csrf", "recovery_codes", "code", "codes"}
)
_PERSONAL = frozenset(
    {
        *("email", "name", "address", "shipping_address", "phone", "recipient", "letters"),
        *("notes", "text", "comment", "decisions"),
    }
)
_ABOUT_PEOPLE = ("/operator/people", "/operator/orders", "/operator/returns")
"""Of these the log keeps what was decided, not who people are: they may have themselves forgotten."""


class Audited:
    """Wraps the handlers that change something, for when an operator calls them."""

    def __init__(self, log: AuditLog, authenticate: Authenticate, readers: Iterable[Endpoint] = ()) -> None:
        """`readers`: what shows a thing at an address, by which before and after are read."""
        self._log = log
        self._authenticate = authenticate
        self._readers = {tuple(each.path.split("/")): each.handler for each in readers}

    def wrap(self, name: str, path: str, handler: Handler) -> Handler:
        """Make a handler that logs what an operator changes at this path; for others it is the handler."""
        reader, depth = self._reader(path)

        async def logged(request: Request) -> Response:
            caller = await self._authenticate(request)
            if caller is None or "operator" not in caller.roles:
                return await handler(request)
            return await self._logged(caller, name, reader, depth, handler, request)

        return logged

    async def _logged(
        self,
        caller: Caller,
        name: str,
        reader: Handler | None,
        depth: int,
        handler: Handler,
        request: Request,
    ) -> Response:
        address = "/".join(request.url.path.split("/")[:depth])
        subject = address.removeprefix("/api/v1")  # by whichever door: the same thing
        personal = any(part in subject for part in _ABOUT_PEOPLE)
        body = await read_body(request, needed=False)
        entry_id = await self._log.begin(
            NewEntry(
                user_id=caller.user_id,
                who=caller.email or caller.name,
                what=name,
                subject=subject,
                asked=_safe(body, personal=personal),
                before=await _read(reader, address, request, personal=personal),
            )
        )
        try:
            response = await handler(request)
        except Refusal as refusal:  # a page says it in its own way
            await self._log.finish(entry_id, refusal.status, "")
            raise
        after = ""
        if response.status_code < 400:
            after = await _read(reader, address, request, personal=personal)
            after = after or _safe(bytes(response.body), personal=personal)
        await self._log.finish(entry_id, response.status_code, after)
        return response

    def _reader(self, path: str) -> tuple[Handler | None, int]:
        """Find what shows the thing that a path is about: the longest beginning that names one."""
        parts = tuple(path.split("/"))
        for depth in range(len(parts), 1, -1):
            if parts[depth - 1].startswith("{"):
                return self._readers.get(parts[:depth]), depth
        return None, len(parts)


async def _read(reader: Handler | None, address: str, request: Request, *, personal: bool) -> str:
    if reader is None:
        return ""
    names = request.path_params
    scope = {
        **request.scope,
        "method": "GET",
        "path": address,
        "query_string": b"",
        "path_params": {name: value for name, value in names.items() if f"/{value}" in address},
    }
    response = await answered(reader, Request(scope))
    return _safe(bytes(response.body), personal=personal) if response.status_code == 200 else ""


def _safe(body: bytes, *, personal: bool) -> str:
    """Keep JSON without secrets, and without what says who people are where that is asked."""
    if not body:
        return ""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        document = dict(
            parse_qsl(body.decode("utf-8", "replace"))
        )  # a form; of anything else nothing is left
    hidden = _SECRETS | _PERSONAL if personal else _SECRETS
    kept = msgspec.json.encode(_without(document, hidden)).decode()
    return kept if len(kept) <= DOCUMENT_MAX else ""


def _without(value: Any, hidden: frozenset[str]) -> Any:
    if isinstance(value, dict):
        members = cast(dict[str, Any], value)
        return {name: _without(each, hidden) for name, each in members.items() if name not in hidden}
    if isinstance(value, list):
        return [_without(each, hidden) for each in cast(list[Any], value)]
    return value
