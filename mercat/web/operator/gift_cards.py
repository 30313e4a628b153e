"""Gift cards on the operator's desk: made, listed, disabled; and store credit that is given to people."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.ids import GiftCardId, UserId
from mercat.kit.moments import Moment
from mercat.kit.refusals import Invalid
from mercat.kit.rpc import Caller
from mercat.payments import (
    CreditReason,
    Currency,
    GiftCard,
    GrantedCredit,
    MadeGiftCard,
    NewGiftCard,
    ValueStatus,
)
from mercat.shop import Shop
from mercat.web.account import StoreCreditShown, store_credit_shown
from mercat.web.forms import MONEY, Form, FormErrors, id_of, read_form
from mercat.web.idempotency import form_key, key_of
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, PageLimit, Price, minor
from mercat.web.session import with_role

_A_PAGE = 50
_PATH = "/operator/gift-cards"
_CREDIT = "/operator/people/{user_id}/store-credit"
_DONE = {"disabled": "It pays nothing from now on.", "active": "It can be used again."}
SignedAmount = Annotated[Raw, Meta(extra_json_schema={"type": "number"})]


class GiftCardAsk(Struct, frozen=True):
    amount: Price
    currency: Currency
    expires_at: Moment | None = None


class GiftCardShown(Struct, frozen=True, kw_only=True):
    gift_card_id: GiftCardId
    code: str
    """Masked but for its end."""
    last4: str
    initial: Amount
    balance: Amount
    currency: str
    status: ValueStatus
    expires_at: datetime | None
    created_at: datetime


class GiftCardsShown(Struct, frozen=True):
    gift_cards: list[GiftCardShown]
    next_cursor: GiftCardId | None


class CreditAsk(Struct, frozen=True):
    """What is given, or where it is negative taken, and why."""

    amount: SignedAmount
    reason: CreditReason


class GiftCardsApi:
    """Gift cards and store credit, as operators see them."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def make_gift_card(self, asked: GiftCardAsk, request: Request) -> MadeGiftCard:
        """Make a gift card of the shop's currency. Its code is shown this once, and again only to who asks
        again with the same Idempotency-Key; it is kept hashed."""
        key = key_of(request)
        amount = minor(asked.amount, asked.currency, "/amount")
        if not amount:
            raise Invalid("A gift card has something on it.", pointer="/amount")
        card = NewGiftCard(amount, asked.currency, asked.expires_at, f"api/{key}" if key else "")
        return await self._shop.payments.make_gift_card(card)

    async def gift_cards(self, limit: PageLimit = 20, cursor: GiftCardId | None = None) -> GiftCardsShown:
        """List gift cards, the newest first, with what is left on each."""
        found = await self._shop.payments.gift_cards(cursor, limit)
        more = found[-1].gift_card_id if len(found) == limit else None
        return GiftCardsShown([_shown(each) for each in found], more)

    async def disable_gift_card(self, gift_card_id: GiftCardId) -> GiftCardShown:
        """Let a gift card pay nothing any more; what is on it stays there. Again changes nothing."""
        return _shown(await self._shop.payments.set_gift_card_status(gift_card_id, "disabled"))

    async def enable_gift_card(self, gift_card_id: GiftCardId) -> GiftCardShown:
        """Let a gift card that was disabled pay again."""
        return _shown(await self._shop.payments.set_gift_card_status(gift_card_id, "active"))

    async def give_store_credit(self, caller: Caller, user_id: UserId, asked: CreditAsk) -> StoreCreditShown:
        """Give somebody store credit, or take some with a negative amount, and say why."""
        digits, currency = bytes(asked.amount), self._shop.settings.currency
        amount = minor(Raw(digits.removeprefix(b"-")), currency, "/amount")
        await self._shop.accounts.found_person(user_id)
        grant = GrantedCredit(user_id, -amount if digits.startswith(b"-") else amount, asked.reason)
        return store_credit_shown(await self._shop.payments.grant_store_credit(grant))

    async def store_credit_of(self, caller: Caller, user_id: UserId) -> StoreCreditShown:
        """Show what somebody may spend, and how that came about."""
        await self._shop.accounts.found_person(user_id)
        return store_credit_shown(await self._shop.payments.store_credit(user_id))


