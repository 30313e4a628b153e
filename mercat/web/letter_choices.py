"""Which letters somebody gets: chosen in the account, or ended by the link in a letter (RFC 8058)."""

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.kit.rpc import Caller
from mercat.notifications import Choosing, KindName, Subscription
from mercat.shop import Shop
from mercat.web.account import letter_choices
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import member_of

_KINDS_MAX = 100


class NotificationsShown(Struct, frozen=True):
    """Which letters one gets: those that one can do without by kind, with what they are; and those that are
    always sent. What is changed has this shape too, and may leave anything out."""

    wanted: Annotated[dict[KindName, bool], Meta(max_length=_KINDS_MAX)] = {}
    about: Annotated[dict[KindName, str], Meta(max_length=_KINDS_MAX)] = {}
    needed: Annotated[list[KindName], Meta(max_length=_KINDS_MAX)] = []


class LetterChoicesApi:
    """Which letters one gets."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def notifications(self, caller: Caller) -> NotificationsShown:
        """Show which letters one gets. Letters about orders, money and signing in are always sent."""
        choices = await letter_choices(self._shop, caller)
        return NotificationsShown(
            {each.kind: each.wanted for each in choices},
            {each.kind: each.words for each in choices},
            await self._shop.notifications.needed(),
        )

    async def choose_notifications(
        self, caller: Caller, notifications: NotificationsShown
    ) -> NotificationsShown:
        """Say by kind which letters one gets; kinds that are not named stay as they are."""
        person = await self._shop.accounts.person(caller.user_id)
        await self._shop.notifications.choose(caller.user_id, Choosing(person.email, notifications.wanted))
        return await self.notifications(caller)


API = [
    PublicRoute(
        "GET", "/account/notifications", LetterChoicesApi.notifications, tag="People", needs="member"
    ),
    PublicRoute(
        "PUT",
        "/account/notifications",
        LetterChoicesApi.choose_notifications,
        tag="People",
        needs="member",
        refuses=["notification_needed"],
    ),
]


class LetterChoicesPages:
    """The choices in the account, and what the link in a letter leads to."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def choose(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        wanted = {
            each.kind: f"wants-{each.kind}" in form for each in await letter_choices(self._shop, caller)
        }
        person = await self._shop.accounts.person(caller.user_id)
        await self._shop.notifications.choose(caller.user_id, Choosing(person.email, wanted))
        return self._pages.redirect(request, "/account?said=letters#letters")

    async def asked(self, request: Request) -> Response:
        """Show what a letter's link ends, and the button for it: programs follow links by themselves."""
        subscription = await self._shop.notifications.subscription(request.path_params["token"])
        return await self._page(request, subscription, done=False)

    async def unsubscribe(self, request: Request) -> Response:
        """End letters of a kind at once. Mail programs press this too: there is no session and no form of
        ours, and the link is what nobody else has."""
        subscription = await self._shop.notifications.unsubscribe(request.path_params["token"])
        return await self._page(request, subscription, done=True)

    async def resubscribe(self, request: Request) -> Response:
        subscription = await self._shop.notifications.unsubscribe(request.path_params["token"], back=True)
        return await self._page(request, subscription, done=True)

    async def _page(self, request: Request, subscription: Subscription, *, done: bool) -> Response:
        here = f"/unsubscribe/{request.path_params['token']}"
        return await self._pages.page(
            request, "unsubscribe.html", here=here, subscription=subscription, done=done
        )


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    choices = LetterChoicesPages(pages, shop)
    return [
        pages.route("/account/notifications", choices.choose, "POST"),
        pages.route("/unsubscribe/{token}", choices.asked),
        pages.route("/unsubscribe/{token}", choices.unsubscribe, "POST"),
        pages.route("/unsubscribe/{token}/again", choices.resubscribe, "POST"),
    ]
