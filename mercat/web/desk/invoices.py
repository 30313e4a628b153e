"""What a seller's invoices say of the seller."""

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.invoices import IssuerDetails
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.desk.page import DONE, desk_page, seller_of
from mercat.web.desk.products import seller_id_of
from mercat.web.forms import Form, FormErrors, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute


class InvoiceWords(Struct, frozen=True):
    """Legal name, address and tax number, in lines; none: the seller's name alone."""

    details: IssuerDetails | None = None


class InvoiceDetailsShown(Struct, frozen=True):
    details: str


class SellerInvoicesApi:
    """What stands on a seller's own invoices."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def invoice_details(self, caller: Caller) -> InvoiceDetailsShown:
        """Show what one's own invoices say of oneself, beside the name."""
        return InvoiceDetailsShown(await self._shop.invoices.details(seller_id_of(caller)))

    async def set_invoice_details(self, caller: Caller, body: InvoiceWords) -> InvoiceDetailsShown:
        """Say what one's own invoices say from now on; those that were issued stay as they are."""
        await self._shop.invoices.set_details(seller_id_of(caller), body.details)
        return InvoiceDetailsShown((body.details or "").strip())


API = [
    PublicRoute(
        "GET",
        "/seller/invoice-details",
        SellerInvoicesApi.invoice_details,
        tag="Selling",
        needs="seller",
        scopes=["orders:read"],
    ),
    PublicRoute(
        "PUT",
        "/seller/invoice-details",
        SellerInvoicesApi.set_invoice_details,
        tag="Selling",
        needs="seller",
        scopes=["orders:write"],
    ),
]


class SellerInvoicesPages:
    """The same as a form."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def invoices(self, request: Request, form: Form | None = None) -> Response:
        _, seller_id = await seller_of(request)
        details = await self._shop.invoices.details(seller_id)
        form = form or Form(InvoiceWords, {"details": details})
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "invoices",
            seller_id,
            422 if form.errors else 200,
            form=form,
            said=DONE.get(request.query_params.get("said", "")),
        )

    async def set_details(self, request: Request) -> Response:
        form = await self._pages.form(request)
        _, seller_id = await seller_of(request)
        asked = read_form(form, InvoiceWords)
        if isinstance(asked, FormErrors):
            return await self.invoices(request, Form(InvoiceWords, form, asked))
        await self._shop.invoices.set_details(seller_id, asked.details)
        return self._pages.redirect(request, "/desk/invoices?said=invoices")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = SellerInvoicesPages(pages, shop)
    return [
        pages.route("/desk/invoices", desk.invoices),
        pages.route("/desk/invoices", desk.set_details, "POST"),
    ]
