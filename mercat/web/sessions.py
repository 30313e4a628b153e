"""Accounts and sessions: registering, signing in and out, a guest's session; the head of every page."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.accounts import (
    EMAIL_MAX,
    PASSWORD_MAX,
    Code,
    Email,
    NewPerson,
    Password,
    PersonName,
    RunningSession,
    Session,
    TwoFactorRequired,
    WrongCode,
    WrongPassword,
)
from mercat.ids import SellerId, SessionId, UserId
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.membership import JoinRequest, SignInRequest
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, local_path, read_form
from mercat.web.optional import unless_away
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit, page_of
from mercat.web.session import (
    agent_of,
    caller_of,
    end_session,
    network_of,
    new_guest,
    start_session,
    token_of,
)


class NewAccount(Struct, frozen=True):
    email: Email
    password: Password
    name: PersonName


class AccountMade(Struct, frozen=True):
    user_id: UserId


class SignIn(Struct, frozen=True):
    """`code`: of the second step, where the account has one."""

    email: Annotated[str, Meta(max_length=EMAIL_MAX)]
    password: Annotated[str, Meta(max_length=PASSWORD_MAX)]
    code: Code | None = None


TICKET_MAX = 500


class SecondStep(Struct, frozen=True):
    """The code of a second step, and the ticket of whose password was right."""

    ticket: Annotated[str, Meta(max_length=TICKET_MAX)]
    code: Code


class SessionShown(Struct, frozen=True):
    token: str
    user_id: UserId
    expires_at: datetime


class SessionsShown(Struct, frozen=True):
    sessions: list[RunningSession]
    next_cursor: SessionId | None


class SessionEnded(Struct, frozen=True):
    """Nothing more is said."""


class Me(Struct, frozen=True):
    user_id: UserId
    name: str
    email: str | None
    roles: list[str]
    seller_id: SellerId | None


class SessionsApi:
    """Who somebody is."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def register(self, caller: Caller | None, request: Request, account: NewAccount) -> AccountMade:
        """Open an account. It starts no session; what a guest has in the cart comes along. Where somebody has
        the e-mail address already, the answer is alike, and they are written to."""
        person = NewPerson(account.email, account.password, account.name, network_of(request))
        return AccountMade(await self._shop.membership.register(caller, person))

    async def sign_in(self, caller: Caller | None, request: Request, credentials: SignIn) -> SessionShown:
        """Start a session: the token for programs, the same as a cookie for browsers. An account with a
        second step needs its `code`."""
        try:
            session = await self._shop.membership.sign_in(caller, _sign_in_request(request, credentials))
        except TwoFactorRequired:
            raise TwoFactorRequired from None  # its ticket is for the page that asks for the code alone
        return _session_shown(request, session)

    async def guest(self, request: Request) -> SessionShown:
        """Start a guest's session: all that buying needs."""
        return _session_shown(request, await new_guest(request, self._shop.accounts))

    async def me(self, caller: Caller) -> Me:
        """Show who this session is."""
        return Me(caller.user_id, caller.name, caller.email, sorted(caller.roles), caller.seller_id)

    async def sessions(
        self,
        caller: Caller,
        request: Request,
        limit: PageLimit | None = None,
        cursor: SessionId | None = None,
    ) -> SessionsShown:
        """List where one is signed in, the newest first: all, or so many at a time."""
        found = await self._shop.accounts.sessions(caller.user_id, token_of(request))
        return SessionsShown(*page_of(found, lambda each: each.session_id, limit, cursor))

    async def end_session(self, caller: Caller, session_id: SessionId) -> SessionEnded:
        """End one of one's own sessions."""
        await self._shop.accounts.end_session(caller.user_id, session_id)
        return SessionEnded()

    async def end_others(self, caller: Caller, request: Request) -> SessionEnded:
        """End all of one's own sessions but this one."""
        await self._shop.accounts.end_others(caller.user_id, token_of(request))
        return SessionEnded()

    async def sign_out(self, caller: Caller, request: Request) -> dict[str, str]:
        """End this session."""
        await self._shop.accounts.sign_out(token_of(request))
        end_session(request)
        return {}


def _sign_in_request(request: Request, asked: SignIn) -> SignInRequest:
    given = asked.email, asked.password, token_of(request), asked.code or ""
    return SignInRequest(*given, agent=agent_of(request), network=network_of(request))


def _session_shown(request: Request, session: Session) -> SessionShown:
    start_session(request, session)
    return SessionShown(session.token, session.user_id, session.expires_at)


API = [
    PublicRoute("POST", "/accounts", SessionsApi.register, tag="People"),
    PublicRoute(
        "POST",
        "/sessions",
        SessionsApi.sign_in,
        location="/sessions/current",
        tag="People",
        shows=SessionShown,
        refuses=["wrong_password", "two_factor_required", "wrong_code"],
    ),
    PublicRoute("GET", "/sessions", SessionsApi.sessions, tag="People", needs="member"),
    PublicRoute("DELETE", "/sessions", SessionsApi.end_others, tag="People", needs="member"),
    PublicRoute("DELETE", "/sessions/{session_id}", SessionsApi.end_session, tag="People", needs="member"),
    PublicRoute(
        "POST",
        "/sessions/guest",
        SessionsApi.guest,
        location="/sessions/current",
        tag="People",
        shows=SessionShown,
    ),
    PublicRoute("GET", "/sessions/current", SessionsApi.me, tag="People", needs="guest"),
    PublicRoute(
        "DELETE", "/sessions/current", SessionsApi.sign_out, tag="People", needs="guest", shows=type(None)
    ),
]


