"""Everybody's orders, for operators: found by what people say of them, one with all that followed, and the
same as a file."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, NamedTuple, cast, get_args

from msgspec import Meta, Struct, field
from starlette.requests import Request
from starlette.responses import Response

from mercat import ids, money
from mercat.checkout import CancelAsk, Reason, RefundAsk
from mercat.ids import LineId, NoteId, OrderId, SellerId, UserId, number_shown, parse_number
from mercat.kit.refusals import Invalid, NotFound, Refusal, Unavailable
from mercat.kit.rpc import Caller, Filters
from mercat.kit.text import normal_text
from mercat.money import MINOR_MAX
from mercat.notifications import Mail
from mercat.orders import (
    LineQuantity,
    NewNote,
    NoteText,
    Order,
    OrderLineView,
    OrderNote,
    OrderStatus,
    OrderSummary,
)
from mercat.quantity import Quantity
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.errors import RefusalMessage, message_of
from mercat.web.forms import MONEY, Form, FormErrors, id_of, number_in, read_form
from mercat.web.idempotency import form_key, key_of
from mercat.web.operator.page import operator_page
from mercat.web.operator.why import Decision, decisions
from mercat.web.order_shown import OrderShown, order_shown
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, PageLimit
from mercat.web.session import with_role
from mercat.web.table_query import FILE_PAGE, TableQuery, as_csv, choice, link, tabs

_A_PAGE = 50
_PEOPLE_MAX = 200
_DONE = {"sent": "The letter goes out once more.", "noted": "Noted."}
MAIL_NUMBER_MAX = 2**31 - 1
_TABS: dict[str, str] = {
    "": "All",
    "confirmed": "Confirmed",
    "partially_shipped": "Partially shipped",
    "shipped": "Shipped",
    "delivered": "Delivered",
    "cancelled": "Cancelled",
}
_ORDERS: dict[str, tuple[str, ...]] = {"status": get_args(OrderStatus), "q": (), "seller": ()}
OrderWords = Annotated[str, Meta(max_length=200)]


class OrderFilters(Filters):
    """Which orders: `q` is a number, an id, an e-mail address, how a name begins, or a tracking number."""

    q: OrderWords = ""
    status: OrderStatus | None = None
    seller: SellerId | None = None
    since: date | None = field(default=None, name="from")
    until: date | None = field(default=None, name="to")
    limit: PageLimit = 50
    cursor: OrderId | None = None


class AnyOrderShown(Struct, frozen=True, kw_only=True):
    order_id: OrderId
    number: str | None
    status: OrderStatus
    total: Amount
    currency: str
    created_at: datetime


class AnyOrdersShown(Struct, frozen=True):
    orders: list[AnyOrderShown]
    next_cursor: OrderId | None
    missing: list[str] = []
    """Databases of orders that do not answer at the moment: theirs are not in the list."""


class LetterShown(Struct, frozen=True, kw_only=True):
    mail_id: int
    kind: str
    recipient: str
    subject: str
    at: datetime
    sent_at: datetime | None
    failure: str | None


class NoteShown(Struct, frozen=True, kw_only=True):
    note_id: NoteId
    who: str
    text: str
    at: datetime


class NoteAsk(Struct, frozen=True):
    """What an operator notes; it is never changed."""

    text: NoteText


class LetterSentAgain(Struct, frozen=True):
    """Nothing more is said."""


class OperatorOrderShown(OrderShown, frozen=True, kw_only=True):
    user_id: UserId
    email: str
    letters: list[LetterShown]
    decisions: list[Decision]
    """What was decided about it and what was refused, each with the rule by which, as it happened."""
    notes: list[NoteShown]


class EverybodysOrdersApi:
    """Everybody's orders."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def everybodys_orders(self, caller: Caller, filters: OrderFilters) -> AnyOrdersShown:
        """Find orders, the newest first."""
        orders, following = await find_orders(self._shop, filters)
        return AnyOrdersShown(
            [
                AnyOrderShown(
                    order_id=order.order_id,
                    number=number_shown(order.number),
                    status=order.status,
                    total=money.shown(order.total, order.currency),
                    currency=order.currency,
                    created_at=order.created_at,
                )
                for order in orders
            ],
            following,
            await self._shop.orders.missing(),
        )

    async def anybodys_order(self, caller: Caller, order_id: OrderId) -> OperatorOrderShown:
        """Show an order with all that followed, whose it is, the letters about it, why it is as it is, and
        what operators noted."""
        order = await self._shop.orders.order(order_id, None)
        shown = await order_shown(self._shop, order)
        letters = await _letters(self._shop, order_id)
        remarks = await self._shop.orders.remarks(order_id)
        return OperatorOrderShown(
            **{name: getattr(shown, name) for name in OrderShown.__struct_fields__},
            user_id=order.user_id,
            email=order.email,
            letters=[
                LetterShown(
                    mail_id=letter.mail_id,
                    kind=letter.kind,
                    recipient=letter.recipient,
                    subject=letter.subject,
                    at=letter.at,
                    sent_at=letter.sent_at,
                    failure=letter.failure,
                )
                for letter in letters
            ],
            decisions=decisions(order, remarks, shown.parts),
            notes=[_note_shown(note) for note in remarks.notes],
        )

    async def note_order(
        self, caller: Caller, request: Request, order_id: OrderId, note: NoteAsk
    ) -> NoteShown:
        """Note something about an order, for other operators; with a key once. Notes are only added."""
        once = key_of(request) or uuid.uuid4().hex
        return _note_shown(await self._shop.orders.add_note(order_id, _new_note(caller, note.text, once)))

    async def send_letter_again(self, caller: Caller, order_id: OrderId, mail_id: str) -> LetterSentAgain:
        """Send a letter about an order once more, to the same address."""
        await self._shop.notifications.send_of_order_again(order_id, _mail_number(mail_id))
        return LetterSentAgain()


