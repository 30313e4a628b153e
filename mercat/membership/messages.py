"""Requests to membership."""

from msgspec import Struct


class JoinRequest(Struct, frozen=True):
    """Somebody who opens an account and signs in, and the token of the guest's session that ends with it."""

    email: str
    password: str
    name: str
    guest_token: str = ""
    agent: str = ""
    network: str = ""


class SignInRequest(Struct, frozen=True):
    """An e-mail address and password, the code of a second step, and the token of the guest's session that
    ends with it; by which program and from which network."""

    email: str
    password: str
    guest_token: str = ""
    code: str = ""
    ticket: str = ""
    agent: str = ""
    network: str = ""
