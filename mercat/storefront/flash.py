"""Flash sales: the page before, the wait, one's turn; and the operator's control room.

The sale's page is everybody's. Waiting asks the shop nothing: the page's script reads the one public
document, which any cache may hand out, and computes all else from its own number, the draw included; the page
comes again when it is somebody's turn.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from math import ceil
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mercat.flashsale import Act, Place, Room, Sale
from mercat.ids import UserId
from mercat.kit import clock, codec
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import NotFound, Overloaded, Refusal
from mercat.kit.rpc import Caller
from mercat.services import Services
from mercat.storefront.shared import Shared
from mercat.storefront.visit import Trouble, Visits, number, trouble

_STATES = {
    "planned": "Not open yet",
    "open": "On now",
    "paused": "Paused for a moment",
    "sold_out": "Sold out",
    "ended": "Over",
}
_WATCHING_MAX = 20
"""Streams that a worker keeps open at once."""
_WATCHED_S = 60


class Doing(NamedTuple):
    """A button of the control room: what it does, its words, and its number's label where it takes one."""

    what: str
    words: str
    number: str = ""
    danger: bool = False


class Flash:
    def __init__(self, visits: Visits, shop: Services) -> None:
        self._visits = visits
        self._shop = shop

    async def sales(self, request: Request) -> Response:
        sales = await self._shop.flashsale.sales()
        return await self._visits.everybodys(
            request, "flash_sales.html", ["flash-sales"], sales=sales, states=_STATES
        )

    async def sale(self, request: Request) -> Response:
        """The page that everybody sees: the same for all, for any cache."""
        sale = await self._sale(request)
        product = await self._shop.catalog.product(sale.product_id)
        offers = await self._shop.catalog.offers([sale.offer_id])
        return await self._visits.everybodys(
            request,
            "flash_sale.html",
            [f"flash-sale-{sale.sale_id}", str(sale.product_id)],
            sale=sale,
            said=_STATES[sale.state],
            product=product,
            offer=offers.get(sale.offer_id),
            begins=_begins(sale),
        )

    async def join(self, request: Request) -> Response:
        await self._visits.form(request, everybodys=True)
        sale = await self._sale(request)
        caller = await self._visits.caller(request) or await self._welcome(request)
        try:
            address: str = request.scope.get("mercat.address", "")
            await self._shop.flashsale.join(caller, sale.sale_id, address)
        except Refusal as refused:
            if refused.status in (401, 429, 503):
                raise
            return await self._wait(request, sale, None, trouble(refused), refused.status)
        return self._visits.go(request, f"/flash/{sale.sale_id}/wait")

    async def wait(self, request: Request) -> Response:
        sale = await self._sale(request)
        caller = await self._visits.caller(request)
        try:
            place = await self._shop.flashsale.place(caller, sale.sale_id) if caller else None
        except NotFound:
            place = None
        if place is None:
            return self._visits.go(request, f"/flash/{sale.sale_id}")
        return await self._wait(request, sale, place)

    async def buy(self, request: Request) -> Response:
        """It is their turn: the thing goes into the cart, and on to checkout, which finds the pass itself."""
        await self._visits.form(request)
        sale = await self._sale(request)
        caller = await self._visits.caller(request)
        if caller is None:
            return self._visits.go(request, f"/flash/{sale.sale_id}")
        basket = await self._shop.cart.basket(caller.user_id)
        if sale.offer_id not in {line.offer_id for line in basket.lines}:
            await self._shop.cart.add(caller.user_id, sale.offer_id, 1)
        return self._visits.go(request, "/checkout")

    async def _wait(
        self,
        request: Request,
        sale: Sale,
        place: Place | None,
        refused: Trouble | None = None,
        status: int = 200,
    ) -> Response:
        left_s = 0
        if place and not isinstance(place.pass_until, msgspec.UnsetType):
            left_s = max(0, int((place.pass_until - clock.now()).total_seconds()))
        return await self._visits.page(
            request,
            "flash_wait.html",
            status,
            sale=sale,
            said=_STATES[sale.state],
            place=place,
            odds=odds(sale, place.ahead or 0) if place else "",
            begins=_begins(sale),
            again_s=_again_s(sale, place),
            left_s=left_s,
            until=place.pass_until if left_s and place else None,
            refused=refused,
        )

    async def _sale(self, request: Request) -> Sale:
        return await self._shop.flashsale.sale(request.path_params["sale_id"])

    async def _welcome(self, request: Request) -> Caller:
        """A session for somebody who has none: their place must stay theirs."""
        session = await self._shop.accounts.guest()
        caller = Caller(UserId(session.user_id))
        lifetime = (session.expires_at - clock.now()).total_seconds()
        self._visits.start(request, caller, session.token, int(lifetime))
        return caller


