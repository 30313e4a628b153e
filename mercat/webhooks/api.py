"""The routes of outgoing webhooks."""

from mercat.kit.verbs import Verb
from mercat.webhooks.service import OutgoingWebhooks

API = [
    Verb(OutgoingWebhooks.add),
    Verb(OutgoingWebhooks.of_seller, reads=True),
    Verb(OutgoingWebhooks.remove),
    Verb(OutgoingWebhooks.deliveries, reads=True),
    Verb(OutgoingWebhooks.redeliver),
    Verb(OutgoingWebhooks.test),
]
