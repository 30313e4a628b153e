"""The control room of a flash sale: how it goes, and what can be done about it."""

from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from mercat.flashsale import Act, Sale, SaleOverview
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.flash_sales import STATES
from mercat.web.forms import Form, FormErrors, errors_of, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.session import with_role
from mercat.web.streams import Streams

_WATCHING_MAX = 20
"""Streams that a worker keeps open at once."""


class RoomAction(NamedTuple):
    """A button of the control room: what it does, its words, and its number's label where it takes one."""

    what: str
    words: str
    number: str = ""
    danger: bool = False


class ControlRoom:
    """For operators: how a sale goes, and what can be done about it."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._streams = Streams(shop.host.closing, _WATCHING_MAX)

    async def sales(self, request: Request) -> Response:
        caller = await with_role(request, "operator")
        return await self._page(
            request, caller, "operator_flash.html", sales=await self._shop.flashsale.sales(), states=STATES
        )

    async def room(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        form = form or Form(Act)
        caller = await with_role(request, "operator")
        room = await self._shop.flashsale.overview(request.path_params["sale_id"])
        return await self._page(
            request,
            caller,
            "operator_flash_room.html",
            refused.status if refused else (422 if form.errors else 200),
            doings=_actions(room.sale),
            form=form,
            refused=message_of(refused) if refused and not form.errors else None,
            **_shown(room),
        )

    async def live(self, request: Request) -> Response:
        """Send the parts of the room that change, as server-sent events, whenever they change."""
        await with_role(request, "operator")
        sale_id = request.path_params["sale_id"]
        await self._shop.flashsale.sale(sale_id)  # raises NotFound before the answer begins

        async def parts() -> dict[str, str]:
            room = await self._shop.flashsale.overview(sale_id)
            shown = _shown(room)
            return {
                "state": f"{room.sale.state}\n{STATES[room.sale.state]}",
                "now": self._pages.render_fragment("flash_now.html", **shown),
                "done": self._pages.render_fragment("flash_done.html", **shown),
            }

        return self._streams.answer(parts)

    async def act(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await with_role(request, "operator")
        sale_id = request.path_params["sale_id"]
        at = form.get("what", "")
        act = read_form(form, Act)
        if isinstance(act, FormErrors):
            return await self.room(request, Form(Act, form, act, at=at))
        try:
            await self._shop.flashsale.act(caller, sale_id, act)
        except Refusal as refused:
            return await self.room(request, Form(Act, form, errors_of(refused), at=at), refused)
        return self._pages.redirect(request, f"/operator/flash/{sale_id}")

    async def _page(
        self, request: Request, caller: Caller, name: str, status: int = 200, **shown: Any
    ) -> Response:
        base: dict[str, Any] = {"desk": "operator", "desk_name": caller.name, "here": "flash"}
        return await self._pages.page(request, name, status, **(base | shown))


def _shown(room: SaleOverview) -> dict[str, Any]:
    """Collect what the room's page and its events show alike."""
    sale = room.sale
    waiting = max(0, sale.joined - sale.serving) if sale.queue else 0
    ended = room.used + room.lapsed
    tallies = [
        ("State", STATES[sale.state]),
        ("Left of units", f"{sale.left:,} of {sale.units:,}"),
        ("Waiting", f"{waiting:,}"),
        ("Served up to place", f"{sale.serving:,}"),
        ("Let in a second", f"{sale.rate:g} of {room.rate:g}"),
        ("Shopping now", f"{room.issued + room.claimed:,} of {room.ceiling:,} at most"),
        ("Bought of turns ended", f"{room.used / ended:.0%}" if ended else "…"),
        ("Turns lapsed", f"{room.lapsed:,}"),
        ("Checkout, 99th percentile", f"{room.health.p99_s * 1_000:,.0f} ms"),
        ("Checkouts failed lately", f"{room.health.failed:,} of {room.health.answers:,}"),
    ]
    slowed = room.rate and sale.rate < room.rate * 0.99 and sale.state == "open"
    return {"sale": sale, "room": room, "tallies": tallies, "slowed": slowed}


def _actions(sale: Sale) -> list[RoomAction]:
    changes = [
        RoomAction("rate", "Change the rate", "People a second"),
        RoomAction("ceiling", "Change the ceiling", "People with a pass at once"),
        RoomAction("units", "Add units", "Units to add"),
        RoomAction("end", "End the sale", danger=True),
    ]
    match sale.state:
        case "planned":
            return [RoomAction("start", "Start now"), *changes]
        case "open":
            return [RoomAction("pause", "Pause"), *changes]
        case "paused":
            return [RoomAction("resume", "Resume"), *changes]
        case "sold_out":
            return changes[2:]
        case _:
            return []


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    room = ControlRoom(pages, shop)
    return [
        pages.route("/operator/flash", room.sales),
        pages.route("/operator/flash/{sale_id}", room.room),
        pages.route("/operator/flash/{sale_id}", room.act, "POST"),
        pages.route("/operator/flash/{sale_id}/live", room.live),
    ]