def _mail_number(given: str | None) -> int:
    """Read the number of a letter; an impossible one names nothing, so 0."""
    return number_in(given, 0, 0, MAIL_NUMBER_MAX)


def _new_note(caller: Caller, text: str, once: str) -> NewNote:
    return NewNote(user_id=caller.user_id, who=caller.name or caller.email or "", text=text, once=once)


def _note_shown(note: OrderNote) -> NoteShown:
    return NoteShown(note_id=note.note_id, who=note.who, text=note.text, at=note.at)


async def find_orders(shop: Shop, asked: OrderFilters) -> tuple[list[OrderSummary], OrderId | None]:
    """Find orders, the newest first, and say what asks for the next page.

    A page of found ones may be short where a filter leaves some out; the next one goes on behind them."""
    since = _first(asked.since)
    before = min((each for each in (asked.cursor, _first(asked.until)) if each), default=None)
    words = asked.q.strip()
    if not words and asked.seller is None:
        page = await shop.orders.newest(before, asked.limit, asked.status, since)
        return page.orders, page.orders[-1].order_id if page.next_cursor else None
    if words:
        found = await _like(shop, words, before, asked.limit)
        if asked.seller is not None and found:
            theirs = await shop.fulfilment.order_ids_of_seller(
                asked.seller, OrderId(min(found)), OrderId(max(found) + 1), FILE_PAGE
            )
            found = [order_id for order_id in found if order_id in set(theirs)]
    else:
        assert asked.seller is not None
        found = await shop.fulfilment.order_ids_of_seller(asked.seller, since, before, asked.limit)
    number = parse_number(words) if words and before is None else None
    orders = await shop.orders.among(found, number, asked.status, since)
    return orders, found[-1] if len(found) >= asked.limit else None


async def _like(shop: Shop, words: str, before: OrderId | None, limit: int) -> list[OrderId]:
    try:
        return [ids.parse(OrderId, words)]
    except ValueError:
        pass
    if "@" in words:
        return await shop.notifications.orders_of(words, before, limit)
    found = await shop.fulfilment.orders_like(words, before, limit)
    # All pages of a search are of the one or of the other.
    if found or (before and await shop.fulfilment.orders_like(words, limit=1)):
        return found
    return await _of_people(shop, words, before, limit)


async def _of_people(shop: Shop, words: str, before: OrderId | None, limit: int) -> list[OrderId]:
    """Find the orders of who has an account, by how any word of their name begins; Invalid where very many
    are called so."""
    if not normal_text(words):
        return []
    people = [each.user_id for each in await shop.accounts.find_people(words, limit=_PEOPLE_MAX + 1)]
    if not people:
        return []
    if len(people) > _PEOPLE_MAX:
        raise Invalid(f"More than {_PEOPLE_MAX} people are called so. Write more of the name.", pointer="/q")
    page = await shop.orders.list_of(people, limit=limit, cursor=str(before) if before else None)
    return [each.order_id for each in page.orders]


def _first(day: date | None) -> OrderId | None:
    """Return the first id of a day, in UTC; 1 before there were any."""
    return OrderId(max(1, ids.first_of(datetime.combine(day, time(), tzinfo=UTC)))) if day else None


async def _letters(shop: Shop, order_id: OrderId) -> list[Mail]:
    nothing: list[Mail] = []
    return await shop.breakers["notifications"].ask(shop.notifications.of_order(order_id), nothing)


