"""What recovery has given up, and trying it again."""

from starlette.requests import Request
from starlette.responses import Response

from mercat.kit.refusals import Refusal
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.session import with_role


class ParkedPages:
    """Purchases and cancellations that recovery has given up."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def parked(self, request: Request, refused: Refusal | None = None) -> Response:
        caller = await with_role(request, "operator")
        return await self._pages.page(
            request,
            "operator_parked.html",
            refused.status if refused else 200,
            desk="operator",
            desk_name=caller.name,
            here="parked",
            parked=await self._shop.checkout.parked(),
            refused=message_of(refused) if refused else None,
        )

    async def retry(self, request: Request) -> Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        try:
            await self._shop.checkout.retry(form.get("reference", ""))
        except Refusal as refused:
            return await self.parked(request, refused)
        return self._pages.redirect(request, "/operator/parked")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    parked = ParkedPages(pages, shop)
    return [
        pages.route("/operator/parked", parked.parked),
        pages.route("/operator/parked", parked.retry, "POST"),
    ]
