"""Answers of notifications."""

from datetime import datetime

from msgspec import Struct


class Mail(Struct, frozen=True):
    mail_id: int
    kind: str
    """The name of a file in `letters`, such as order_confirmed."""
    recipient: str
    subject: str
    body: str
    html: str
    """The same as `body`, for programs that show it."""
    at: datetime
    sent_at: datetime | None
    tries: int
    failure: str | None
    """Why it was not sent the last time; without `sent_at` and with tries left it is tried again."""
