"""The page of the sandbox bank, which approves or refuses a payment (3-D Secure)."""

from starlette.requests import Request
from starlette.responses import Response

from mercat.checkout import CheckoutInProgress, Confirmed, Refused
from mercat.kit import codec
from mercat.kit.http import answered, read_body
from mercat.kit.refusals import Invalid
from mercat.payments import ChallengeOutcome, declaration
from mercat.shop import Shop
from mercat.web.checkout import order_url
from mercat.web.forms import FormErrors, local_path, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint


class BankPages:
    """What the bank of the sandbox asks."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._cards = {each.token: each.name for each in declaration(shop.settings).test_cards}

    async def bank(self, request: Request) -> Response:
        ticket, back = request.path_params["ticket"], request.query_params.get("back", "")
        asked = await self._shop.checkout.challenged(ticket)
        back = local_path(back) if back else ""
        if isinstance(asked.outcome, Confirmed):  # somebody came back here by the browser's arrow
            return self._pages.redirect(request, order_url(asked.outcome))
        if asked.outcome:
            return self._pages.redirect(request, back or "/cart")
        card = self._cards.get(asked.card, "your card")
        return await self._pages.page(request, "bank.html", ticket=ticket, back=back, asked=asked, card=card)

    async def tell_bank(self, request: Request) -> Response:
        """Take the shopper's yes or no; a program sends it as JSON."""
        ticket = request.path_params["ticket"]
        if request.headers.get("content-type", "").startswith("application/json"):
            return await answered(self._bank_is_told, request)
        form = await self._pages.form(request)
        outcome = read_form(form, ChallengeOutcome)
        if isinstance(outcome, FormErrors):
            raise Invalid("Approve the payment, or refuse it.")
        back = local_path(form.get("back") or "/orders")
        try:
            came_to = (await self._shop.checkout.challenge(ticket, outcome)).outcome
        except CheckoutInProgress:
            return self._pages.redirect(request, back)
        if isinstance(came_to, Confirmed):
            return self._pages.redirect(request, order_url(came_to))
        return self._pages.redirect(request, back)

    async def _bank_is_told(self, request: Request) -> Response:
        outcome = codec.decode(await read_body(request), ChallengeOutcome)
        answer = await self._shop.checkout.challenge(request.path_params["ticket"], outcome)
        kind = "application/problem+json" if isinstance(answer.outcome, Refused) else "application/json"
        return Response(answer.body, answer.status, media_type=kind)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    if shop.settings.payment_provider != "sandbox":
        return []
    bank = BankPages(pages, shop)
    return [
        pages.route("/sandbox/3ds/{ticket}", bank.bank),
        pages.route("/sandbox/3ds/{ticket}", bank.tell_bank, "POST"),
    ]
