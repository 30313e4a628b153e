from mercat.kit.rpc import Route
from mercat.notifications.preferences import Preferences
from mercat.notifications.service import Notifications

API = [
    Route("GET", "/mailbox", Notifications.mailbox),
    Route("POST", "/orders-of", Notifications.orders_of),
    Route("GET", "/orders/{order_id}/mails", Notifications.of_order),
    Route("GET", "/orders/{order_id}/undelivered", Notifications.undelivered),
    Route("GET", "/kinds/needed", Preferences.needed),
    Route("GET", "/mails/failed", Notifications.failed),
    Route("GET", "/mails/{mail_id}", Notifications.letter),
    Route("POST", "/mails/{mail_id}/again", Notifications.send_again),
    Route("POST", "/orders/{order_id}/mails/{mail_id}/again", Notifications.send_of_order_again),
    Route("POST", "/people/{user_id}/choices", Preferences.choices),
    Route("PUT", "/people/{user_id}/choices", Preferences.choose),
    Route("POST", "/subscriptions", Preferences.subscription),
    Route("POST", "/subscriptions/ended", Preferences.unsubscribe),
]