API = [
    PublicRoute(
        "GET",
        "/operator/orders",
        EverybodysOrdersApi.everybodys_orders,
        tag="Running the shop",
        needs="operator",
    ),
    PublicRoute(
        "GET",
        "/operator/orders/{order_id}",
        EverybodysOrdersApi.anybodys_order,
        tag="Running the shop",
        needs="operator",
    ),
    PublicRoute(
        "POST",
        "/operator/orders/{order_id}/notes",
        EverybodysOrdersApi.note_order,
        tag="Running the shop",
        needs="operator",
        refuses=["not_found"],
    ),
    PublicRoute(
        "POST",
        "/operator/orders/{order_id}/letters/{mail_id}/resend",
        EverybodysOrdersApi.send_letter_again,
        tag="Running the shop",
        needs="operator",
        status=200,
        refuses=["not_found"],
    ),
]


def _left(order: Order) -> list[LineQuantity]:
    return [LineQuantity(line.order_line_id, line.left) for line in order.lines if line.left]


class RefundForm(Struct, frozen=True):
    """What an operator gives back without goods."""

    amount: Annotated[int, Meta(ge=1, le=MINOR_MAX), MONEY]
    reason: Reason


class GiftCardsBackForm(Struct, frozen=True):
    """So many gift cards of a line that are paid back, which takes them."""

    line: LineId
    units: Quantity
    reason: Reason


class GiftCardsOfLine(NamedTuple):
    """The gift cards that a line of an order is: how many are whole, spent in part or wholly, and void."""

    line: OrderLineView
    whole: int
    spent: int
    void: int


