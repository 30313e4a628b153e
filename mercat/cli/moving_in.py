"""People and orders of a former shop: `mercat import --customers FILE` and `--orders FILE`.

Known are the exports of Shopify and WooCommerce, and what `mercat export` writes; others need their names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mercat.accounts import InvitedPerson, NewAddress, checked_address
from mercat.catalog import (
    BadField,
    BrokenFile,
    Columns,
    Gathered,
    RowKeys,
    RowNote,
    column_name,
    gather,
    read_rows,
)
from mercat.kit.refusals import Refusal
from mercat.money import MINOR_MAX
from mercat.orders import OldOrder, OldOrderLine, OldOrdersTaken
from mercat.shop import Shop

_BATCH = 500
_NUMBER_MAX, _WORDS_MAX = 100, 200
_UNITS_MAX = 1_000_000
_DATES = (
    "%Y-%m-%d %H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
)
_EMAIL = ("email", "e_mail", "customer_email", "billing_email", "user_email", "billing_email_address")
_ADDRESS: dict[str, tuple[str, ...]] = {
    "line1": (
        "address_line1",
        "default_address_address1",
        "shipping_address1",
        "shipping_street",
        "address1",
        "shipping_address_1",
        "billing_address_1",
        "line1",
    ),
    "line2": (
        "address_line2",
        "default_address_address2",
        "shipping_address2",
        "address2",
        "shipping_address_2",
        "billing_address_2",
        "line2",
    ),
    "city": ("address_city", "default_address_city", "shipping_city", "city", "billing_city"),
    "region": (
        "address_region",
        "default_address_province_code",
        "province_code",
        "shipping_province",
        "province",
        "shipping_state",
        "billing_state",
        "region",
    ),
    "postal_code": (
        "address_postal_code",
        "default_address_zip",
        "shipping_zip",
        "zip",
        "shipping_postcode",
        "billing_postcode",
        "postal_code",
        "postcode",
    ),
    "country": (
        "address_country",
        "default_address_country_code",
        "country_code",
        "shipping_country",
        "billing_country",
        "country",
    ),
    "phone": ("address_phone", "default_address_phone", "shipping_phone", "phone", "billing_phone"),
}
Note = Callable[[RowNote], None]


class MovedIn(NamedTuple):
    """What became of a file of people or of orders."""

    file: Path
    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    left_out: int = 0
    unusable: str = ""


class _Counting:
    """Reads a file row by row, and counts."""

    def __init__(self, file: Path, note: Note) -> None:
        self.file = file
        self.rows = self.left_out = 0
        self._note = note

    def read(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield rows by the names of columns; a bad one is noted. Raises BrokenFile."""
        with self.file.open("rb") as raw:
            for line, row in read_rows(raw):
                self.rows += 1
                if isinstance(row, BadField):
                    self.leave_out(line, row)
                else:
                    named: dict[str, Any] = {}
                    for heading, value in row.items():
                        named.setdefault(column_name(heading), value)
                    yield line, named

    def leave_out(self, line: int, bad: BadField, *, whole: bool = True) -> None:
        """Note a row that is left out, or a part of it."""
        self.left_out += whole
        self._note(RowNote(self.file.name, line, bad.field, bad.reason, whole, bad.code, bad.field))


async def take_customers(shop: Shop, file: Path, note: Note, *, dry_run: bool) -> MovedIn:
    """Open an account for each person of a file who has none, and invite them; their address comes along."""
    counting = _Counting(file, note)
    added = known = 0
    rows = counting.read()
    try:
        while batch := list(islice(rows, _BATCH)):
            people = [each for line, row in batch if (each := _person(counting, Columns(row, line)))]
            if dry_run:
                known += len(people)
                continue
            made = await shop.accounts.invite(people)
            known += sum(user_id is None for user_id in made)
            added += sum(user_id is not None for user_id in made)
    except BrokenFile as broken:
        return MovedIn(file, unusable=f"{file.name}: {broken}.")
    done = MovedIn(file, counting.rows, added, 0, known, counting.left_out)
    return _checked(done, "people", "email")


def _person(counting: _Counting, row: Columns) -> InvitedPerson | None:
    try:
        email = row.text(row.first(*_EMAIL), needed=True)
        if "@" not in email:
            raise BadField(row.first(*_EMAIL), f"is no e-mail address: “{email[:40]}”")
    except BadField as bad:
        counting.leave_out(row.line, bad)
        return None
    name = _name(row, "")
    since = _moment(
        row, "created_at", "user_registered", "registered", "date_registered", "customer_since", "sign_up"
    )
    person = InvitedPerson(email=email, name=name or email.partition("@")[0], since=since)
    address = _address(row, name)
    if not address.get("line1") or not address.get("country"):
        return person
    try:
        return msgspec.structs.replace(person, address=checked_address(msgspec.convert(address, NewAddress)))
    except (msgspec.ValidationError, Refusal) as error:
        counting.leave_out(row.line, BadField("address", f"was left out: {error}"), whole=False)
        return person


