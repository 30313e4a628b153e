"""Invoices, credit notes and packing slips as PDF: for who bought, for who sold, for operators."""

from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import OrderId, RefundId, SellerId, number_shown
from mercat.kit.refusals import NotFound
from mercat.kit.rpc import Caller
from mercat.orders import Order
from mercat.shop import Shop
from mercat.web.desk.page import seller_of
from mercat.web.desk.products import seller_id_of
from mercat.web.forms import id_of
from mercat.web.order_shown import OrderKey, order_of
from mercat.web.pages import Pages
from mercat.web.papers import invoices_pdf, packing_slip_pdf
from mercat.web.pdf import written
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import caller_of, with_role

PDF = "application/pdf"


class InvoicesApi:
    """What is printed of an order."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def invoice(
        self,
        caller: Caller | None,
        order_id: OrderId,
        key: OrderKey | None = None,
        seller: SellerId | None = None,
        refund: RefundId | None = None,
    ) -> Response:
        """Print the invoices of an order, one a seller, each followed by its credit notes; every paper begins
        on a page of its own. `seller` asks for one seller's papers, `refund` for a refund's credit notes. The
        key from a letter's link prints them without a session."""
        order = await order_of(self._shop, caller, order_id, key)
        return await print_invoices(self._shop, order, seller, refund)

    async def seller_invoice(
        self, caller: Caller, order_id: OrderId, refund: RefundId | None = None
    ) -> Response:
        """Print one's own invoice of an order and its credit notes."""
        seller_id = seller_id_of(caller)
        order = await self._shop.orders.order(order_id, None, seller_id)
        return await print_invoices(self._shop, order, seller_id, refund)

    async def operator_invoice(
        self,
        caller: Caller,
        order_id: OrderId,
        seller: SellerId | None = None,
        refund: RefundId | None = None,
    ) -> Response:
        """Print the invoices and credit notes of anybody's order."""
        order = await self._shop.orders.order(order_id, None)
        return await print_invoices(self._shop, order, seller, refund)

    async def packing_slip(self, caller: Caller, order_id: OrderId) -> Response:
        """Print what to pack of one's own part of an order, and where it goes: no prices."""
        return await print_packing_slip(self._shop, order_id, seller_id_of(caller))


async def print_invoices(
    shop: Shop, order: Order, seller_id: SellerId | None = None, refund_id: RefundId | None = None
) -> Response:
    """Print an order's papers, of one seller or refund where they are named; NotFound where none are."""
    issued = await shop.invoices.papers_of(order.order_id)
    papers = [paper for paper in issued if seller_id in (None, paper.seller_id)]
    chosen = [paper for paper in papers if refund_id in (None, paper.refund_id)]
    if not chosen:
        raise NotFound("There is no such paper of this order.")
    numbers = {paper.seller_id: paper.number for paper in papers if paper.kind == "invoice"}
    shop_name = shop.settings.shop_name
    payments = await shop.payments.of_order(order.order_id)
    tenders = [tender for payment in payments for tender in payment.tenders]
    content = await written(lambda: invoices_pdf(shop_name, order, chosen, numbers, tenders))
    return _pdf(content, order, "credit-note" if refund_id else "invoice")


async def print_packing_slip(shop: Shop, order_id: OrderId, seller_id: SellerId) -> Response:
    """Print what a seller packs of an order; NotFound where nothing of it is theirs."""
    order = await shop.orders.order(order_id, None, seller_id)
    name = (await shop.sellers.names([seller_id])).get(seller_id, "")
    shop_name = shop.settings.shop_name
    content = await written(lambda: packing_slip_pdf(shop_name, order, seller_id, name))
    return _pdf(content, order, "packing-slip")


def _pdf(content: bytes, order: Order, what: str) -> Response:
    """Send a PDF that a browser shows, and keeps under a name that says what it is."""
    name = f"{number_shown(order.number) or order.order_id}-{what}.pdf"
    return Response(content, headers={"Content-Disposition": f'inline; filename="{name}"'}, media_type=PDF)


API = [
    PublicRoute(
        "GET",
        "/orders/{order_id}/invoice",
        InvoicesApi.invoice,
        tag="Buying",
        answers=PDF,
        refuses=["sign_in_first"],
    ),
    PublicRoute(
        "GET",
        "/seller/orders/{order_id}/invoice",
        InvoicesApi.seller_invoice,
        tag="Selling",
        needs="seller",
        scopes=["orders:read"],
        answers=PDF,
    ),
    PublicRoute(
        "GET",
        "/seller/orders/{order_id}/packing-slip",
        InvoicesApi.packing_slip,
        tag="Selling",
        needs="seller",
        scopes=["orders:read"],
        answers=PDF,
    ),
    PublicRoute(
        "GET",
        "/operator/orders/{order_id}/invoice",
        InvoicesApi.operator_invoice,
        tag="Running the shop",
        needs="operator",
        answers=PDF,
    ),
]


class InvoicePages:
    """The same, as links of pages lead to it."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def invoice(self, request: Request) -> Response:
        given = request.query_params
        order = await order_of(self._shop, await caller_of(request), _order_id(request), given.get("key"))
        refund = given.get("refund")
        return await print_invoices(self._shop, order, None, id_of(refund, RefundId) if refund else None)

    async def seller_invoice(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        order = await self._shop.orders.order(_order_id(request), None, seller_id)
        return await print_invoices(self._shop, order, seller_id)

    async def packing_slip(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        return await print_packing_slip(self._shop, _order_id(request), seller_id)

    async def operator_invoice(self, request: Request) -> Response:
        await with_role(request, "operator")
        return await print_invoices(self._shop, await self._shop.orders.order(_order_id(request), None))


def _order_id(request: Request) -> OrderId:
    return id_of(request.path_params["order_id"], OrderId)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    papers = InvoicePages(shop)
    return [
        pages.route("/orders/{order_id}/invoice", papers.invoice),
        pages.route("/desk/orders/{order_id}/invoice", papers.seller_invoice),
        pages.route("/desk/orders/{order_id}/packing-slip", papers.packing_slip),
        pages.route("/operator/orders/{order_id}/invoice", papers.operator_invoice),
    ]