class EverybodysOrdersPages:
    """Everybody's orders as a table, and one as a page."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def orders(self, request: Request) -> Response:
        await with_role(request, "operator")
        chosen, before = choice(request.query_params, _ORDERS), request.query_params.get("before")
        asked = _asked(chosen, id_of(before, OrderId) if before else None, _A_PAGE)
        orders, following = await find_orders(self._shop, asked)
        counts = {} if len(chosen) > ("status" in chosen) else await self._shop.orders.counts()
        return await operator_page(
            self._pages,
            request,
            "orders",
            "operator_orders.html",
            orders=[(each, number_shown(each.number) or str(each.order_id)) for each in orders],
            missing=await self._shop.orders.missing(),
            chosen=chosen,
            tabs=tabs("/operator/orders", chosen, "status", _TABS, counts),
            more=link("/operator/orders", chosen, before=following) if following else None,
            file=link("/operator/orders.csv", chosen),
        )

    async def export(self, request: Request) -> Response:
        """Send orders as a CSV file: those that the table would show. Unavailable where some are missing."""
        await with_role(request, "operator")
        if await self._shop.orders.missing():
            raise Unavailable
        chosen = choice(request.query_params, _ORDERS)
        head = ["order_id", "number", "placed_at", "status", "total", "currency"]
        return as_csv("orders.csv", head, (_cells(each) async for each in self._all(chosen)))

    async def order(
        self,
        request: Request,
        form: Form | None = None,
        refused: RefusalMessage | None = None,
        note_form: Form | None = None,
        cards_form: Form | None = None,
    ) -> Response:
        await with_role(request, "operator")
        order_id = id_of(request.path_params["order_id"], OrderId)
        order = await self._shop.orders.order(order_id, None)
        shown = await order_shown(self._shop, order)
        remarks = await self._shop.orders.remarks(order_id)
        form, note_form = form or Form(RefundForm), note_form or Form(NoteAsk)
        cards_form = cards_form or Form(GiftCardsBackForm)
        errors = [*form.errors, *note_form.errors, *cards_form.errors]
        return await operator_page(
            self._pages,
            request,
            "orders",
            "operator_order.html",
            status=422 if errors or refused else 200,
            order=order,
            decisions=decisions(order, remarks, shown.parts),
            notes=remarks.notes,
            note_form=note_form,
            said=_DONE.get(request.query_params.get("said", "")),
            number=number_shown(order.number) or str(order_id),
            parts=shown.parts,
            payments=shown.payments,
            left=sum(line.left for line in order.lines),
            gives_back=await self._gives_back(order),
            letters=await _letters(self._shop, order_id),
            gift_cards=await self._gift_cards(order),
            cards_form=cards_form,
            form=form,
            once=form_key(form.given),
            refused=refused,
        )

    async def cancel(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await with_role(request, "operator")
        order_id = id_of(request.path_params["order_id"], OrderId)
        order = await self._shop.orders.order(order_id, None)
        left = _left(order)
        if not left:
            return self._pages.redirect(request, f"/operator/orders/{order_id}")
        ask = CancelAsk(left, once=form_key(form))
        try:
            await self._shop.checkout.cancel(caller, order_id, ask, "operator")
        except Refusal as refused:
            return await self.order(request, None, message_of(refused))
        return self._pages.redirect(request, f"/operator/orders/{order_id}")

    async def _gives_back(self, order: Order) -> int:
        """Say what cancelling all that has not shipped would pay back."""
        left = _left(order)
        return (await self._shop.checkout.preview_cancel(order.order_id, left)).amount if left else 0

    async def _gift_cards(self, order: Order) -> list[GiftCardsOfLine]:
        """Count the gift cards among the goods of an order, by line."""
        cards = await self._shop.payments.sold_of(order.order_id)
        found: list[GiftCardsOfLine] = []
        for line in order.lines:
            own = [card for card in cards if card.order_line_id == line.order_line_id]
            if own:
                void = sum(card.is_void for card in own)
                spent = sum(card.balance < card.initial and not card.is_void for card in own)
                found.append(GiftCardsOfLine(line, len(own) - void - spent, spent, void))
        return found

    async def refund_gift_cards(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await with_role(request, "operator")
        order_id = id_of(request.path_params["order_id"], OrderId)
        asked = read_form(form, GiftCardsBackForm)
        if isinstance(asked, FormErrors):
            shown = Form(GiftCardsBackForm, form, asked, at=form.get("line", ""))
            return await self.order(request, cards_form=shown)
        units = [LineQuantity(asked.line, asked.units)]
        ask = RefundAsk(lines=units, reason=asked.reason, once=form_key(form))
        try:
            await self._shop.checkout.refund(caller, order_id, ask, "operator")
        except Refusal as refused:
            shown = Form(GiftCardsBackForm, form, at=form.get("line", ""))
            return await self.order(request, None, message_of(refused), cards_form=shown)
        return self._pages.redirect(request, f"/operator/orders/{order_id}")

    async def refund(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await with_role(request, "operator")
        order_id = id_of(request.path_params["order_id"], OrderId)
        asked = read_form(form, RefundForm, currency=self._shop.settings.currency)
        if isinstance(asked, FormErrors):
            return await self.order(request, Form(RefundForm, form, asked))
        ask = RefundAsk(amount=asked.amount, reason=asked.reason, once=form_key(form))
        try:
            await self._shop.checkout.refund(caller, order_id, ask, "operator")
        except Refusal as refused:
            return await self.order(request, Form(RefundForm, form), message_of(refused))
        return self._pages.redirect(request, f"/operator/orders/{order_id}")

    async def send_again(self, request: Request) -> Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        order_id = id_of(request.path_params["order_id"], OrderId)
        try:
            number = _mail_number(form.get("mail_id"))
            await self._shop.notifications.send_of_order_again(order_id, number)
        except NotFound as refused:
            return await self.order(request, None, message_of(refused))
        return self._pages.redirect(request, f"/operator/orders/{order_id}?said=sent#h-letters")

    async def note(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await with_role(request, "operator")
        order_id = id_of(request.path_params["order_id"], OrderId)
        asked = read_form(form, NoteAsk)
        if isinstance(asked, FormErrors):
            return await self.order(request, note_form=Form(NoteAsk, form, asked))
        await self._shop.orders.add_note(order_id, _new_note(caller, asked.text, form_key(form)))
        return self._pages.redirect(request, f"/operator/orders/{order_id}?said=noted#h-notes")

    async def _all(self, chosen: TableQuery) -> AsyncIterator[OrderSummary]:
        """Yield what the table has; a page of found ones may be short, so what follows says where it ends."""
        before: OrderId | None = None
        while True:
            orders, before = await find_orders(self._shop, _asked(chosen, before, FILE_PAGE))
            for order in orders:
                yield order
            if before is None:
                return


def _cells(order: OrderSummary) -> list[Any]:
    return [
        order.order_id,
        number_shown(order.number),
        order.created_at,
        order.status,
        rendering.decimal(order.total, order.currency),
        order.currency,
    ]


def _asked(chosen: TableQuery, before: OrderId | None, limit: int) -> OrderFilters:
    seller = chosen.get("seller")
    return OrderFilters(
        q=chosen.get("q", ""),
        status=cast(OrderStatus | None, chosen.get("status")),  # `choice` lets only these through
        seller=id_of(seller, SellerId) if seller else None,
        limit=limit,
        cursor=before,
    )


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = EverybodysOrdersPages(pages, shop)
    return [
        pages.route("/operator/orders", desk.orders),
        pages.route("/operator/orders.csv", desk.export),
        pages.route("/operator/orders/{order_id}", desk.order),
        pages.route("/operator/orders/{order_id}/cancel", desk.cancel, "POST"),
        pages.route("/operator/orders/{order_id}/refund", desk.refund, "POST"),
        pages.route("/operator/orders/{order_id}/refund-gift-cards", desk.refund_gift_cards, "POST"),
        pages.route("/operator/orders/{order_id}/letters", desk.send_again, "POST"),
        pages.route("/operator/orders/{order_id}/notes", desk.note, "POST"),
    ]
