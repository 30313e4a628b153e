"""What stands on invoices, credit notes and packing slips.

A paper is made from what never changes, so it says the same whenever it is made again; where the law let the
shop forget who bought, that is said in its place.
"""

from collections.abc import Sequence

from mercat import addresses, money
from mercat.ids import SellerId, number_shown
from mercat.invoices import Paper
from mercat.orders import Order, OrderLineView
from mercat.payments import PaidTender
from mercat.web import rendering
from mercat.web.pdf import ON_LETTER, Column, Sheets

_NAMES = {"invoice": "Invoice", "credit_note": "Credit note"}
_PREFIXES = {"invoice": "INV", "credit_note": "CN"}
_CAUSES = {
    "cancel": "For what was cancelled before it was sent.",
    "return": "For what was sent back.",
    "refund": "For money that was paid back without goods.",
}


def invoices_pdf(
    shop: str,
    order: Order,
    papers: Sequence[Paper],
    numbers: dict[SellerId, int],
    tenders: Sequence[PaidTender] = (),
) -> bytes:
    """Write these papers of an order, each on sheets of its own. `numbers`: of each seller's invoice, for
    the credit notes that refer to it. `tenders`: what of the order gift cards and store credit paid, which
    takes nothing off what it cost (2006/112/EC art. 30b)."""
    sheets = _sheets(f"Invoice of order {_number(order)}", shop, order)
    for paper in papers:
        sheets.begin(f"{paper_name(paper)}, {paper.seller_name}")
        sheets.text(_NAMES[paper.kind], 20, bold=True)
        sheets.gap()
        _write_facts(sheets, shop, order, paper, numbers.get(paper.seller_id))
        sheets.gap()
        if paper.kind == "invoice":
            _write_goods(sheets, order, paper)
        else:
            _write_units(sheets, order, paper)
        sheets.gap()
        sheets.sums(_sums(order, paper))
        if paper.kind == "invoice" and tenders:
            sheets.gap()
            for words in _paid_by(order, tenders):
                sheets.text(words)
    return sheets.finish()


def packing_slip_pdf(shop: str, order: Order, seller_id: SellerId, seller_name: str) -> bytes:
    """Write what a seller packs of an order: what has not been sent first, and no prices."""
    number = _number(order)
    sheets = _sheets(f"Packing slip of order {number}", shop, order)
    sheets.begin(f"Packing slip, order {number}, {seller_name}")
    sheets.text("Packing slip", 20, bold=True)
    sheets.gap()
    [part] = [part for part in order.parts if part.seller_id == seller_id]
    travels = [f"Delivery: {part.shipping_method}"] if part.shipping_method else []
    if part.estimated_delivery:
        travels.append(f"Promised for {rendering.day_of(part.estimated_delivery)}")
    to = _buyer(order)
    if part.pickup_name:
        to = [part.pickup_name, part.pickup_address, f"Fetched by {order.address.get('name', 'the buyer')}"]
    sheets.beside(["To", *to], [f"Order {number}", _placed(order), *travels])
    sheets.gap()
    sheets.beside(["From", seller_name], ["Sold on", shop])
    lines = [line for line in order.lines if line.seller_id == seller_id]
    _write_packing(sheets, "To pack", [(line, line.left) for line in lines])
    _write_packing(sheets, "Sent already", [(line, line.shipped) for line in lines])
    _write_packing(sheets, "Cancelled: do not pack", [(line, line.cancelled) for line in lines])
    return sheets.finish()


def paper_name(paper: Paper) -> str:
    """Name a paper as people do: "Invoice INV-000012"."""
    return f"{_NAMES[paper.kind]} {_paper_number(paper.kind, paper.number)}"


def _paper_number(kind: str, number: int) -> str:
    return f"{_PREFIXES[kind]}-{number:06d}"


def _sheets(title: str, shop: str, order: Order) -> Sheets:
    return Sheets(title, shop, letter=order.address.get("country", "") in ON_LETTER)


