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

from mercat.auditlog import AuditLog, NewEntry
from mercat.kit.http import answered, read_body
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.web.cache import Handler
from mercat.web.context import Authenticate
from mercat.web.differences import difference, fitting
from mercat.web.router import Endpoint

_SECRETS = frozenset(
    {
        "password",
        "current_password",
        "secret",
        "token",
        "key",
        "csrf",
        "recovery_codes",
        "codes",
        "account",
    }
)
_PERSONAL = frozenset(
    {
        *("email", "name", "address", "shipping_address", "phone", "recipient", "letters"),
        *("notes", "text", "comment", "decisions"),
    }
)
_SECRET_CODES = ("/gift-cards", "/two-factor", "/signin", "/sessions")
"""Here a `code` is as good as money, or as a password; elsewhere it is what something is called."""
_ABOUT_PEOPLE = ("/operator/people", "/operator/orders", "/operator/returns")
"""Of these the log keeps what was decided, not who people are: they may have themselves forgotten."""


class Audited:
    """Wraps the handlers that change something, for when an operator calls them."""

    def __init__(
        self,
        log: AuditLog,
        authenticate: Authenticate,
        readers: Iterable[Endpoint] = (),
        documents: Iterable[str] = (),
    ) -> None:
        """`readers`: what shows a thing at an address, by which before and after are read; `documents`:
        the addresses that are one thing as a whole."""
        self._log = log
        self._authenticate = authenticate
        self._readers = {tuple(each.path.split("/")): each.handler for each in readers}
        self._documents = frozenset(documents)

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
        address = "/".join(request.scope["path"].split("/")[:depth])
        subject = address.removeprefix("/api/v1")  # by whichever door: the same thing
        hidden = _hidden_at(subject)
        body = await read_body(request, needed=False)
        before = await _read(reader, address, request, hidden)
        entry_id = await self._log.begin(
            NewEntry(
                user_id=caller.user_id,
                who=caller.email or caller.name,
                what=name,
                subject=subject,
                asked=_kept(_safe(body, hidden)),
                before=_kept(before),
            )
        )
        try:
            response = await handler(request)
        except Refusal as refusal:  # a page says it in its own way
            await self._log.finish(entry_id, refusal.status, "")
            raise
        after = ""
        if response.status_code < 400:
            shown = await _read(reader, address, request, hidden)
            after = _kept(_safe(bytes(response.body), hidden)) if shown is None else difference(before, shown)
        await self._log.finish(entry_id, response.status_code, after)
        return response

    def _reader(self, path: str) -> tuple[Handler | None, int]:
        """Find what shows the thing that a path is about: the longest beginning that names one."""
        parts = tuple(path.split("/"))
        for depth in range(len(parts), 1, -1):
            if parts[depth - 1].startswith("{"):
                return self._readers.get(parts[:depth]), depth
        return (self._readers.get(parts) if path in self._documents else None), len(parts)


def _hidden_at(subject: str) -> frozenset[str]:
    """Say which members are not kept of what is changed here."""
    hidden = _SECRETS | _PERSONAL if any(part in subject for part in _ABOUT_PEOPLE) else _SECRETS
    return hidden | {"code"} if any(part in subject for part in _SECRET_CODES) else hidden


async def _read(reader: Handler | None, address: str, request: Request, hidden: frozenset[str]) -> Any:
    """Answer what the API shows of a thing; None where it shows nothing."""
    if reader is None:
        return None
    names = request.path_params
    scope = {
        **request.scope,
        "method": "GET",
        "path": address,
        "query_string": b"",
        "path_params": {name: value for name, value in names.items() if f"/{value}" in address},
    }
    response = await answered(reader, Request(scope))
    return _safe(bytes(response.body), hidden) if response.status_code == 200 else None


def _kept(document: Any) -> str:
    return "" if document is None else fitting(document)


def _safe(body: bytes, hidden: frozenset[str]) -> Any:
    """Read JSON, or a form, without what is hidden; None where there is nothing."""
    if not body or body.startswith(b"--"):  # a file in parts
        return None
    try:
        document = msgspec.json.decode(body)
    except RecursionError:  # nothing that was taken is nested so deeply
        return ""
    except msgspec.DecodeError:
        document = dict(
            parse_qsl(body.decode("utf-8", "replace"))
        )  # a form; of anything else nothing is left
    return _without(document, hidden)


def _without(value: Any, hidden: frozenset[str]) -> Any:
    if isinstance(value, dict):
        members = cast(dict[str, Any], value)
        return {name: _without(each, hidden) for name, each in members.items() if name not in hidden}
    if isinstance(value, list):
        return [_without(each, hidden) for each in cast(list[Any], value)]
    return value
