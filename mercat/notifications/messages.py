"""Requests to notifications and their answers."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

KIND_MAX = 50
KindName = Annotated[str, Meta(max_length=KIND_MAX)]


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


class Choices(Struct, frozen=True):
    """A kind of letter that one can do without. `role`: who gets such letters at all; empty: everybody."""

    kind: str
    words: str
    role: str
    wanted: bool


class Choosing(Struct, frozen=True):
    """Which kinds somebody gets. `email`: their address, which a letter's link may have unsubscribed."""

    email: str
    wanted: Annotated[dict[KindName, bool], Meta(max_length=100)]


class Subscription(Struct, frozen=True):
    """What the link in a letter is about: the kind, in words, and whether it is still wanted."""

    kind: str
    words: str
    wanted: bool
