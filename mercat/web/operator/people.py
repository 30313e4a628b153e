"""People on the operator's desk: found, kept out, forgotten, and who else runs the shop."""

from datetime import datetime
from typing import Annotated, Literal, cast, get_args

from msgspec import Meta, Struct
from msgspec.structs import asdict
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.accounts import FoundPerson, PeopleSearch, PeopleWords
from mercat.ids import OrderId, SellerId, UserId, number_shown
from mercat.kit.refusals import NotFound, Refusal
from mercat.kit.rpc import Caller
from mercat.orders import OrderPage
from mercat.payments import CreditReason, GrantedCredit
from mercat.shop import Shop
from mercat.web.account import CREDIT_WORDS
from mercat.web.errors import message_of
from mercat.web.forms import MONEY, Form, FormErrors, id_of, read_form
from mercat.web.idempotency import form_key
from mercat.web.leaving import Forgotten
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, PageLimit
from mercat.web.session import with_role
from mercat.web.table_query import CHOICE_MAX, choice, link, tabs

_A_PAGE = 50
_ORDERS = 20
_DONE = {
    "disabled": "They are out: no session goes on, and none begins.",
    "enabled": "They can sign in again.",
    "operator": "They run the shop too, at once.",
    "credit": "Their store credit is changed.",
    "no-operator": "They do not run the shop any more.",
    "erased": "They are forgotten. Orders and books keep amounts and tax.",
}
_TABS: dict[PeopleSearch, str] = {
    "all": "All",
    "operators": "Operators",
    "sellers": "Sellers",
    "disabled": "Disabled",
}
_ASKED: dict[str, tuple[str, ...]] = {"which": get_args(PeopleSearch), "q": (), "before": ()}
Standing = Literal["active", "disabled"]
_GIVEN = "operator"
"""The one role that is given by hand."""


class PersonRowShown(Struct, frozen=True, kw_only=True):
    user_id: UserId
    email: str
    name: str
    status: Standing
    roles: list[str]
    seller_id: SellerId | None
    email_verified: bool
    created_at: datetime


class PeopleShown(Struct, frozen=True):
    people: list[PersonRowShown]
    next_cursor: UserId | None


class PersonsOrderShown(Struct, frozen=True, kw_only=True):
    order_id: OrderId
    number: str | None
    status: str
    total: Amount
    currency: str
    created_at: datetime


class PersonShown(PersonRowShown, frozen=True, kw_only=True):
    disabled_at: datetime | None
    two_factor: bool
    sessions: int
    """In how many places they are signed in."""
    orders: list[PersonsOrderShown]
    """The newest of them."""
    orders_total: int


