from mercat.kit.verbs import Verb
from mercat.notifications.preferences import Preferences
from mercat.notifications.service import Notifications

API = [
    Verb(Notifications.mailbox, reads=True),
    Verb(Notifications.orders_of, reads=True),
    Verb(Notifications.of_order, reads=True),
    Verb(Notifications.undelivered, reads=True),
    Verb(Preferences.needed, reads=True),
    Verb(Notifications.failed, reads=True),
    Verb(Notifications.letter, reads=True),
    Verb(Notifications.send_again),
    Verb(Notifications.send_of_order_again),
    Verb(Preferences.choices, reads=True),
    Verb(Preferences.choose),
    Verb(Preferences.subscription, reads=True),
    Verb(Preferences.unsubscribe),
]
