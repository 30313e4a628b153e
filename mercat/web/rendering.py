"""How pages are written: one Jinja environment, and the filters that say money, dates and states in words."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from mercat import addresses, money
from mercat.addresses import country_name
from mercat.catalog import latin_slug
from mercat.countries import SERVED
from mercat.events import AppliedDiscount
from mercat.ids import number_shown
from mercat.kit import clock
from mercat.media import sizes_of, tint_of
from mercat.payments import ProviderDeclaration, declaration
from mercat.settings import Settings
from mercat.web.compression import every_form
from mercat.web.schemas import SEARCH_WORDS_MAX

_HERE = Path(__file__).parent
_SLUG_MAX = 60
_SMALL, _CARD = 160, 400
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".LICENSE": "text/plain"}

COUNTRIES = [(code, country.name) for code, country in SERVED.items()]

_STATES = {
    "confirmed": ("good", "Confirmed"),
    "partially_shipped": ("good", "Partly shipped"),
    "shipped": ("good", "Shipped"),
    "in_transit": ("good", "On its way"),
    "out_for_delivery": ("good", "Out for delivery"),
    "delivered": ("good", "Delivered"),
    "exception": ("warn", "Held up"),
    "cancelled": ("bad", "Cancelled"),
    "return_requested": ("warn", "Asked for"),
    "return_approved": ("good", "Approved"),
    "return_refused": ("bad", "Refused"),
    "return_in_transit": ("good", "On its way back"),
    "return_received": ("good", "Arrived"),
    "return_refunded": ("good", "Paid back"),
    "return_closed": ("", "Closed"),
    "payout_pending": ("warn", "Under way"),
    "payout_paid": ("good", "Paid"),
    "payout_failed": ("bad", "Failed"),
    "money_pending": ("", "Pending"),
    "money_available": ("good", "Available"),
    "money_reserved": ("warn", "Reserved"),
    "preparing": ("", "Being packed"),
    "active": ("good", "On sale"),
    "person_active": ("good", "Active"),
    "person_disabled": ("bad", "Disabled"),
    "hidden": ("bad", "Hidden by the shop"),
    "archived": ("", "Archived"),
    "paused": ("warn", "Paused"),
    "draft": ("", "Draft"),
    "captured": ("good", "paid"),
    "authorised": ("", "held"),
    "refunded": ("", "paid back"),
    "succeeded": ("good", "done"),
    "pending": ("warn", "under way"),
    "voided": ("", "not charged"),
    "declined": ("bad", "declined"),
    "failed": ("bad", "failed"),
    "closed": ("good", "Closed: all is well"),
    "half_open": ("warn", "Trying again"),
    "open": ("bad", "Open"),
}


TAX_NOTES = {"reverse_charge": "Reverse charge: tax is owed by the buyer", "exempt": "Tax (exempt)"}
"""What stands beside the tax of who pays none."""


def state(status: str) -> str:
    """`out_for_delivery` is "Out for delivery"."""
    return _STATES[status][1] if status in _STATES else status.replace("_", " ").capitalize()


def low(status: str) -> str:
    """Say a state within a sentence."""
    return state(status).lower()


def badge(status: str) -> Markup:
    tone = _STATES.get(status, ("", ""))[0]
    return Markup('<span class="badge {}">{}</span>').format(tone, state(status))


def day(when: date | datetime | str) -> str:
    """Say a delivery day as people do: "tomorrow, Tue 1 Dec"."""
    if isinstance(when, str):
        when = date.fromisoformat(when[:10])
    if isinstance(when, datetime):
        when = when.date()
    away = (when - clock.now().date()).days
    said = f"{when:%a} {when.day} {when:%b}"
    if away in (0, 1):
        return f"{('Today', 'Tomorrow')[away]}, {said}"
    return said if abs(away) < 300 else f"{said} {when.year}"


def day_of(when: date) -> str:
    return f"{when.day} {when:%B} {when.year}"


def moment(when: datetime) -> Markup:
    """Say a time, with its machine form: `<time datetime=…>23 Nov, 14:05 UTC</time>`."""
    when = when.astimezone(UTC)
    year = "" if when.year == clock.now().year else f" {when.year}"
    return Markup('<time datetime="{}">{} {}{}, {} UTC</time>').format(
        when.isoformat(timespec="seconds"), when.day, when.strftime("%b"), year, when.strftime("%H:%M")
    )


def time_of_day(when: datetime) -> str:
    """Say a time of today to the second: `14:05:09 UTC`."""
    return when.astimezone(UTC).strftime("%H:%M:%S UTC")


def paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?:\r?\n|\\n)\s*", text) if part.strip()]


def label(name: str) -> str:
    """`storage_temperature__t_t_` is "Storage temperature t t"."""
    words = re.sub(r"[_\s]+", " ", name).strip()
    return words[:1].upper() + words[1:]


def fact(value: object) -> str:
    """Say an attribute's value: yes and no, and numbers without a needless `.0`."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, float):
        return f"{value:,.6f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return ", ".join(fact(each) for each in cast(Sequence[object], value))
    return str(value)


