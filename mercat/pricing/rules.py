"""The one calculator: what a basket comes to. Decisions without IO, in integers.

Steps: goods, reductions in their order, delivery by part, tax. A reduction takes at most what is left of a
line or a delivery. Tax is rounded on all that has the same rate, or on each line; where it is rounded on all,
the lines' shares are by largest remainder, so that they add up to it. Who owes no tax where prices include it
pays them without it: it is taken out first, of a unit, of a delivery and of what is taken off.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec import structs

from mercat import money
from mercat.events import AppliedDiscount
from mercat.pricing.messages import (
    LineTotal,
    PartTotal,
    PricedBasket,
    Reduction,
    Rounding,
    TaxedBy,
    TaxNote,
    Totals,
)
from mercat.pricing.tax_provider import TaxAnswer, TaxQuestion


class TaxRates(NamedTuple):
    """How a destination taxes, in parts per million: by class of goods, else `standard`; and delivery.

    `included`: prices have the tax in them already; `taken_out`: it is not owed, so it comes out of them."""

    standard: int = 0
    by_class: Mapping[str, int] = {}
    shipping: int = 0
    included: bool = False
    rounding: Rounding = "half_up"
    taxed_by: TaxedBy = "total"
    note: TaxNote = ""
    taken_out: bool = False
    said: TaxAnswer | None = None
    """What a provider says of this basket, instead of rates."""


def total(basket: PricedBasket, rates: TaxRates) -> Totals:
    """Add up a basket at a destination that taxes so."""
    if not rates.taken_out:
        return _total(basket, rates)
    net = _without_tax(basket, rates)
    totals = _total(net, TaxRates(rounding=rates.rounding, taxed_by=rates.taxed_by, note=rates.note))
    lines = zip(totals.lines, net.lines, strict=True)
    return structs.replace(
        totals, lines=[structs.replace(each, unit_price=line.unit_price) for each, line in lines]
    )


def tax_question(basket: PricedBasket, rates: TaxRates) -> TaxQuestion:
    """Say what a tax provider is asked of a basket: what is taxable of it, by class. Gift cards are money."""
    _, taxable = _taxable(basket)
    goods: dict[str, int] = {}
    for line, amount in zip(basket.lines, taxable, strict=False):
        if line.tax_class != money.GIFT_CARD_CLASS:
            goods[line.tax_class] = goods.get(line.tax_class, 0) + amount
    return TaxQuestion(
        goods,
        sum(taxable[len(basket.lines) :]),
        basket.currency,
        basket.country.upper(),
        basket.region,
        basket.postal_code,
        rates.included,
    )


def is_answer(question: TaxQuestion, answer: TaxAnswer) -> bool:
    """Say whether an answer can be one: for each class that was asked, and no more than its amount."""
    return (
        answer.goods.keys() == question.goods.keys()
        and all(0 <= answer.goods[kind] <= amount for kind, amount in question.goods.items())
        and 0 <= answer.shipping <= question.shipping
    )


def _taxable(basket: PricedBasket) -> tuple["_Off", list[int]]:
    """Say what is taken off a basket, and what is left of each line and each delivery."""
    amounts = _amounts(basket)
    deliveries = [part.shipping for part in basket.parts]
    off = _take_off(basket.reductions, amounts, deliveries)
    if not basket.reductions:
        return off, amounts + deliveries
    return off, [
        *map(int.__sub__, amounts, off.lines),
        *map(int.__sub__, deliveries, off.parts),
    ]


def _total(basket: PricedBasket, rates: TaxRates) -> Totals:
    off, taxable = _taxable(basket)
    ppm = [rates.by_class.get(line.tax_class, rates.standard) for line in basket.lines]
    ppm += [rates.shipping] * len(basket.parts)
    step = money.step(basket.currency)
    if rates.said is None:
        taxes = _taxes(taxable, ppm, rates, step)
    else:
        taxes = _said_taxes([line.tax_class for line in basket.lines], taxable, rates.said, step)
        taxed = zip(taxes, taxable, strict=True)
        ppm = [_ppm_of(tax, amount, included=rates.included) for tax, amount in taxed]
    shop_taxes = _shop_taxes(taxable, off, ppm, rates, step) if rates.included else [0] * len(taxable)
    n_lines = len(basket.lines)
    discount, shipping, tax = sum(off.lines), sum(taxable[n_lines:]), sum(taxes)
    goods = sum(taxable) - shipping
    return Totals(
        subtotal=goods + discount,
        discount=discount,
        shipping=shipping,
        tax=tax,
        total=goods + shipping + (0 if rates.included else tax),
        lines=list(map(LineTotal, off.lines, off.by_sellers, taxes, shop_taxes)),
        parts=[
            PartTotal(part.seller_id, *each)
            for part, *each in zip(
                basket.parts,
                taxable[n_lines:],
                off.waived,
                taxes[n_lines:],
                shop_taxes[n_lines:],
                strict=True,
            )
        ],
        tax_included=rates.included,
        discounts=off.applied,
        tax_note=rates.note,
        rounding=rates.rounding,
        taxed_by=rates.taxed_by,
    )


def _without_tax(basket: PricedBasket, rates: TaxRates) -> PricedBasket:
    """Take the tax out of prices that include it: of a unit, of each delivery, and in proportion of what is
    taken off, so that what is free stays free."""
    step = money.step(basket.currency)

    def net(amount: int, ppm: int) -> int:
        return amount - money.tax_within(amount, ppm, step, rates.rounding)

    lines = [
        structs.replace(
            line, unit_price=net(line.unit_price, rates.by_class.get(line.tax_class, rates.standard))
        )
        for line in basket.lines
    ]
    parts = [structs.replace(part, shipping=net(part.shipping, rates.shipping)) for part in basket.parts]
    of_lines = _InProportion(_amounts(basket), _amounts(structs.replace(basket, lines=lines)), step)
    of_parts = _InProportion(
        [each.shipping for each in basket.parts], [each.shipping for each in parts], step
    )
    reductions = [
        structs.replace(each, lines=of_lines.take(each.lines), parts=of_parts.take(each.parts))
        for each in basket.reductions
    ]
    return structs.replace(basket, lines=lines, parts=parts, reductions=reductions)


class _InProportion:
    """Turns what is taken off amounts into what is taken off smaller ones."""

    def __init__(self, amounts: list[int], smaller: list[int], step: int) -> None:
        self._amounts, self._smaller, self._step = amounts, smaller, step
        self._taken = [0] * len(amounts)

    def take(self, asked: Sequence[int]) -> list[int]:
        before = list(map(self._off, range(len(asked))))
        _take(asked, self._taken, self._amounts)
        return [self._off(n) - off for n, off in enumerate(before)]

    def _off(self, n: int) -> int:
        if not self._amounts[n]:
            return 0
        return self._smaller[n] * self._taken[n] // (self._amounts[n] * self._step) * self._step


def _amounts(basket: PricedBasket) -> list[int]:
    return [line.unit_price * line.quantity for line in basket.lines]


class _Off(NamedTuple):
    """What is taken off each line, and what of that sellers bear; what off each delivery, and what of that
    the shop pays."""

    lines: list[int]
    by_sellers: list[int]
    parts: list[int]
    waived: list[int]
    applied: list[AppliedDiscount]


def _take_off(reductions: Sequence[Reduction], amounts: Sequence[int], deliveries: Sequence[int]) -> _Off:
    off = _Off([0] * len(amounts), [0] * len(amounts), [0] * len(deliveries), [0] * len(deliveries), [])
    for reduction in reductions:
        taken = _take(reduction.lines, off.lines, amounts)
        waived = _take(reduction.parts, off.parts, deliveries)
        borne, each = (off.by_sellers, taken) if reduction.by_seller else (off.waived, waived)
        for n, amount in enumerate(each):
            borne[n] += amount
        goods, shipping = sum(taken), sum(waived)
        if goods or shipping:
            discount = reduction.discount
            if (goods, shipping) != (discount.amount, discount.shipping):
                discount = structs.replace(discount, amount=goods, shipping=shipping)
            off.applied.append(discount)
    return off


def _take(asked: Sequence[int], taken: list[int], amounts: Sequence[int]) -> list[int]:
    """Take off what is left of what is asked, note it, and answer it."""
    if not any(asked):
        return [0] * len(asked)
    now = [min(part, amounts[n] - taken[n]) for n, part in enumerate(asked)]
    for n, amount in enumerate(now):
        taken[n] += amount
    return now


def _taxes(taxable: Sequence[int], ppm: Sequence[int], rates: TaxRates, step: int) -> list[int]:
    """Answer the tax on each amount, at its rate."""
    compute: Callable[[int, int, int, Rounding], int] = money.tax_within if rates.included else money.tax
    taxes = [0] * len(taxable)
    if not any(ppm):
        return taxes
    for rate, places in _together(ppm, rates.taxed_by):
        own = [taxable[n] for n in places]
        whole = compute(sum(own), rate, step, rates.rounding)
        for n, share in zip(places, money.allocate(whole // step, own), strict=True):
            taxes[n] = share * step
    return taxes


def _said_taxes(classes: Sequence[str], taxable: Sequence[int], said: TaxAnswer, step: int) -> list[int]:
    """Part what a provider says among the lines of each class and the deliveries, by largest remainder."""
    taxes = [0] * len(taxable)
    shipping = range(len(classes), len(taxable))
    parts = [(said.shipping, shipping)] + [
        (tax, [n for n, each in enumerate(classes) if each == kind]) for kind, tax in said.goods.items()
    ]
    for tax, places in parts:
        shares = money.allocate(tax // step, [taxable[n] for n in places])
        for n, share in zip(places, shares, strict=True):
            taxes[n] = share * step
    return taxes


def _ppm_of(tax: int, amount: int, *, included: bool) -> int:
    """Say at which rate an amount was taxed, in parts per million."""
    net = amount - tax if included else amount
    return tax * 1_000_000 // net if net else 0


def _shop_taxes(
    taxable: Sequence[int], off: _Off, ppm: Sequence[int], rates: TaxRates, step: int
) -> list[int]:
    """Answer the tax within what the shop bears of each amount; prices include it.

    With the tax that is collected it is the tax within what sellers are paid for, so a discount of the shop
    changes nothing for them. It is never more than the shop bears."""
    taxes = [0] * len(taxable)
    by_shop = [*map(int.__sub__, off.lines, off.by_sellers), *off.waived]
    for rate, places in _together(ppm, rates.taxed_by):
        borne = [by_shop[n] for n in places]
        collected = sum(taxable[n] for n in places)
        within, less = (
            money.tax_within(amount, rate, step, rates.rounding)
            for amount in (collected + sum(borne), collected)
        )
        for n, share in zip(places, money.allocate((within - less) // step, borne), strict=True):
            taxes[n] = share * step
    return taxes


def _together(ppm: Sequence[int], taxed_by: TaxedBy) -> list[tuple[int, list[int]]]:
    """Answer which places are rounded together, with their rate: those of one rate, or each by itself."""
    if taxed_by == "line":
        return [(rate, [n]) for n, rate in enumerate(ppm)]
    return [(rate, [n for n, each in enumerate(ppm) if each == rate]) for rate in sorted(set(ppm))]
