"""Notifications: letters to people about what happened to them.

One letter a fact and channel, however often the fact is told; sent at most once. Where no SMTP server is
set, the mailbox is where they go. Others import from here only.
"""

from mercat.notifications.api import API
from mercat.notifications.messages import Choices, Choosing, KindName, Mail, Subscription
from mercat.notifications.preferences import NotificationNeeded
from mercat.notifications.service import Notifications
from mercat.notifications.sources import Sources

__all__ = [
    "API",
    "Choices",
    "Choosing",
    "KindName",
    "Mail",
    "NotificationNeeded",
    "Notifications",
    "Sources",
    "Subscription",
]