def _shown(card: GiftCard) -> GiftCardShown:
    return GiftCardShown(
        gift_card_id=card.gift_card_id,
        code=f"•••• {card.last4}",
        last4=card.last4,
        initial=money.shown(card.initial, card.currency),
        balance=money.shown(card.balance, card.currency),
        currency=card.currency,
        status=card.status,
        expires_at=card.expires_at,
        created_at=card.made_at,
    )


def _route(verb: str, path: str, method: object, status: int, refuses: list[str]) -> PublicRoute:
    return PublicRoute(
        verb,
        path,
        method,
        tag="Running the shop",
        needs="operator",
        status=status,
        refuses=refuses,
    )


API = [
    _route("POST", _PATH, GiftCardsApi.make_gift_card, 201, ["other_currency"]),
    _route("GET", _PATH, GiftCardsApi.gift_cards, 200, []),
    _route("POST", f"{_PATH}/{{gift_card_id}}/disable", GiftCardsApi.disable_gift_card, 200, ["not_found"]),
    _route("POST", f"{_PATH}/{{gift_card_id}}/enable", GiftCardsApi.enable_gift_card, 200, ["not_found"]),
    _route("POST", _CREDIT, GiftCardsApi.give_store_credit, 201, ["not_found", "credit_too_small"]),
    _route("GET", _CREDIT, GiftCardsApi.store_credit_of, 200, ["not_found"]),
]


class GiftCardForm(Struct, frozen=True):
    """What the page asks of a new card."""

    amount: Annotated[int, Meta(gt=0, le=money.MINOR_MAX), MONEY]


class GiftCardPages:
    """Gift cards as a table; the code of a new one is shown once."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def gift_cards(
        self, request: Request, form: Form | None = None, made: MadeGiftCard | None = None
    ) -> Response:
        await with_role(request, "operator")
        before = request.query_params.get("before")
        found = await self._shop.payments.gift_cards(id_of(before, GiftCardId) if before else None, _A_PAGE)
        last = found[-1].gift_card_id if len(found) == _A_PAGE else None
        return await operator_page(
            self._pages,
            request,
            "gift-cards",
            "operator_gift_cards.html",
            422 if form and form.errors else 200,
            cards=found,
            made=made,
            form=form or Form(GiftCardForm),
            once=form_key(form.given if form else {}),
            currency=self._shop.settings.currency,
            more=f"{_PATH}?before={last}" if last else None,
            said=_DONE.get(request.query_params.get("said", "")),
        )

    async def make(self, request: Request) -> Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        currency = self._shop.settings.currency
        asked = read_form(form, GiftCardForm, currency=currency)
        if isinstance(asked, FormErrors):
            return await self.gift_cards(request, Form(GiftCardForm, form, asked))
        card = NewGiftCard(asked.amount, currency, once=form_key(form))
        made = await self._shop.payments.make_gift_card(card)
        return await self.gift_cards(request, made=made)

    async def disable(self, request: Request) -> Response:
        return await self._set(request, "disabled")

    async def enable(self, request: Request) -> Response:
        return await self._set(request, "active")

    async def _set(self, request: Request, status: ValueStatus) -> Response:
        await self._pages.form(request)
        await with_role(request, "operator")
        card_id = id_of(request.path_params["gift_card_id"], GiftCardId)
        await self._shop.payments.set_gift_card_status(card_id, status)
        return self._pages.redirect(request, f"{_PATH}?said={status}")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    cards = GiftCardPages(pages, shop)
    return [
        pages.route(_PATH, cards.gift_cards),
        pages.route(_PATH, cards.make, "POST"),
        pages.route(f"{_PATH}/{{gift_card_id}}/disable", cards.disable, "POST"),
        pages.route(f"{_PATH}/{{gift_card_id}}/enable", cards.enable, "POST"),
    ]
