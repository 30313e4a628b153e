"""The page of the sandbox bank, which approves or refuses a payment (3-D Secure)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mercat.checkout import CheckoutInProgress
from mercat.kit import codec
from mercat.kit.rpc import answered, read
from mercat.payments import ChallengeOutcome
from mercat.shop import Shop
from mercat.web.checkout import order_url
from mercat.web.forms import local_path
from mercat.web.pages import Pages


class BankPages:
    """What the bank of the sandbox asks."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def bank(self, request: Request) -> Response:
        await self._shop.payments.challenged(request.path_params["ticket"])
        ticket, back = request.path_params["ticket"], request.query_params.get("back", "")
        return await self._pages.page(
            request, "bank.html", ticket=ticket, back=local_path(back) if back else ""
        )

    async def tell_bank(self, request: Request) -> Response:
        """The shopper's yes or no; a program sends it as JSON."""
        ticket = request.path_params["ticket"]
        if request.headers.get("content-type", "").startswith("application/json"):
            return await answered(self._bank_is_told, request)
        form = await self._pages.form(request)
        outcome = codec.convert({"outcome": form.get("outcome")}, ChallengeOutcome)
        back = local_path(form.get("back") or "/orders")
        try:
            said = await self._shop.checkout.challenge(ticket, outcome)
        except CheckoutInProgress:
            return self._pages.redirect(request, back)
        if said.status < 400 and said.status != 202:
            return self._pages.redirect(request, order_url(said))
        return self._pages.redirect(request, back)

    async def _bank_is_told(self, request: Request) -> Response:
        outcome = codec.decode(await read(request), ChallengeOutcome)
        said = await self._shop.checkout.challenge(request.path_params["ticket"], outcome)
        kind = "application/json" if said.status < 400 else "application/problem+json"
        return Response(said.body, said.status, {"Cache-Control": "private, no-store"}, kind)


def page_routes(pages: Pages, shop: Shop) -> list[Route]:
    bank = BankPages(pages, shop)
    return [
        pages.route("/sandbox/3ds/{ticket}", bank.bank),
        pages.route("/sandbox/3ds/{ticket}", bank.tell_bank, "POST"),
    ]
