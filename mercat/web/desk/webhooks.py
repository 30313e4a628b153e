"""A seller's webhooks: addresses that hear of orders, goods and money as they happen."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import DeliveryId, SellerId, WebhookId
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.desk.page import A_PAGE, desk_page, seller_of
from mercat.web.desk.products import seller_id_of
from mercat.web.errors import RefusalMessage, message_of
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.idempotency import form_key, key_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit, page_of
from mercat.webhooks import WEBHOOK_EVENTS, Delivery, DeliveryStatus, EventName, NewWebhook, WebhookUrl

_SAID = {
    "removed": "Removed. Nothing more is sent there.",
    "test": "A test is on its way.",
    "again": "It is sent again.",
}


class WebhookShown(Struct, frozen=True):
    webhook_id: WebhookId
    url: str
    events: list[EventName]
    created_at: datetime
    active: bool
    """False: the address said that it is gone (410), and nothing more is sent there."""


class WebhooksShown(Struct, frozen=True):
    webhooks: list[WebhookShown]
    next_cursor: WebhookId | None


class WebhookCreated(Struct, frozen=True):
    webhook_id: WebhookId
    secret: str
    """What deliveries are signed with. Keep it: it is not shown again."""


class DeliveryShown(Struct, frozen=True, kw_only=True):
    delivery_id: DeliveryId
    event: str
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    response_status: int | None
    failure: str


class DeliveriesShown(Struct, frozen=True):
    deliveries: list[DeliveryShown]
    next_cursor: str | None


class DeliveryQueued(Struct, frozen=True):
    delivery_id: DeliveryId
    status: DeliveryStatus


class WebhookRemoved(Struct, frozen=True):
    webhook_id: WebhookId


class SellerWebhooksApi:
    """A seller's webhooks and what was sent to them."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def webhooks(
        self, caller: Caller, limit: PageLimit | None = None, cursor: WebhookId | None = None
    ) -> WebhooksShown:
        """List one's webhooks, the newest first: all, or so many at a time."""
        found = await self._shop.webhooks.of_seller(seller_id_of(caller))
        page, after = page_of(found, lambda each: each.webhook_id, limit, cursor)
        return WebhooksShown(
            [
                WebhookShown(each.webhook_id, each.url, each.events, each.made_at, each.gone_at is None)
                for each in page
            ],
            after,
        )

    async def add_webhook(self, caller: Caller, webhook: NewWebhook, request: Request) -> WebhookCreated:
        """Have events sent to an address: signed as Standard Webhooks says, tried for three days."""
        key = key_of(request)
        made = await self._shop.webhooks.add(seller_id_of(caller), webhook, f"api/{key}" if key else "")
        return WebhookCreated(made.webhook_id, made.secret)

    async def remove_webhook(self, caller: Caller, webhook_id: WebhookId) -> WebhookRemoved:
        """Send nothing more there, and forget what was sent."""
        await self._shop.webhooks.remove(seller_id_of(caller), webhook_id)
        return WebhookRemoved(webhook_id)

    async def webhook_deliveries(
        self,
        caller: Caller,
        webhook_id: WebhookId,
        limit: PageLimit = 50,
        cursor: DeliveryId | None = None,
    ) -> DeliveriesShown:
        """List what was or will be sent to a webhook, the newest first; kept for a month."""
        found = await self._shop.webhooks.deliveries(seller_id_of(caller), webhook_id, cursor, limit)
        after = str(found[-1].delivery_id) if len(found) == limit else None
        return DeliveriesShown([_delivery_shown(each) for each in found], after)

    async def redeliver(
        self, caller: Caller, webhook_id: WebhookId, delivery_id: DeliveryId
    ) -> DeliveryQueued:
        """Send a delivery once more: the same bytes under the same id."""
        await self._shop.webhooks.redeliver(seller_id_of(caller), webhook_id, delivery_id)
        return DeliveryQueued(delivery_id, "pending")

    async def test_webhook(self, caller: Caller, webhook_id: WebhookId) -> DeliveryQueued:
        """Send a webhook an event `test`, to try its receiver."""
        delivery_id = await self._shop.webhooks.test(seller_id_of(caller), webhook_id)
        return DeliveryQueued(delivery_id, "pending")


def _delivery_shown(delivery: Delivery) -> DeliveryShown:
    return DeliveryShown(
        delivery_id=delivery.delivery_id,
        event=delivery.event,
        status=delivery.status,
        attempts=delivery.attempts,
        created_at=delivery.made_at,
        next_attempt_at=delivery.due_at,
        response_status=delivery.response_status,
        failure=delivery.failure,
    )


