"""Accounts: who people are, how they sign in, where parcels go and how they pay.

Passwords are argon2id hashes, sessions live in Valkey under the hash of their token, and of a card only the
provider's token is kept. A guest is a person too: they have a user id and may do all that buying needs.
"""

from mercat.accounts.api import API
from mercat.accounts.messages import (
    CARD_TOKEN_MAX,
    EMAIL_MAX,
    PASSWORD_MAX,
    AccountDetails,
    Address,
    AddressAndCard,
    CardLabel,
    CardToken,
    Credentials,
    Email,
    EmailTaken,
    LinkExpired,
    NewAddress,
    NewPerson,
    Password,
    PasswordReset,
    PaymentMethod,
    PersonChange,
    PersonName,
    Session,
    TooMany,
    WayToBuy,
    WrongPassword,
)
from mercat.accounts.rules import is_same_address
from mercat.accounts.service import Accounts

__all__ = [
    "API",
    "CARD_TOKEN_MAX",
    "EMAIL_MAX",
    "PASSWORD_MAX",
    "AccountDetails",
    "Accounts",
    "Address",
    "AddressAndCard",
    "CardLabel",
    "CardToken",
    "Credentials",
    "Email",
    "EmailTaken",
    "LinkExpired",
    "NewAddress",
    "NewPerson",
    "Password",
    "PasswordReset",
    "PaymentMethod",
    "PersonChange",
    "PersonName",
    "Session",
    "TooMany",
    "WayToBuy",
    "WrongPassword",
    "is_same_address",
]
