"""Requests to accounts and their answers."""

from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType

from mercat.ids import AddressId, ApiKeyId, PaymentMethodId, SellerId, SessionId, UserId
from mercat.kit.refusals import Conflict, Forbidden, NotFound, SignInFirst
from mercat.kit.text import LINE, SEEN_LINE, with_words

EMAIL_MAX = 254  # RFC 5321, 4.5.3.1.3
EMAIL_PROBLEM = "Write an e-mail address, such as ann@example.com."
EMAIL_PATTERN = with_words(r"^[^@\s]+@[^@\s]+\.[^@\s]+(?![\s\S])", EMAIL_PROBLEM)
Email = Annotated[str, Meta(max_length=EMAIL_MAX, pattern=EMAIL_PATTERN, extra={"words": EMAIL_PROBLEM})]
PASSWORD_MIN, PASSWORD_MAX = 8, 200
Password = Annotated[str, Meta(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX)]
PERSON_NAME_MAX = 200
PersonName = Annotated[str, Meta(min_length=1, max_length=PERSON_NAME_MAX, pattern=SEEN_LINE)]
Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=SEEN_LINE)]
Maybe = Annotated[str, Meta(max_length=200, pattern=LINE)]
PostalCode = Annotated[str, Meta(max_length=20, pattern=LINE)]
VatNumber = Annotated[str, Meta(max_length=20, pattern=LINE)]
"""The VAT number of a business in the EU; elsewhere it is not kept."""
_COUNTRY = with_words(r"^[A-Za-z]{2}$", "Give the two letters of a country, such as AT (ISO 3166-1).")
CountryCode = Annotated[str, Meta(pattern=_COUNTRY)]
Phone = Annotated[str, Meta(max_length=40, pattern=LINE)]
NETWORK_MAX = 64
AGENT_MAX = 300
CODE_MAX = 40
Code = Annotated[str, Meta(min_length=6, max_length=CODE_MAX)]
"""Six digits of an authenticator app, or a recovery code."""


class NewPerson(Struct, frozen=True):
    """Somebody who opens an account, as they typed it: `account_problem` says what is wrong with it.

    `network`: where they are, which registers so many at most; empty: not from outside."""

    email: str
    password: str
    name: str
    network: str = ""


class Credentials(Struct, frozen=True):
    """What somebody signs in with; `code` is that of the second step. Guesses count by `network` too.

    `ticket`: that of TwoFactorRequired, in the place of e-mail and password."""

    email: str
    password: str
    code: str = ""
    ticket: str = ""
    network: str = ""


class ResetAsk(Struct, frozen=True):
    """Somebody who forgot the password of an account, and where they are."""

    email: str
    network: str = ""


class Contact(Struct, frozen=True):
    """Where a person with an account is written to."""

    user_id: UserId
    email: str


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
    postal_code: PostalCode | None = ""
    country: Annotated[CountryCode, Meta(extra={"words": "Choose a country."})]
    phone: Phone | None = None
    vat_number: VatNumber | None = None


class InvitedPerson(Struct, frozen=True, kw_only=True):
    """Somebody who comes from another shop: they set a password by a letter's link."""

    email: str
    name: str
    since: datetime | None = None
    address: NewAddress | None = None
    """Where their parcels went; `checked_address` has it in its country's form."""


class AddressChange(Struct, frozen=True, kw_only=True):
    """What changes of an address; what is not given stays. `default`: it is suggested first."""

    name: Text | UnsetType = UNSET
    line1: Text | UnsetType = UNSET
    line2: Maybe | UnsetType | None = UNSET
    city: Text | UnsetType = UNSET
    region: Maybe | UnsetType | None = UNSET
    postal_code: PostalCode | UnsetType | None = UNSET
    country: CountryCode | UnsetType = UNSET
    phone: Phone | UnsetType | None = UNSET
    vat_number: VatNumber | UnsetType | None = UNSET
    default: bool | UnsetType = UNSET


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
    vat_number: str | None = None
    default: bool = False


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
    default: bool = False


