"""What accounts are asked and what they answer."""

from datetime import datetime
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from mercat.ids import AddressId, PaymentMethodId, UserId
from mercat.kit.refusals import Conflict, SignInFirst

Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Maybe = Annotated[str, Meta(max_length=200)]


class NewPerson(Struct, frozen=True):
    email: str
    password: str
    name: str


class Credentials(Struct, frozen=True):
    email: str
    password: str


class NewAddress(Struct, frozen=True, kw_only=True):
    """Where parcels go. `country` is ISO 3166-1 alpha-2."""

    name: Text
    line1: Text
    line2: Maybe | None = None
    city: Text
    region: Maybe | None = None
    postal_code: Annotated[str, Meta(min_length=1, max_length=20, pattern=r"\S")]
    country: Annotated[str, Meta(pattern=r"^[A-Za-z]{2}$")]
    phone: Annotated[str, Meta(max_length=40)] | None = None


class Address(Struct, frozen=True, kw_only=True):
    address_id: AddressId
    name: str
    line1: str
    line2: str | None = None
    city: str
    region: str | None = None
    postal_code: str
    country: str
    phone: str | None = None


class CardLabel(NamedTuple):
    """How people know a card."""

    brand: str
    last4: str
    label: str


class PaymentMethod(Struct, frozen=True):
    """A way to pay: the provider's token, and how a person knows it."""

    payment_method_id: PaymentMethodId
    token: str
    brand: str
    last4: str
    label: str


class Session(Struct, frozen=True):
    """Signed in (or a guest) until then; `guest` is who somebody was before."""

    token: str
    user_id: UserId
    expires_at: datetime
    guest: UserId | None = None


class EmailTaken(Conflict):
    """Somebody has an account with this e-mail address already. Is it you? Then sign in."""


class WrongPassword(SignInFirst):
    """E-mail address or password is wrong."""


class TooMany(Conflict):
    """You have kept fifty of these already. That is the most there can be."""
