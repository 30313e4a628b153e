"""Notifications: letters to people about what happened to them.

One letter a fact and channel, however often the fact is told; sent at most once. Where no SMTP server is
set, the mailbox is where they go. Others import from here only.
"""

from mercat.notifications.api import API
from mercat.notifications.messages import Mail
from mercat.notifications.service import Notifications

__all__ = ["API", "Mail", "Notifications"]