class PeopleApi:
    """Everybody who has an account."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def people(
        self,
        caller: Caller,
        q: PeopleWords = "",
        which: PeopleSearch = "all",
        limit: PageLimit = 50,
        cursor: UserId | None = None,
    ) -> PeopleShown:
        """Find people, the newest first: by how words of the name or the e-mail address begin, or by the user
        id; all, operators, sellers, or those disabled."""
        found = await self._shop.accounts.find_people(q, which, cursor, limit)
        following = found[-1].user_id if len(found) == limit else None
        return PeopleShown([_row(each) for each in found], following)

    async def any_person(self, caller: Caller, user_id: UserId) -> PersonShown:
        """Show an account with its roles, its newest orders, and in how many places it is signed in."""
        return await self._person(await self._shop.accounts.found_person(user_id))

    async def disable_person(self, caller: Caller, user_id: UserId) -> PersonShown:
        """Keep somebody out: their sessions and API keys end, and they cannot sign in. Their goods stay on
        sale unless their seller is suspended."""
        return await self._person(await self._shop.accounts.disable(user_id, caller.user_id))

    async def enable_person(self, caller: Caller, user_id: UserId) -> PersonShown:
        """Let somebody sign in again."""
        return await self._person(await self._shop.accounts.enable(user_id))

    async def erase_person(self, caller: Caller, user_id: UserId) -> Forgotten:
        """Forget somebody, as `DELETE /account` does."""
        await self._shop.accounts.erase_person(user_id, caller.user_id)
        return Forgotten()

    async def give_role(self, caller: Caller, user_id: UserId, role: str) -> PersonShown:
        """Let somebody run the shop, at once: `role` is `operator`."""
        _check(role)
        return await self._person(await self._shop.accounts.make_operator(user_id, given=True))

    async def take_role(self, caller: Caller, user_id: UserId, role: str) -> PersonShown:
        """Let somebody no longer run the shop, at once; somebody has to."""
        _check(role)
        return await self._person(await self._shop.accounts.make_operator(user_id, given=False))

    async def _person(self, person: FoundPerson) -> PersonShown:
        orders = await orders_of(self._shop, person.user_id)
        details = await self._shop.accounts.person(person.user_id)
        row = _row(person)
        return PersonShown(
            **{name: getattr(row, name) for name in PersonRowShown.__struct_fields__},
            disabled_at=person.disabled_at,
            two_factor=details.two_factor,
            sessions=len(await self._shop.accounts.sessions(person.user_id)),
            orders=[
                PersonsOrderShown(
                    order_id=each.order_id,
                    number=number_shown(each.number),
                    status=each.status,
                    total=money.shown(each.total, each.currency),
                    currency=each.currency,
                    created_at=each.created_at,
                )
                for each in orders.orders
            ],
            orders_total=orders.total,
        )


def _check(role: str) -> None:
    if role != _GIVEN:
        raise NotFound("There is no such role to give.")


def _row(person: FoundPerson) -> PersonRowShown:
    return PersonRowShown(
        user_id=person.user_id,
        email=person.email,
        name=person.name,
        status="disabled" if person.disabled_at else "active",
        roles=sorted(person.roles),
        seller_id=person.seller_id,
        email_verified=person.email_verified,
        created_at=person.created_at,
    )


async def orders_of(shop: Shop, user_id: UserId) -> OrderPage:
    """List somebody's newest orders, with those of the guests they were."""
    people = [user_id, *await shop.accounts.guests_of(user_id)]
    return await shop.orders.list_of(people, limit=_ORDERS)


_PATH = "/operator/people/{user_id}"
_REFUSES = ["about_oneself", "last_operator", "not_found"]


def _route(verb: str, path: str, method: object, refuses: list[str] | None = None) -> PublicRoute:
    return PublicRoute(
        verb, path, method, tag="Running the shop", needs="operator", status=200, refuses=refuses or []
    )


API = [
    _route("GET", "/operator/people", PeopleApi.people),
    _route("GET", _PATH, PeopleApi.any_person),
    _route("POST", f"{_PATH}/disable", PeopleApi.disable_person, _REFUSES),
    _route("POST", f"{_PATH}/enable", PeopleApi.enable_person, ["not_found"]),
    _route("DELETE", _PATH, PeopleApi.erase_person, _REFUSES),
    _route("PUT", f"{_PATH}/roles/{{role}}", PeopleApi.give_role, ["not_found"]),
    _route("DELETE", f"{_PATH}/roles/{{role}}", PeopleApi.take_role, ["last_operator", "not_found"]),
]


class CreditForm(Struct, frozen=True):
    """What is given, or with a minus taken."""

    amount: Annotated[int, Meta(ge=-money.MINOR_MAX, le=money.MINOR_MAX), MONEY]
    reason: CreditReason