def _name(row: Columns, before: str) -> str:
    whole = row.text(
        row.first(f"{before}name", "name", "full_name", "customer_name", "display_name"), _WORDS_MAX
    )
    first = row.text(row.first(f"{before}first_name", "first_name", "billing_first_name"), _WORDS_MAX)
    last = row.text(row.first(f"{before}last_name", "last_name", "billing_last_name"), _WORDS_MAX)
    return " ".join(f"{first} {last}".split()) or whole


def _address(row: Columns, name: str) -> dict[str, str]:
    found = {
        part: text
        for part, names in _ADDRESS.items()
        if (text := row.text(row.first(*names), _WORDS_MAX).lstrip("'"))
    }
    return {"name": name, **found} if found else {}


async def take_orders(shop: Shop, file: Path, note: Note, *, dry_run: bool) -> MovedIn:
    """Keep orders of a file as history, which can be read and nothing else."""
    counting = _Counting(file, note)
    sums = OldOrdersTaken(0, 0, 0)
    batch: list[OldOrder] = []

    async def keep() -> OldOrdersTaken:
        taken = OldOrdersTaken(0, 0, len(batch)) if dry_run else await shop.orders.take_old(batch)
        batch.clear()
        return OldOrdersTaken(
            sums.added + taken.added, sums.changed + taken.changed, sums.unchanged + taken.unchanged
        )

    try:
        for given in gather(counting.read(), _order_key):
            if not isinstance(given, Gathered):
                continue
            rows = [Columns(row, line, None, shop.settings.currency) for line, row in given.rows]
            try:
                batch.append(_order(rows))
            except BadField as bad:
                counting.leave_out(rows[0].line, bad)
            if len(batch) >= _BATCH:
                sums = await keep()
        sums = await keep()
    except BrokenFile as broken:
        return MovedIn(file, unusable=f"{file.name}: {broken}.")
    done = MovedIn(file, counting.rows, sums.added, sums.changed, sums.unchanged, counting.left_out)
    return _checked(done, "orders", "number (or Name) and a total")


_NUMBER = ("number", "order_number", "order_id", "name", "order", "id")


def _order_key(row: Mapping[str, Any]) -> RowKeys:
    return RowKeys(next((text for name in _NUMBER if (text := str(row.get(name) or "").strip())), ""))


def _order(rows: Sequence[Columns]) -> OldOrder:
    """Read an order of its rows: the first has what is of the whole, each has a line."""
    head = rows[0]
    currency = head.currency(head.text(head.first("order_currency", "currency_code")).upper())
    number = head.text(head.first(*_NUMBER), _NUMBER_MAX, needed=True)
    placed_at = _moment(head, "placed_at", "created_at", "order_date", "date_created", "date", "paid_at")
    if placed_at is None:
        raise BadField("created_at", "is missing, or is no time")

    def amount(*names: str) -> int:
        return head.decimal(head.first(*names), currency)

    lines = [line for row in rows if (line := _line(row, currency))]
    total = amount("total", "order_total", "order_total_amount", "grand_total")
    return OldOrder(
        number=number,
        email=head.text(head.first(*_EMAIL), _WORDS_MAX),
        placed_at=placed_at,
        status=_status(head),
        currency=currency,
        subtotal=amount("subtotal", "order_subtotal", "order_subtotal_amount"),
        discount=amount("discount", "discount_amount", "cart_discount_amount", "order_discount"),
        shipping=amount("shipping", "order_shipping_amount", "shipping_total", "order_shipping"),
        tax=amount("tax", "taxes", "order_total_tax_amount", "tax_total"),
        total=total,
        address=_address(head, _name(head, "shipping_")),
        lines=lines,
    )


def _status(row: Columns) -> str:
    if row.text("cancelled_at"):
        return "cancelled"
    return row.text(row.first("status", "order_status", "fulfillment_status", "financial_status"), 40).lower()


def _line(row: Columns, currency: str) -> OldOrderLine | None:
    title = row.text(row.first("lineitem_name", "title", "item_name", "product_name"), _WORDS_MAX)
    if not title:
        return None
    price = row.first("lineitem_price", "unit_price", "item_cost", "item_price")
    quantity = row.first("lineitem_quantity", "quantity", "item_quantity")
    return OldOrderLine(
        title,
        row.whole(quantity, _UNITS_MAX) or 1,
        min(row.decimal(price, currency), MINOR_MAX),
        row.text(row.first("lineitem_sku", "sku", "item_sku"), _NUMBER_MAX),
    )


def _moment(row: Columns, *names: str) -> datetime | None:
    text = row.text(row.first(*names))
    if not text:
        return None
    for form in ("", *_DATES):
        try:
            moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise BadField(row.first(*names), f"is no time: “{text[:40]}”")


def _checked(done: MovedIn, what: str, needed: str) -> MovedIn:
    if done.rows and not done.added + done.changed + done.unchanged:
        return done._replace(unusable=f"{done.file.name} is no file of {what}: it needs {needed}.")
    return done if done.rows else done._replace(unusable=f"{done.file.name} is empty.")
