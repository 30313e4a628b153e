"""Flash sales: the page before, the wait, one's turn.

The sale's page is everybody's. Waiting asks the shop nothing: the page's script reads the one public
document, which any cache may hand out, and computes all else from its own number, the draw included; the page
comes again when it is somebody's turn.
"""

from decimal import Decimal
from math import ceil

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.flashsale import Certified, QueuePlace, Sale
from mercat.kit import clock
from mercat.kit.http import Answer
from mercat.kit.refusals import NotFound, Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.cache import FLASH_SALE, public_answer
from mercat.web.errors import RefusalMessage, message_of
from mercat.web.here import chosen_country
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import caller_of, guest_session

STATES = {
    "planned": "Not open yet",
    "open": "On now",
    "paused": "Paused for a moment",
    "sold_out": "Sold out",
    "ended": "Over",
}


class FlashSalesShown(Struct, frozen=True):
    sales: list[Sale]


class FlashSalesApi:
    """The document that all who wait read, and the queue."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def sales(self) -> Answer:
        """List flash sales that are on, or will be."""
        return public_answer(
            FlashSalesShown(await self._shop.flashsale.sales()), "flash-sales", policy=FLASH_SALE
        )

    async def sale(self, sale_id: str) -> Answer:
        """Show the sale as everybody sees it: who is served, how fast, what is left. Poll it."""
        signed = await self._shop.flashsale.document(sale_id)
        headers = {
            "Cache-Control": FLASH_SALE,
            "Surrogate-Key": f"flash-sale-{sale_id}",
            "Signature-Ed25519": signed.signature,
            "Signature-Key": signed.key,
        }
        return Answer(raw=signed.body, headers=headers)

    async def certificate(self, sale_id: str) -> Answer:
        """Show what a finished sale was: units, passes, the order of release, the draw, the laws; signed."""
        return public_answer(
            await self._shop.flashsale.certificate(sale_id), f"flash-sale-{sale_id}", policy=FLASH_SALE
        )

    async def join(self, caller: Caller, request: Request, sale_id: str) -> Answer:
        """Join the queue; again answers with the place one has (200)."""
        address: str = request.scope.get("mercat.address", "")
        place = await self._shop.flashsale.join(caller, sale_id, address)
        return Answer(place, status=201 if place.joined_now else 200)

    async def place(self, caller: Caller, sale_id: str) -> Answer:
        """Show one's place in the queue; when it is one's turn, the pass for checkout (`Flash-Pass`)."""
        return Answer(await self._shop.flashsale.place(caller, sale_id))


API = [
    PublicRoute("GET", "/flash-sales", FlashSalesApi.sales, tag="Flash sales", shows=FlashSalesShown),
    PublicRoute(
        "GET",
        "/flash-sales/{sale_id}",
        FlashSalesApi.sale,
        tag="Flash sales",
        shows=Sale,
        refuses=["not_found"],
    ),
    PublicRoute(
        "GET",
        "/flash-sales/{sale_id}/certificate",
        FlashSalesApi.certificate,
        tag="Flash sales",
        shows=Certified,
        refuses=["not_found"],
    ),
    PublicRoute(
        "POST",
        "/flash-sales/{sale_id}/queue",
        FlashSalesApi.join,
        location="/flash-sales/{sale_id}/queue",
        tag="Flash sales",
        needs="guest",
        shows=QueuePlace,
        also=[200],
        refuses=["not_found", "sale_over", "sold_out", "not_possible"],
    ),
    PublicRoute(
        "GET",
        "/flash-sales/{sale_id}/queue",
        FlashSalesApi.place,
        tag="Flash sales",
        needs="guest",
        shows=QueuePlace,
        refuses=["not_found"],
    ),
]


class FlashSalePages:
    """A sale's page, the wait, and buying."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def sales(self, request: Request) -> Response:
        sales = await self._shop.flashsale.sales()
        return await self._pages.public(
            request, "flash_sales.html", ["flash-sales"], sales=sales, states=STATES
        )

    async def sale(self, request: Request) -> Response:
        """Show the page that is the same for all, for any cache."""
        sale = await self._sale(request)
        product = await self._shop.catalog.product(sale.product_id)
        offers = await self._shop.catalog.offers([sale.offer_id])
        offers = await self._shop.prices.offers(chosen_country(request), offers)
        return await self._pages.public(
            request,
            "flash_sale.html",
            [f"flash-sale-{sale.sale_id}", str(sale.product_id)],
            sale=sale,
            said=STATES[sale.state],
            product=product,
            offer=offers.get(sale.offer_id),
            price=_minor(sale, sale.price),
            was=_minor(sale, sale.was_price),
            begins=_begins(sale),
        )

    async def join(self, request: Request) -> Response:
        await self._pages.form(request, public=True)
        sale = await self._sale(request)
        caller = await caller_of(request) or await guest_session(request, self._shop.accounts)
        try:
            address: str = request.scope.get("mercat.address", "")
            await self._shop.flashsale.join(caller, sale.sale_id, address)
        except Refusal as refused:
            if refused.status in (401, 429, 503):
                raise
            return await self._wait(request, sale, None, message_of(refused), refused.status)
        return self._pages.redirect(request, f"/flash/{sale.sale_id}/wait")

    async def wait(self, request: Request) -> Response:
        sale = await self._sale(request)
        caller = await caller_of(request)
        try:
            place = await self._shop.flashsale.place(caller, sale.sale_id) if caller else None
        except NotFound:
            place = None
        if place is None:
            return self._pages.redirect(request, f"/flash/{sale.sale_id}")
        return await self._wait(request, sale, place)

    async def buy(self, request: Request) -> Response:
        """Put the offer into the cart of whose turn it is; go on to checkout, which finds the pass itself."""
        await self._pages.form(request)
        sale = await self._sale(request)
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, f"/flash/{sale.sale_id}")
        basket = await self._shop.cart.basket(caller.user_id)
        if sale.offer_id not in {line.offer_id for line in basket.lines}:
            await self._shop.cart.add(caller.user_id, sale.offer_id, 1, chosen_country(request))
        return self._pages.redirect(request, "/checkout")

    async def _wait(
        self,
        request: Request,
        sale: Sale,
        place: QueuePlace | None,
        refused: RefusalMessage | None = None,
        status: int = 200,
    ) -> Response:
        left_s = 0
        if place and not isinstance(place.pass_until, msgspec.UnsetType):
            left_s = max(0, int((place.pass_until - clock.now()).total_seconds()))
        return await self._pages.page(
            request,
            "flash_wait.html",
            status,
            sale=sale,
            said=STATES[sale.state],
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


def _minor(sale: Sale, amount: float | None) -> int:
    return money.minor(Decimal(str(amount)), sale.currency) if amount and sale.currency else 0


def odds(sale: Sale, ahead: int) -> str:
    """Say what there is to hope for. The page's script says the same in the same words."""
    free = (sale.left - sale.promised) // sale.per_person
    if ahead < free:
        return "There is enough for everybody ahead of you, and for you."
    more = ahead + 1 - free
    people = "one person" if more == 1 else f"{more:,} people"
    short = "There is not enough for everybody ahead of you"
    return f"{short}: it is your turn only if {people} before you do not buy."


def _begins(sale: Sale) -> str:
    """Say how long it is until the sale begins, for who has no script to count it down."""
    minutes = ceil((sale.starts_at - clock.now()).total_seconds() / 60)
    if minutes <= 0:
        return ""
    parts = zip((minutes // 1_440, minutes // 60 % 24, minutes % 60), ("d", "h", "min"), strict=True)
    return f"(in {' '.join(f'{n} {unit}' for n, unit in parts if n)})"


def _again_s(sale: Sale, place: QueuePlace | None) -> int:
    """Say when a page without a script asks again: the sooner, the sooner something can happen."""
    if place is None or place.state == "your_turn":
        return 20
    if place.state == "drawing":
        wait = (sale.starts_at - clock.now()).total_seconds()
    else:
        wait = place.ahead or 0 if place.eta_s is None else place.eta_s
    return int(min(60, max(5, wait / 4)))


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    flash = FlashSalePages(pages, shop)
    return [
        pages.route("/flash", flash.sales, shared=True),
        pages.route("/flash/{sale_id}", flash.sale, shared=True),
        pages.route("/flash/{sale_id}/queue", flash.join, "POST"),
        pages.route("/flash/{sale_id}/wait", flash.wait),
        pages.route("/flash/{sale_id}/buy", flash.buy, "POST"),
    ]
