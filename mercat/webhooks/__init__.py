"""Webhooks: what happens is sent to the addresses that sellers gave. Others import from here only."""

from mercat.webhooks.api import API
from mercat.webhooks.messages import (
    WEBHOOK_EVENTS,
    Delivery,
    DeliveryStatus,
    EventName,
    NewWebhook,
    SellerWebhook,
    WebhookLimit,
    WebhookMade,
    WebhookUrl,
)
from mercat.webhooks.service import OutgoingWebhooks

__all__ = [
    "API",
    "WEBHOOK_EVENTS",
    "Delivery",
    "DeliveryStatus",
    "EventName",
    "NewWebhook",
    "OutgoingWebhooks",
    "SellerWebhook",
    "WebhookLimit",
    "WebhookMade",
    "WebhookUrl",
]
