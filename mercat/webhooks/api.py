"""The routes of outgoing webhooks."""

from mercat.kit.rpc import Route
from mercat.webhooks.service import OutgoingWebhooks

API = [
    Route("POST", "/sellers/{seller_id}/webhooks", OutgoingWebhooks.add),
    Route("GET", "/sellers/{seller_id}/webhooks", OutgoingWebhooks.of_seller),
    Route("DELETE", "/sellers/{seller_id}/webhooks/{webhook_id}", OutgoingWebhooks.remove),
    Route("GET", "/sellers/{seller_id}/webhooks/{webhook_id}/deliveries", OutgoingWebhooks.deliveries),
    Route(
        "POST",
        "/sellers/{seller_id}/webhooks/{webhook_id}/deliveries/{delivery_id}",
        OutgoingWebhooks.redeliver,
    ),
    Route("POST", "/sellers/{seller_id}/webhooks/{webhook_id}/test", OutgoingWebhooks.test),
]
