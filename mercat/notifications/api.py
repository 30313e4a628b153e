from mercat.kit.rpc import Route
from mercat.notifications.service import Notifications

API = [
    Route("GET", "/mailbox", Notifications.mailbox),
    Route("POST", "/orders-of", Notifications.orders_of),
    Route("GET", "/orders/{order_id}/mails", Notifications.of_order),
    Route("GET", "/mails/{mail_id}", Notifications.letter),
    Route("POST", "/mails/{mail_id}/again", Notifications.send_again),
]
