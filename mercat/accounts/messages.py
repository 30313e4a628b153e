"""Requests to accounts and their answers."""

from datetime import datetime
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from mercat.ids import AddressId, PaymentMethodId, UserId
from mercat.kit.refusals import Conflict, NotFound, SignInFirst

EMAIL_MAX = 254  # RFC 5321, 4.5.3.1.3
EMAIL_PATTERN = r"^[^@\s]+@[^@\s]+\.[^@\s]+(?![\s\S])"
EMAIL_PROBLEM = "Write an e-mail address, such as ann@example.com."
Email = Annotated[str, Meta(max_length=EMAIL_MAX, pattern=EMAIL_PATTERN, extra={"words": EMAIL_PROBLEM})]
PASSWORD_MIN, PASSWORD_MAX = 8, 200
Password = Annotated[str, Meta(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX)]
PERSON_NAME_MAX = 200
PersonName = Annotated[str, Meta(min_length=1, max_length=PERSON_NAME_MAX, pattern=r"\S")]
Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Maybe = Annotated[str, Meta(max_length=200)]
PostalCode = Annotated[str, Meta(min_length=1, max_length=20, pattern=r"\S")]
CountryCode = Annotated[str, Meta(pattern=r"^[A-Za-z]{2}$")]
Phone = Annotated[str, Meta(max_length=40)]


class NewPerson(Struct, frozen=True):
    """Somebody who opens an account, as they typed it: `account_problem` says what is wrong with it."""

    email: str
    password: str
    name: str


class Credentials(Struct, frozen=True):
    email: str
    password: str


class AccountDetails(Struct, frozen=True):
    """An account, as its owner sees it."""

    user_id: UserId
    email: str
    email_verified: bool
    name: str
    created_at: datetime
    two_factor: bool = False


class PersonChange(Struct, frozen=True):
    """What changes of an account; None stays. E-mail and password need the present password.

    `session_token`: the session that goes on when the password changes."""

    name: str | None = None
    email: str | None = None
    password: str | None = None
    current_password: str = ""
    session_token: str = ""


class PasswordReset(Struct, frozen=True):
    """The token of a letter's link, and the new password."""

    token: str
    password: str


class NewAddress(Struct, frozen=True, kw_only=True):
    """Where parcels go. `country` is ISO 3166-1 alpha-2."""

    name: Annotated[Text, Meta(extra={"words": "Write the name on the door."})]
    line1: Annotated[Text, Meta(extra={"words": "Write street and number."})]
    line2: Maybe | None = None
    city: Annotated[Text, Meta(extra={"words": "Write the city."})]
    region: Maybe | None = None
    postal_code: Annotated[PostalCode, Meta(extra={"words": "Write the postal code."})]
    country: Annotated[CountryCode, Meta(extra={"words": "Choose a country."})]
    phone: Phone | None = None


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


CARD_TOKEN_MAX = 100
CardToken = Annotated[str, Meta(min_length=1, max_length=CARD_TOKEN_MAX)]
"""A payment provider's name for a card: never the card's number."""


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


class WayToBuy(Struct, frozen=True, array_like=True):
    """Whose, where to, and paid how."""

    user_id: UserId
    address_id: AddressId
    payment_method_id: PaymentMethodId


class AddressAndCard(Struct, frozen=True):
    """Where it goes, and the token of the card; None for what is not this person's."""

    address: Address | None
    card: str | None


class Session(Struct, frozen=True):
    """Signed in, or a guest, until then."""

    token: str
    user_id: UserId
    expires_at: datetime


class EmailTaken(Conflict):
    """Somebody has an account with this e-mail address already. Is it you? Then sign in."""


class WrongPassword(SignInFirst):
    """E-mail address or password is wrong."""


class LinkExpired(NotFound):
    """This link was used before or is too old. Ask for a new one."""


class TooMany(Conflict):
    """You have kept fifty of these already. That is the most there can be."""