def _number(order: Order) -> str:
    return number_shown(order.number) or str(order.order_id)


def _placed(order: Order) -> str:
    return f"Ordered on {rendering.day_of(order.created_at)}"


def _buyer(order: Order) -> list[str]:
    """Write name and address in the order of the country; or that they were erased."""
    address = order.address
    if not any(address.values()):
        return ["Name and address were erased."]
    lines = [
        address.get("name", ""),
        *addresses.lines(address),
        rendering.country(address.get("country", "")),
        f"VAT number {address['vat_number']}" if address.get("vat_number") else "",
    ]
    return [line for line in lines if line]


def _write_facts(sheets: Sheets, shop: str, order: Order, paper: Paper, invoice: int | None) -> None:
    seller = [paper.seller_name, *(line for line in paper.seller_details.splitlines() if line.strip())]
    if shop != paper.seller_name:
        seller.append(f"on {shop}")
    facts = [
        f"Number {_paper_number(paper.kind, paper.number)}",
        f"Issued on {rendering.day_of(paper.issued_at)}",
        f"Order {_number(order)}",
        _placed(order),
    ]
    if paper.kind == "credit_note":
        if invoice is not None:
            facts.append(f"To invoice {_paper_number('invoice', invoice)}")
        facts.append(_CAUSES.get(paper.cause, ""))
    sheets.beside(["Sold by", *seller], facts)
    sheets.gap()
    sheets.beside(["Bought by", *_buyer(order)], [])


def _write_goods(sheets: Sheets, order: Order, paper: Paper) -> None:
    columns = [Column("What", 6), Column("Quantity", 1.3, True), Column("Price", 1.7, True)]
    columns.append(Column("Amount", 1.7, True))
    rows = [
        [
            line.title,
            str(line.quantity),
            money.words(line.unit_price, paper.currency),
            money.words(line.total, paper.currency),
        ]
        for line in order.lines
        if line.seller_id == paper.seller_id
    ]
    sheets.table(columns, rows)


def _write_units(sheets: Sheets, order: Order, paper: Paper) -> None:
    titles = {line.order_line_id: line.title for line in order.lines}
    if rows := [[titles.get(unit.order_line_id, ""), str(unit.quantity)] for unit in paper.units]:
        sheets.table([Column("What", 6), Column("Quantity", 1.3, True)], rows)


def _paid_by(order: Order, tenders: Sequence[PaidTender]) -> list[str]:
    total = money.words(order.total, order.currency)
    names = {"gift_card": "gift card •••• {}", "store_credit": "store credit"}
    return [
        f"Of the {total} of order {_number(order)}, {money.words(each.amount, order.currency)} was paid by "
        f"{names[each.kind].format(each.last4)}."
        for each in tenders
    ]


def _sums(order: Order, paper: Paper) -> list[tuple[str, str]]:
    """List the amounts of a paper, the last one of all of it."""

    def said(amount: int) -> str:
        return money.words(amount, paper.currency)

    rows = [("Goods", said(paper.price))]
    if paper.discount:
        rows.append(("Discount", said(-paper.discount)))
    if paper.shipping or paper.kind == "invoice":
        rows.append(("Delivery", said(paper.shipping)))
    rows.append((rendering.TAX_NOTES.get(order.tax_note, "Tax"), said(paper.tax)))
    paid = f"Total, paid on {rendering.day_of(order.created_at)}"
    return [*rows, (paid if paper.kind == "invoice" else "Paid back", said(paper.total))]


def _write_packing(sheets: Sheets, name: str, units: Sequence[tuple[OrderLineView, int]]) -> None:
    if rows := [[line.title, str(count)] for line, count in units if count]:
        sheets.gap(20)
        sheets.heading(name)
        sheets.table([Column("What", 6), Column("Quantity", 1.3, True)], rows)