class ControlRoom:
    """For operators: how a sale goes, and what can be done about it."""

    def __init__(self, visits: Visits, shop: Services, closing: asyncio.Event) -> None:
        self._visits = visits
        self._shop = shop
        self._closing = closing
        self._watching = 0

    async def sales(self, request: Request) -> Response:
        caller = await self._visits.with_role(request, "operator")
        return await self._page(
            request, caller, "operator_flash.html", sales=await self._shop.flashsale.sales(), states=_STATES
        )

    async def room(
        self, request: Request, refused: Refusal | None = None, given: dict[str, str] | None = None
    ) -> Response:
        caller = await self._visits.with_role(request, "operator")
        room = await self._shop.flashsale.room(request.path_params["sale_id"])
        return await self._page(
            request,
            caller,
            "operator_flash_room.html",
            refused.status if refused else 200,
            doings=_doings(room.sale),
            given={"what": "", "why": "", "amount": ""} | (given or {}),
            refused=trouble(refused) if refused else None,
            **_shown(room),
        )

    async def live(self, request: Request) -> Response:
        """The two parts of the room that change, as server-sent events, whenever they change."""
        await self._visits.with_role(request, "operator")
        sale_id = request.path_params["sale_id"]
        await self._shop.flashsale.sale(sale_id)  # raises NotFound before the answer begins
        if self._watching >= _WATCHING_MAX:
            raise Overloaded
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._told(sale_id), headers=headers, media_type="text/event-stream")

    async def _told(self, sale_id: str) -> AsyncIterator[bytes]:
        """For a minute: then the browser asks again, and whether it still may is looked at anew."""
        self._watching += 1
        told: dict[str, str] = {}
        try:
            yield b"retry: 1000\n\n"
            for _ in range(_WATCHED_S):
                try:
                    room = await self._shop.flashsale.room(sale_id)
                except (Refusal, *AWAY):
                    return  # the browser asks again
                shown = _shown(room)
                now = {
                    "state": f"{room.sale.state}\n{_STATES[room.sale.state]}",
                    "now": self._visits.written("flash_now.html", **shown),
                    "done": self._visits.written("flash_done.html", **shown),
                }
                for part, content in now.items():
                    if told.get(part) != content:
                        yield _event(part, content)
                told = now
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await self._closing.wait()
                        return
        finally:
            self._watching -= 1

    async def act(self, request: Request) -> Response:
        form = await self._visits.form(request)
        caller = await self._visits.with_role(request, "operator")
        sale_id = request.path_params["sale_id"]
        amount = number(form.get("amount"), 0, 0, 10_000_000) if form.get("amount") else None
        try:
            act = codec.convert({"what": form.get("what"), "why": form.get("why"), "amount": amount}, Act)
            await self._shop.flashsale.act(caller, sale_id, act)
        except msgspec.ValidationError:
            return await self.room(request, Refusal.named("invalid")("Say why, for the record."), form)
        except Refusal as refused:
            return await self.room(request, refused, form)
        return self._visits.go(request, f"/operator/flash/{sale_id}")

    async def _page(
        self, request: Request, caller: Caller, name: str, status: int = 200, **shown: Any
    ) -> Response:
        base: dict[str, Any] = {"desk": "operator", "desk_name": caller.name, "here": "flash"}
        return await self._visits.page(request, name, status, **(base | shown))


def odds(sale: Sale, ahead: int) -> str:
    """What there is to hope for, as it is. The page's script says the same in the same words."""
    free = (sale.left - sale.promised) // sale.per_person
    if ahead < free:
        return "There is enough for everybody ahead of you, and for you."
    more = ahead + 1 - free
    people = "one person" if more == 1 else f"{more:,} people"
    short = "There is not enough for everybody ahead of you"
    return f"{short}: it is your turn only if {people} before you do not buy."


def _begins(sale: Sale) -> str:
    """How long until it begins, for who has no script to count it down."""
    minutes = ceil((sale.starts_at - clock.now()).total_seconds() / 60)
    if minutes <= 0:
        return ""
    parts = zip((minutes // 1_440, minutes // 60 % 24, minutes % 60), ("d", "h", "min"), strict=True)
    return f"(in {' '.join(f'{n} {unit}' for n, unit in parts if n)})"


def _again_s(sale: Sale, place: Place | None) -> int:
    """When a page without a script asks again: the sooner, the sooner something can happen."""
    if place is None or place.state == "your_turn":
        return 20
    if place.state == "drawing":
        wait = (sale.starts_at - clock.now()).total_seconds()
    else:
        wait = place.ahead or 0 if place.eta_s is None else place.eta_s
    return int(min(60, max(5, wait / 4)))


def _shown(room: Room) -> dict[str, Any]:
    """What the room's page and its events show alike."""
    sale = room.sale
    waiting = max(0, sale.joined - sale.serving) if sale.queue else 0
    ended = room.used + room.lapsed
    tallies = [
        ("State", _STATES[sale.state]),
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


def _event(name: str, content: str) -> bytes:
    """A server-sent event (WHATWG HTML, 9.2.6)."""
    lines = "".join(f"data: {line}\n" for line in content.splitlines())
    return f"event: {name}\n{lines}\n".encode()


def _doings(sale: Sale) -> list[Doing]:
    changes = [
        Doing("rate", "Change the rate", "People a second"),
        Doing("ceiling", "Change the ceiling", "People with a pass at once"),
        Doing("units", "Add units", "Units to add"),
        Doing("end", "End the sale", danger=True),
    ]
    match sale.state:
        case "planned":
            return [Doing("start", "Start now"), *changes]
        case "open":
            return [Doing("pause", "Pause"), *changes]
        case "paused":
            return [Doing("resume", "Resume"), *changes]
        case "sold_out":
            return changes[2:]
        case _:
            return []


def pages(visits: Visits, shop: Services, closing: asyncio.Event) -> list[Route]:
    flash, room, shared = Flash(visits, shop), ControlRoom(visits, shop, closing), Shared()
    return [
        visits.route("/flash", shared.wrap(flash.sales)),
        visits.route("/flash/{sale_id}", shared.wrap(flash.sale)),
        visits.route("/flash/{sale_id}/queue", flash.join, "POST"),
        visits.route("/flash/{sale_id}/wait", flash.wait),
        visits.route("/flash/{sale_id}/buy", flash.buy, "POST"),
        visits.route("/operator/flash", room.sales),
        visits.route("/operator/flash/{sale_id}", room.room),
        visits.route("/operator/flash/{sale_id}", room.act, "POST"),
        visits.route("/operator/flash/{sale_id}/live", room.live),
    ]