class WayToBuy(Struct, frozen=True, array_like=True):
    """Whose, where to, and paid how."""

    user_id: UserId
    address_id: AddressId
    payment_method_id: PaymentMethodId


class AddressAndCard(Struct, frozen=True):
    """Where it goes, and the token of the card; None for what is not this person's."""

    address: Address | None
    card: str | None


PEOPLE_WORDS_MAX = 200
PeopleWords = Annotated[str, Meta(max_length=PEOPLE_WORDS_MAX)]
PeopleSearch = Literal["all", "operators", "sellers", "disabled"]


class FoundPerson(Struct, frozen=True, kw_only=True):
    """An account, as operators see it."""

    user_id: UserId
    email: str
    name: str
    roles: list[str]
    seller_id: SellerId | None
    email_verified: bool
    created_at: datetime
    disabled_at: datetime | None


class ExportedPerson(FoundPerson, frozen=True, kw_only=True):
    """An account as it is taken out: with the address that is its default."""

    address: dict[str, str]


class PeopleCounts(Struct, frozen=True):
    """How many there are of those of whom there are few."""

    operators: int
    sellers: int
    disabled: int


class Session(Struct, frozen=True):
    """Signed in, or a guest, until then."""

    token: str
    user_id: UserId
    expires_at: datetime


class RunningSession(Struct, frozen=True):
    """Where somebody is signed in: since when, last seen when, and by which program."""

    session_id: SessionId
    created_at: datetime
    last_seen_at: datetime
    agent: str
    current: bool


class TwoFactorStart(Struct, frozen=True):
    """A second step that is not confirmed yet: its secret for an authenticator app, and codes for the day on
    which the app is lost. It is shown once."""

    secret: str
    otpauth_url: str
    recovery_codes: list[str]


Scope = Literal["catalog:read", "catalog:write", "orders:read", "orders:write", "stock:write", "webhooks"]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=6)]
API_KEY_NAME_MAX = 100
ApiKeyName = Annotated[str, Meta(min_length=1, max_length=API_KEY_NAME_MAX, pattern=SEEN_LINE)]


class NewApiKey(Struct, frozen=True):
    """A key that a seller makes for a program: what it is called, and what it may do."""

    name: ApiKeyName
    scopes: Scopes


class ApiKey(Struct, frozen=True, kw_only=True):
    """A seller's key, without its secret. `prefix` is how it begins."""

    api_key_id: ApiKeyId
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: datetime
    last_used_at: datetime | None


class MadeApiKey(Struct, frozen=True):
    """A key as it is shown once."""

    api_key_id: ApiKeyId
    key: str
    prefix: str


class EmailTaken(Conflict):
    """Somebody has an account with this e-mail address already. Is it you? Then sign in."""


class WrongPassword(SignInFirst):
    """E-mail address or password is wrong."""


class LinkExpired(NotFound):
    """This link was used before or is too old. Ask for a new one."""


class TooMany(Conflict):
    """You have kept fifty of these already, and that is the most there can be. Remove one first."""


class ApiKeyEnded(Conflict):
    """The key that was made for this ask has ended, and stays ended. Ask for a new one."""


class TwoFactorRequired(SignInFirst):
    """This account has a second step. Send the code of your authenticator app too."""


class WrongCode(SignInFirst):
    """The code is wrong, too old, or was used before."""


class TwoFactorOn(Conflict):
    """This account has a second step already. Switch it off first."""


class TwoFactorOff(Conflict):
    """This account has no second step to confirm or to switch off."""


class HasAccount(Conflict):
    """This order belongs to an account. Sign in: the account's page erases it and all that is with it."""


class AccountDisabled(Forbidden):
    """This account is disabled. Write to the shop if you think that is a mistake."""


class LastOperator(Conflict):
    """This is the shop's only operator. Make somebody else one first."""


class AboutOneself(Conflict):
    """This is your own account. Another operator can do that, and you can leave on your account's page."""
