"""Reports that somebody has saved, to be mailed each week: of the shop, and of a seller's own goods."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.analytics import GroupBy, NewView, ReportName, SavedView, ViewName
from mercat.ids import SellerId, ViewId
from mercat.kit.refusals import NotFound, Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.desk.page import seller_of
from mercat.web.desk.products import seller_id_of
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.pages import Pages
from mercat.web.report_pages import ReportPages, UnsavedView, ViewForm
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import with_role


class SavedReportShown(Struct, frozen=True, kw_only=True):
    view_id: ViewId
    name: ViewName
    report: ReportName
    by: GroupBy | None
    tz: str
    next_at: datetime
    """When it is mailed next."""


class SavedReportGone(Struct, frozen=True):
    view_id: ViewId


class SavedReportsShown(Struct, frozen=True):
    views: list[SavedReportShown]


class SavedReportsApi:
    """Reports that are mailed each week."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def operator_views(self, caller: Caller) -> SavedReportsShown:
        """List the reports of the shop that one has saved."""
        return await self._views(caller, None)

    async def save_operator_view(self, caller: Caller, ask: NewView) -> SavedReportShown:
        """Save a report of the shop: the week that is over is mailed on Monday at seven, in the time zone
        `tz`, beside the week before."""
        return _shown(await self._shop.analytics.save_view(caller.user_id, None, ask))

    async def drop_operator_view(self, caller: Caller, view_id: ViewId) -> SavedReportGone:
        """Delete a saved report of the shop: it is not mailed any more."""
        await self._shop.analytics.drop_view(caller.user_id, None, view_id)
        return SavedReportGone(view_id)

    async def seller_views(self, caller: Caller) -> SavedReportsShown:
        """List the reports of one's own goods that one has saved."""
        return await self._views(caller, seller_id_of(caller))

    async def save_seller_view(self, caller: Caller, ask: NewView) -> SavedReportShown:
        """Save a report of one's own goods: the week that is over is mailed on Monday at seven, in the time
        zone `tz`, beside the week before."""
        return _shown(await self._shop.analytics.save_view(caller.user_id, seller_id_of(caller), ask))

    async def drop_seller_view(self, caller: Caller, view_id: ViewId) -> SavedReportGone:
        """Delete a saved report: it is not mailed any more."""
        await self._shop.analytics.drop_view(caller.user_id, seller_id_of(caller), view_id)
        return SavedReportGone(view_id)

    async def _views(self, caller: Caller, seller_id: SellerId | None) -> SavedReportsShown:
        views = await self._shop.analytics.views(caller.user_id, seller_id)
        return SavedReportsShown([_shown(each) for each in views])


def _shown(view: SavedView) -> SavedReportShown:
    return SavedReportShown(
        view_id=view.view_id,
        name=view.name,
        report=view.report,
        by=view.by,
        tz=view.tz,
        next_at=view.next_at,
    )


API = [
    PublicRoute(
        "GET",
        "/operator/report-views",
        SavedReportsApi.operator_views,
        tag="Running the shop",
        needs="operator",
    ),
    PublicRoute(
        "POST",
        "/operator/report-views",
        SavedReportsApi.save_operator_view,
        tag="Running the shop",
        needs="operator",
        refuses=["too_many_views"],
    ),
    PublicRoute(
        "DELETE",
        "/operator/report-views/{view_id}",
        SavedReportsApi.drop_operator_view,
        tag="Running the shop",
        needs="operator",
        refuses=["not_found"],
    ),
    PublicRoute("GET", "/seller/report-views", SavedReportsApi.seller_views, tag="Selling", needs="seller"),
    PublicRoute(
        "POST",
        "/seller/report-views",
        SavedReportsApi.save_seller_view,
        tag="Selling",
        needs="seller",
        refuses=["too_many_views"],
    ),
    PublicRoute(
        "DELETE",
        "/seller/report-views/{view_id}",
        SavedReportsApi.drop_seller_view,
        tag="Selling",
        needs="seller",
        refuses=["not_found"],
    ),
]


class SavedReportPages:
    """The forms below a report by which it is saved and deleted."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._reports = ReportPages(pages, shop)

    async def save_operator_view(self, request: Request) -> Response:
        given = await self._pages.form(request)
        caller = await with_role(request, "operator")
        return await self._save(request, caller, None, given, self._reports.operator_report)

    async def save_seller_view(self, request: Request) -> Response:
        given = await self._pages.form(request)
        caller, seller_id = await seller_of(request)
        return await self._save(request, caller, seller_id, given, self._reports.seller_report)

    async def drop_operator_view(self, request: Request) -> Response:
        given = await self._pages.form(request)
        caller = await with_role(request, "operator")
        return await self._drop(request, caller, None, given)

    async def drop_seller_view(self, request: Request) -> Response:
        given = await self._pages.form(request)
        caller, seller_id = await seller_of(request)
        return await self._drop(request, caller, seller_id, given)

    async def _save(
        self,
        request: Request,
        caller: Caller,
        seller_id: SellerId | None,
        given: dict[str, str],
        report: Callable[[Request, UnsavedView], Awaitable[Response]],
    ) -> Response:
        """Save the report that the form stands below; what is wrong is said there."""
        asked = dict(parse_qsl(given.get("back", "")))
        kept = {name: asked[name] for name in ("by", "tz") if name in asked}
        new = read_form({**given, **kept, "report": request.path_params["name"]}, NewView)
        if isinstance(new, FormErrors):
            return await report(request, UnsavedView(Form(ViewForm, given, new), None, 422, asked))
        try:
            await self._shop.analytics.save_view(caller.user_id, seller_id, new)
        except Refusal as refused:
            form = Form(ViewForm, given, errors_of(refused))
            message = None if form.errors else message_of(refused)
            return await report(request, UnsavedView(form, message, refused.status, asked))
        return self._back(request, given)

    async def _drop(
        self, request: Request, caller: Caller, seller_id: SellerId | None, given: dict[str, str]
    ) -> Response:
        view_id = id_of(request.path_params["view_id"], ViewId)
        with suppress(NotFound):  # deleted already
            await self._shop.analytics.drop_view(caller.user_id, seller_id, view_id)
        return self._back(request, given)

    def _back(self, request: Request, given: dict[str, str]) -> Response:
        """Go on to the report that the form stands below, as it was asked for."""
        report, _, _ = request.url.path.partition("/views")
        query = urlencode(parse_qsl(given.get("back", "")))
        return self._pages.redirect(request, f"{report}{query and '?'}{query}#saved")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    views = SavedReportPages(pages, shop)
    return [
        pages.route("/operator/reports/{name}/views", views.save_operator_view, "POST"),
        pages.route("/operator/reports/{name}/views/{view_id}/delete", views.drop_operator_view, "POST"),
        pages.route("/desk/reports/{name}/views", views.save_seller_view, "POST"),
        pages.route("/desk/reports/{name}/views/{view_id}/delete", views.drop_seller_view, "POST"),
    ]
