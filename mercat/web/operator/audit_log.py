"""Who of the operators changed what, before and after."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.auditlog import Entry, WhoWords
from mercat.ids import EntryId, UserId
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.forms import id_of
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit
from mercat.web.session import with_role
from mercat.web.table_query import choice, link

_A_PAGE = 50
_ASKED: dict[str, tuple[str, ...]] = {"who": (), "what": (), "subject": ()}
_NOTHING = Raw(b"null")


class EntryShown(Struct, frozen=True, kw_only=True):
    entry_id: EntryId
    at: datetime
    who: str
    user_id: UserId
    what: str
    subject: str
    """The address of what it is about."""
    asked: Raw
    before: Raw
    after: Raw
    status: int | None
    """As HTTP has it; null: the process died, and the thing itself says whether it was done."""


class AuditLogShown(Struct, frozen=True):
    entries: list[EntryShown]
    next_cursor: EntryId | None


class AuditLogApi:
    """What operators changed."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def audit_log(
        self,
        caller: Caller,
        who: WhoWords = "",
        what: WhoWords = "",
        subject: WhoWords = "",
        limit: PageLimit = 50,
        cursor: EntryId | None = None,
    ) -> AuditLogShown:
        """List what operators changed, the newest first; of a person, a kind of change, or a thing."""
        page = await self._shop.auditlog.newest(who, what, subject, cursor, limit)
        return AuditLogShown([_shown(entry) for entry in page.entries], page.next_cursor)


def _shown(entry: Entry) -> EntryShown:
    return EntryShown(
        entry_id=entry.entry_id,
        at=entry.at,
        who=entry.who,
        user_id=entry.user_id,
        what=entry.what,
        subject=entry.subject,
        asked=_document(entry.asked),
        before=_document(entry.before),
        after=_document(entry.after),
        status=entry.status,
    )


def _document(text: str) -> Raw:
    return Raw(text.encode()) if text else _NOTHING


API = [
    PublicRoute(
        "GET", "/operator/audit-log", AuditLogApi.audit_log, tag="Running the shop", needs="operator"
    ),
]


class AuditLogPages:
    """What operators changed, as a table."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def entries(self, request: Request) -> Response:
        await with_role(request, "operator")
        chosen, before = choice(request.query_params, _ASKED), request.query_params.get("before")
        page = await self._shop.auditlog.newest(
            chosen.get("who", ""),
            chosen.get("what", ""),
            chosen.get("subject", ""),
            id_of(before, EntryId) if before else None,
            _A_PAGE,
        )
        return await operator_page(
            self._pages,
            request,
            "audit-log",
            "operator_audit_log.html",
            entries=[(entry, _changes(entry)) for entry in page.entries],
            chosen=chosen,
            more=link("/operator/audit-log", chosen, before=page.next_cursor) if page.next_cursor else None,
        )


def _changes(entry: Entry) -> list[tuple[str, str, str]]:
    """List what is another after than before: its name, and both values."""
    before, after = (_flat(text) for text in (entry.before, entry.after))
    names = dict.fromkeys([*before, *after])
    return [
        (name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _flat(text: str) -> dict[str, str]:
    """Answer what stands in a document, each value as a text; what is null does not."""
    try:
        document = msgspec.json.decode(text or "{}", type=dict[str, Any])
    except msgspec.ValidationError:
        return {}
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in document.items()
        if value is not None
    }


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    log = AuditLogPages(pages, shop)
    return [pages.route("/operator/audit-log", log.entries)]
