"""How a refusal is told to people: in the words of a page, or beside a form.

Programs are told by a problem document (RFC 9457, `mercat.kit.rpc.problem`); which error is which refusal is
the same for both (`refusal_of`)."""

from typing import NamedTuple

from mercat.kit.refusals import Refusal

_TITLES = {
    401: "Please sign in",
    403: "This is not yours to do",
    404: "There is nothing here",
    405: "That cannot be done here",
    409: "That does not go together",
    410: "This is gone",
    413: "That is too large",
    429: "One moment, please",
    503: "The shop is full at the moment",
}
_TRY_AGAIN = frozenset({429, 500, 503})


class RefusalMessage(NamedTuple):
    """A refusal as a page says it: what happened, whether money moved, what to do."""

    title: str
    what: str = ""
    money: str = ""
    todo: str = ""


def message_of(refusal: Refusal) -> RefusalMessage:
    """Say a refusal of a form that moves no money."""
    return RefusalMessage(str(refusal))


class ErrorPage(NamedTuple):
    """The page that stands where another could not be shown."""

    code: int
    title: str
    words: str
    links: list[tuple[str, str]]
    """Where to go on: address and words."""
    request_id: str
    """For who looks into it; empty where nothing is broken."""


def error_page(refusal: Refusal, path: str, *, reading: bool, request_id: str) -> ErrorPage:
    """Say why there is no page, and where to go on; `reading`: asking again does no harm."""
    links = [("/", "To the shop"), ("/orders", "Your orders")]
    if reading and refusal.status in _TRY_AGAIN:
        links.insert(0, (path, "Try again"))
    words, broken = str(refusal), refusal.status >= 500
    if broken:
        words += " If you were paying: look at your orders first, a payment is never taken twice."
    return ErrorPage(refusal.status, title_of(refusal), words, links, request_id if broken else "")


def title_of(refusal: Refusal) -> str:
    otherwise = "That did not work" if refusal.status < 500 else "This page could not be shown"
    return _TITLES.get(refusal.status, otherwise)


def wait_s(refusal: Refusal) -> int:
    """Seconds after which asking again makes sense; 0 where it does not."""
    return int(refusal.facts.get("retry_after", refusal.retry_after) or 0)
