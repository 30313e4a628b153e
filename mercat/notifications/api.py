from mercat.kit.rpc import Route
from mercat.notifications.service import Notifications

API = [
    Route("GET", "/mailbox", Notifications.mailbox),
    Route("POST", "/mails/{mail_id}/again", Notifications.send_again),
]
