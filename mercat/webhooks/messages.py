"""What outgoing webhooks are asked and what they answer."""

from datetime import datetime
from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from mercat.ids import DeliveryId, WebhookId
from mercat.kit.refusals import Conflict

EventName = Literal[
    "order.placed",
    "order.cancelled",
    "part.shipped",
    "part.delivered",
    "return.requested",
    "return.received",
    "refund.paid",
    "payout.paid",
    "payout.failed",
    "stock.low",
    "product.changed",
]
WEBHOOK_EVENTS: tuple[EventName, ...] = get_args(EventName)
DeliveryStatus = Literal["pending", "delivered", "failed"]
WebhookUrl = Annotated[
    str, Meta(min_length=8, max_length=500, pattern="^https?://", extra={"words": "An address with https://"})
]
WebhookEvents = Annotated[list[EventName], Meta(min_length=1, max_length=len(WEBHOOK_EVENTS))]


class NewWebhook(Struct, frozen=True):
    """Where a seller wants to hear what."""

    url: WebhookUrl
    events: WebhookEvents


class SellerWebhook(Struct, frozen=True, kw_only=True):
    """An address that hears of a seller's orders, goods and money. `gone_at`: when it answered 410."""

    webhook_id: WebhookId
    url: str
    events: list[EventName]
    made_at: datetime
    gone_at: datetime | None = None


class WebhookMade(Struct, frozen=True):
    """A new webhook, and the secret that its deliveries are signed with."""

    webhook_id: WebhookId
    secret: str


class Delivery(Struct, frozen=True, kw_only=True):
    """An event on its way to an address. `due_at`: when it is tried next."""

    delivery_id: DeliveryId
    event: str
    status: DeliveryStatus
    attempts: int
    made_at: datetime
    due_at: datetime | None = None
    tried_at: datetime | None = None
    response_status: int | None = None
    failure: str = ""


class WebhookLimit(Conflict):
    """A seller has at most ten webhooks. Remove one first."""
