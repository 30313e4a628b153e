"""Requests to membership."""

from msgspec import Struct


class JoinRequest(Struct, frozen=True):
    """Somebody who opens an account and signs in, and the token of the guest's session that ends with it."""

    email: str
    password: str
    name: str
    guest_token: str = ""


class SignInRequest(Struct, frozen=True):
    """An e-mail address and password, and the token of the guest's session that ends with it."""

    email: str
    password: str
    guest_token: str = ""