class SessionPages:
    """Signing in and out, and who is here."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def badge(self, request: Request) -> Response:
        caller = await caller_of(request)
        count = await unless_away(self._shop.cart.count(caller.user_id)) if caller else 0
        return self._pages.fragment(request, "badge.html", count=count or 0)

    async def greeting(self, request: Request) -> Response:
        caller = await caller_of(request)
        name = None if caller is None or caller.guest else (caller.name.split(" ")[0] or "Account")
        return self._pages.fragment(request, "greeting.html", name=name)

    async def signin(self, request: Request) -> Response:
        return await self._in(request, registering=False)

    async def register(self, request: Request) -> Response:
        return await self._in(request, registering=True)

    async def _in(
        self,
        request: Request,
        *,
        registering: bool,
        form: Form | None = None,
        refused: Refusal | None = None,
        written_to: str = "",
    ) -> Response:
        form = form or Form(NewAccount if registering else SignIn)
        following = local_path(form.given.get("next") or request.query_params.get("next") or "/account")
        caller = await caller_of(request)
        if caller and not caller.guest and request.method == "GET":
            return self._pages.redirect(request, following)
        return await self._pages.page(
            request,
            "signin.html",
            refused.status if refused else (422 if form.errors else 200),
            registering=registering,
            next=following,
            form=form,
            refused=message_of(refused) if refused else None,
            carrying=await self._shop.cart.count(caller.user_id) if caller else 0,
            written_to=written_to,
            demo=self._shop.settings.dev_pages,
        )

    async def do_signin(self, request: Request) -> Response:
        form = await self._pages.form(request)
        guest = await caller_of(request)
        asked = read_form(form, SignIn)
        if isinstance(asked, FormErrors):
            return await self._in(request, registering=False, form=Form(SignIn, form, asked))
        try:
            session = await self._shop.membership.sign_in(guest, _sign_in_request(request, asked))
        except TwoFactorRequired as required:
            return await self._second_step(request, form, str(required.facts["ticket"]))
        except Refusal as refused:
            return await self._in(request, registering=False, form=Form(SignIn, form), refused=refused)
        return self._begin(request, session, form)

    async def _second_step(
        self, request: Request, form: dict[str, str], ticket: str, wrong: FormErrors | None = None
    ) -> Response:
        """Ask for the code of who has a second step."""
        return await self._pages.page(
            request,
            "second_step.html",
            422 if wrong else 200,
            next=local_path(form.get("next") or "/account"),
            ticket=ticket,
            form=Form(SecondStep, {}, wrong),
        )

    async def do_second_step(self, request: Request) -> Response:
        form = await self._pages.form(request)
        guest = await caller_of(request)
        asked = read_form(form, SecondStep)
        if isinstance(asked, FormErrors):
            return await self._second_step(request, form, form.get("ticket", ""), asked)
        given = SignInRequest(
            "",
            "",
            token_of(request),
            asked.code,
            asked.ticket,
            agent_of(request),
            network_of(request),
        )
        try:
            session = await self._shop.membership.sign_in(guest, given)
        except WrongCode as refused:
            return await self._second_step(request, form, asked.ticket, FormErrors(code=str(refused)))
        except Refusal as refused:
            return await self._in(request, registering=False, form=Form(SignIn), refused=refused)
        return self._begin(request, session, form)

    async def do_register(self, request: Request) -> Response:
        form = await self._pages.form(request)
        asked = read_form(form, NewAccount)
        if isinstance(asked, FormErrors):
            return await self._in(request, registering=True, form=Form(NewAccount, form, asked))
        caller = await caller_of(request)
        try:
            given = asked.email, asked.password, asked.name, token_of(request)
            request_to_join = JoinRequest(*given, agent_of(request), network_of(request))
            session = await self._shop.membership.join(caller, request_to_join)
        except TwoFactorRequired as required:
            return await self._second_step(request, form, str(required.facts["ticket"]))
        except WrongPassword:
            return await self._in(request, registering=True, written_to=asked.email)
        except Refusal as refused:
            return await self._in(request, registering=True, form=Form(NewAccount, form), refused=refused)
        return self._begin(request, session, form)

    def _begin(self, request: Request, session: Session, form: dict[str, str]) -> Response:
        start_session(request, session)
        return self._pages.redirect(request, local_path(form.get("next") or "/account"))

    async def signout(self, request: Request) -> Response:
        await self._pages.form(request)
        token = token_of(request)
        if token:
            await self._shop.accounts.sign_out(token)
        end_session(request)
        return self._pages.redirect(request, "/")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    sessions = SessionPages(pages, shop)
    return [
        pages.route("/fragments/badge", sessions.badge),
        pages.route("/fragments/greeting", sessions.greeting),
        pages.route("/signin", sessions.signin),
        pages.route("/signin", sessions.do_signin, "POST"),
        pages.route("/signin/code", sessions.do_second_step, "POST"),
        pages.route("/register", sessions.register),
        pages.route("/register", sessions.do_register, "POST"),
        pages.route("/signout", sessions.signout, "POST"),
    ]