_PATH = "/seller/webhooks/{webhook_id}"
API = [
    PublicRoute(
        "GET",
        "/seller/webhooks",
        SellerWebhooksApi.webhooks,
        tag="Selling",
        needs="seller",
        scopes=["webhooks"],
    ),
    PublicRoute(
        "POST",
        "/seller/webhooks",
        SellerWebhooksApi.add_webhook,
        tag="Selling",
        needs="seller",
        scopes=["webhooks"],
        refuses=["webhook_limit"],
    ),
    PublicRoute(
        "DELETE", _PATH, SellerWebhooksApi.remove_webhook, tag="Selling", needs="seller", scopes=["webhooks"]
    ),
    PublicRoute(
        "GET",
        f"{_PATH}/deliveries",
        SellerWebhooksApi.webhook_deliveries,
        tag="Selling",
        needs="seller",
        scopes=["webhooks"],
    ),
    PublicRoute(
        "POST",
        f"{_PATH}/deliveries/{{delivery_id}}/redeliver",
        SellerWebhooksApi.redeliver,
        tag="Selling",
        needs="seller",
        scopes=["webhooks"],
        status=200,
    ),
    PublicRoute(
        "POST",
        f"{_PATH}/test",
        SellerWebhooksApi.test_webhook,
        tag="Selling",
        needs="seller",
        scopes=["webhooks"],
    ),
]


class WebhookUrlAsked(Struct, frozen=True):
    url: WebhookUrl


class WebhookPages:
    """A seller's webhooks as pages."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def webhooks(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        return await self._page(request, seller_id)

    async def add(self, request: Request) -> Response:
        form = await self._pages.form(request)
        _, seller_id = await seller_of(request)
        chosen: list[Any] = [name for name in WEBHOOK_EVENTS if form.get(f"on-{name}")]
        asked = read_form({"url": form.get("url", "")}, WebhookUrlAsked)
        if isinstance(asked, FormErrors):
            return await self._page(request, seller_id, 422, form=Form(WebhookUrlAsked, form, asked))
        try:
            webhook = NewWebhook(asked.url, chosen or [*WEBHOOK_EVENTS])
            made = await self._shop.webhooks.add(seller_id, webhook, f"form/{form_key(form)}")
        except Refusal as refused:
            shown = Form(WebhookUrlAsked, form)
            return await self._page(
                request, seller_id, refused.status, form=shown, refused=message_of(refused)
            )
        return await self._page(request, seller_id, secret=made.secret)

    async def webhook(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        webhook_id = id_of(request.path_params["webhook_id"], WebhookId)
        after = request.query_params.get("after", "")
        before = id_of(after, DeliveryId) if after else None
        found = await self._shop.webhooks.deliveries(seller_id, webhook_id, before, A_PAGE)
        webhooks = await self._shop.webhooks.of_seller(seller_id)
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "webhook",
            seller_id,
            200,
            webhook=next(each for each in webhooks if each.webhook_id == webhook_id),
            deliveries=found,
            more=f"/desk/webhooks/{webhook_id}?after={found[-1].delivery_id}" if len(found) == A_PAGE else "",
            said=_SAID.get(request.query_params.get("said", "")),
        )

    async def remove(self, request: Request) -> Response:
        await self._pages.form(request)
        _, seller_id = await seller_of(request)
        await self._shop.webhooks.remove(seller_id, id_of(request.path_params["webhook_id"], WebhookId))
        return self._pages.redirect(request, "/desk/webhooks?said=removed")

    async def test(self, request: Request) -> Response:
        await self._pages.form(request)
        _, seller_id = await seller_of(request)
        webhook_id = id_of(request.path_params["webhook_id"], WebhookId)
        await self._shop.webhooks.test(seller_id, webhook_id)
        return self._pages.redirect(request, f"/desk/webhooks/{webhook_id}?said=test")

    async def redeliver(self, request: Request) -> Response:
        await self._pages.form(request)
        _, seller_id = await seller_of(request)
        webhook_id = id_of(request.path_params["webhook_id"], WebhookId)
        delivery_id = id_of(request.path_params["delivery_id"], DeliveryId)
        await self._shop.webhooks.redeliver(seller_id, webhook_id, delivery_id)
        return self._pages.redirect(request, f"/desk/webhooks/{webhook_id}?said=again")

    async def _page(
        self,
        request: Request,
        seller_id: SellerId,
        status: int = 200,
        form: Form | None = None,
        refused: RefusalMessage | None = None,
        secret: str = "",
    ) -> Response:
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "webhooks",
            seller_id,
            status,
            webhooks=await self._shop.webhooks.of_seller(seller_id),
            events=WEBHOOK_EVENTS,
            form=form or Form(WebhookUrlAsked),
            key=form_key(form.given if form else {}),
            refused=refused,
            secret=secret,
            said=_SAID.get(request.query_params.get("said", "")),
        )


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = WebhookPages(pages, shop)
    return [
        pages.route("/desk/webhooks", desk.webhooks),
        pages.route("/desk/webhooks", desk.add, "POST"),
        pages.route("/desk/webhooks/{webhook_id}", desk.webhook),
        pages.route("/desk/webhooks/{webhook_id}/remove", desk.remove, "POST"),
        pages.route("/desk/webhooks/{webhook_id}/test", desk.test, "POST"),
        pages.route("/desk/webhooks/{webhook_id}/deliveries/{delivery_id}", desk.redeliver, "POST"),
    ]