def amount(shown: float, currency: str) -> str:
    """Write an amount that the API shows: 79.99 USD is "$79.99"."""
    return money.words(money.minor(Decimal(str(shown)), currency), currency)


def decimal(amount: int, currency: str) -> str:
    """7999 USD is "79.99": for fields and for machines."""
    digits = money.exponent(currency)
    return f"{amount / 10**digits:.{digits}f}"


def saving(price: int, was_price: int) -> int:
    """Return by how many whole per cent a price is lower than before."""
    return (was_price - price) * 100 // was_price if was_price > 0 else 0


def absolute(url: str, origin: str) -> str:
    return origin + url if url.startswith("/") else url


def shown_at(size: int) -> str:
    """Say how wide a picture of this size is shown, for a browser to choose the file (`sizes`)."""
    if size <= _SMALL:
        return f"{size}px"
    return f"(max-width: 48rem) {'100vw' if size > _CARD else '50vw'}, {size}px"


def short(shown: object) -> str:
    """Cut an id to its end: enough to tell one's orders apart."""
    return "…" + str(shown)[-6:]


def get(what: Any, name: str) -> str:
    found: Any = cast(Any, what).get(name) if isinstance(what, Mapping) else getattr(what, name, None)
    return str(found) if found else ""


def address(what: Any) -> str:
    """Write an address on one line, in the order of its country."""
    parts = {name: get(what, name) for name in ("line1", "line2", "city", "region", "postal_code", "country")}
    return ", ".join([*addresses.lines(parts), country(parts["country"])])


_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
    ("python", "Python"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "a Mac"),
    ("Linux", "Linux"),
)


def device(agent: str) -> str:
    """Say what somebody is signed in with: "Firefox on Windows"."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "An unknown program"


def country(code: str) -> str:
    known = SERVED.get(code)
    return known.name if known else country_name(code)


def cards(settings: Settings) -> list[tuple[str, str, str]]:
    """List the test cards to choose from: token, name, and what will happen. None outside of test mode."""
    if not settings.dev_pages:
        return []
    return [(card.token, card.name, card.effect) for card in declaration(settings).test_cards]


def because(discount: AppliedDiscount) -> str:
    """Say in plain words what was taken off, and why."""
    words = discount.words or "Taken off"
    said = words[0].upper() + words[1:]
    return f"{said}, because of {discount.code}" if discount.code else said


def card(method: Any) -> str:
    """Name a saved card as its owner knows it."""
    return f"{method.brand} ending in {method.last4}" if method.last4 else "Card"


def window(page: int, pages: int) -> Iterator[int | None]:
    """Yield page numbers to show, 1 … 4 5 6 … 20; None is a gap."""
    shown = sorted({1, pages, *range(max(1, page - 1), min(pages, page + 1) + 1)})
    last = 0
    for each in shown:
        if each - last > 1:
            yield None if each - last > 2 else last + 1
        yield each
        last = each


def slug(title: str) -> str:
    return latin_slug(title)[:_SLUG_MAX].strip("-")


def href(product: Any) -> str:
    """Return where a product's page is: its id decides, its title only helps people and search engines."""
    return f"/p/{product.product_id}/{slug(product.title)}".rstrip("/")


class Static(NamedTuple):
    """A file: in each coding, as it is in the empty one."""

    forms: dict[str, bytes]
    kind: str
    tag: str


class Statics:
    """The files pages need, kept in memory, each under an address that changes when it does."""

    def __init__(self, more: Iterable[Path] = ()) -> None:
        """Keep the pages' own files and `more`, such as the script of a provider's card field."""
        self._files = {path.name: _static(path) for path in [*(_HERE / "static").iterdir(), *more]}

    def url(self, name: str) -> str:
        return f"/static/{name}?{self._files[name].tag}"

    def find(self, name: str) -> Static | None:
        return self._files.get(name)


@cache
def _static(path: Path) -> Static:
    """Read and compress a file, once a process."""
    content = path.read_bytes()
    tag = blake2b(content, digest_size=6).hexdigest()
    return Static(every_form(content), _TYPES[path.suffix], tag)


def environment(
    statics: Statics, token: Callable[[Any], str], provider: ProviderDeclaration | None = None
) -> Environment:
    """Jinja, strict: a name that a page does not have is a bug, never an empty string."""
    made: Any = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    helpers: dict[str, Any] = {
        "static": statics.url,
        "token": token,
        "now": clock.now,
        "provider": provider,
        "search_words_max": SEARCH_WORDS_MAX,
    }
    made.globals.update(helpers)
    filters: dict[str, Callable[..., Any]] = {
        "absolute": absolute,
        "address": address,
        "badge": badge,
        "because": because,
        "card": card,
        "country": country,
        "date": day_of,
        "day": day,
        "decimal": decimal,
        "device": device,
        "fact": fact,
        "href": href,
        "label": label,
        "moment": moment,
        "money": money.words,
        "amount": amount,
        "paragraphs": paragraphs,
        "order_number": number_shown,
        "saving": saving,
        "short": short,
        "shown_at": shown_at,
        "sizes": sizes_of,
        "tint": tint_of,
        "state": state,
        "time_of_day": time_of_day,
        "window": window,
        "words": low,
    }
    made.filters.update(filters)
    return made