class PeoplePages:
    """People as a table, and one with what can be done."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def people(self, request: Request) -> Response:
        await with_role(request, "operator")
        asked = choice(request.query_params, _ASKED)
        before = asked.pop("before", "")
        which = cast(PeopleSearch, asked.get("which", "all"))
        found = await self._shop.accounts.find_people(
            asked.get("q", ""), which, id_of(before, UserId) if before else None, _A_PAGE
        )
        counts = await self._shop.accounts.people_counts()
        last = found[-1].user_id if len(found) == _A_PAGE else None
        return await operator_page(
            self._pages,
            request,
            "people",
            "operator_people.html",
            people=[_row(each) for each in found],
            chosen=asked,
            words_max=CHOICE_MAX,
            tabs=tabs("/operator/people", asked, "which", _TABS, asdict(counts)),
            more=link("/operator/people", asked, before=last) if last else None,
            said=_DONE.get(request.query_params.get("said", "")),
        )

    async def person(
        self, request: Request, refused: Refusal | None = None, form: Form | None = None
    ) -> Response:
        caller = await with_role(request, "operator")
        user_id = id_of(request.path_params["user_id"], UserId)
        person = await self._shop.accounts.found_person(user_id)
        orders = await orders_of(self._shop, user_id)
        return await operator_page(
            self._pages,
            request,
            "people",
            "operator_person.html",
            status=refused.status if refused else (422 if form and form.errors else 200),
            form=form or Form(CreditForm),
            once=form_key(form.given if form else {}),
            credit=await self._shop.payments.store_credit(user_id),
            credit_words=CREDIT_WORDS,
            person=_row(person),
            disabled_at=person.disabled_at,
            oneself=caller.user_id == user_id,
            sessions=len(await self._shop.accounts.sessions(user_id)),
            orders=[(each, number_shown(each.number) or str(each.order_id)) for each in orders.orders],
            orders_total=orders.total,
            said=_DONE.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused else None,
        )

    async def disable(self, request: Request) -> Response:
        caller, user_id = await self._asked(request)
        try:
            await self._shop.accounts.disable(user_id, caller.user_id)
        except Refusal as refused:
            return await self.person(request, refused)
        return self._back(request, user_id, "disabled")

    async def enable(self, request: Request) -> Response:
        _, user_id = await self._asked(request)
        await self._shop.accounts.enable(user_id)
        return self._back(request, user_id, "enabled")

    async def erase(self, request: Request) -> Response:
        caller, user_id = await self._asked(request)
        try:
            await self._shop.accounts.erase_person(user_id, caller.user_id)
        except Refusal as refused:
            return await self.person(request, refused)
        return self._pages.redirect(request, "/operator/people?said=erased")

    async def give_role(self, request: Request) -> Response:
        _, user_id = await self._asked(request)
        await self._shop.accounts.make_operator(user_id, given=True)
        return self._back(request, user_id, "operator")

    async def take_role(self, request: Request) -> Response:
        _, user_id = await self._asked(request)
        try:
            await self._shop.accounts.make_operator(user_id, given=False)
        except Refusal as refused:
            return await self.person(request, refused)
        return self._back(request, user_id, "no-operator")

    async def give_store_credit(self, request: Request) -> Response:
        given = await self._pages.form(request)
        await with_role(request, "operator")
        user_id = id_of(request.path_params["user_id"], UserId)
        asked = read_form(given, CreditForm, currency=self._shop.settings.currency)
        if isinstance(asked, FormErrors):
            return await self.person(request, form=Form(CreditForm, given, asked))
        try:
            grant = GrantedCredit(user_id, asked.amount, asked.reason, form_key(given))
            await self._shop.payments.grant_store_credit(grant)
        except Refusal as refused:
            return await self.person(request, refused, Form(CreditForm, given))
        return self._back(request, user_id, "credit")

    async def _asked(self, request: Request) -> tuple[Caller, UserId]:
        await self._pages.form(request)
        caller = await with_role(request, "operator")
        return caller, id_of(request.path_params["user_id"], UserId)

    def _back(self, request: Request, user_id: UserId, said: str) -> Response:
        return self._pages.redirect(request, f"/operator/people/{user_id}?said={said}")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = PeoplePages(pages, shop)
    return [
        pages.route("/operator/people", desk.people),
        pages.route("/operator/people/{user_id}", desk.person),
        pages.route("/operator/people/{user_id}/disable", desk.disable, "POST"),
        pages.route("/operator/people/{user_id}/enable", desk.enable, "POST"),
        pages.route("/operator/people/{user_id}/store-credit", desk.give_store_credit, "POST"),
        pages.route("/operator/people/{user_id}/erase", desk.erase, "POST"),
        pages.route("/operator/people/{user_id}/operator", desk.give_role, "POST"),
        pages.route("/operator/people/{user_id}/no-operator", desk.take_role, "POST"),
    ]
