"""What a cart comes to today, and what stands between it and buying: decisions without IO."""

from collections.abc import Mapping, Sequence

from msgspec import structs

from mercat.cart.messages import AppliedGiftCard, BasketLine, CartLine, CartView, LineProblem
from mercat.catalog import Offer, quantity_problem
from mercat.ids import GiftCardId, OfferId
from mercat.inventory import Stock
from mercat.money import GIFT_CARD_CLASS
from mercat.payments import Spendable

_TOO_FEW = ("sold_out", "not_enough")


def lines_today(lines: Sequence[BasketLine], offers: Mapping[OfferId, Offer]) -> list[CartLine]:
    """Price the lines as of today; what is not offered any more is left out."""
    return [_priced(line, offers[line.offer_id]) for line in lines if line.offer_id in offers]


def problems_of(
    lines: Sequence[BasketLine], offers: Mapping[OfferId, Offer], stock: Mapping[OfferId, Stock]
) -> list[LineProblem]:
    """List what stands between these lines and buying them."""
    problems: list[LineProblem] = []
    for line in lines:
        if offer := offers.get(line.offer_id):
            shelf = stock.get(line.offer_id)
            problems += _problems(line, offer, shelf.available if shelf else 0)
    return problems


def applied(gift_cards: Sequence[GiftCardId], known: Sequence[Spendable], due: int) -> list[AppliedGiftCard]:
    """Say what each gift card pays of what is due, one after the other."""
    spendable = {each.value_id: each for each in known}
    found: list[AppliedGiftCard] = []
    for card_id in gift_cards:
        if card := spendable.get(card_id):
            pays = min(card.balance, due) if card.usable else 0
            due -= pays
            found.append(AppliedGiftCard(card_id, card.last4, card.balance, pays))
    return found


def with_gifts(view: CartView, gifts: Sequence[CartLine]) -> CartView:
    """Show what comes along for nothing; its price is a part of the discount."""
    if not gifts:
        return view
    more = sum(each.line_total for each in gifts)
    return structs.replace(view, items=[*view.items, *gifts], subtotal=view.subtotal + more)


def with_discount(view: CartView, discount: int) -> CartView:
    """Let gift cards pay what is due after a discount alone."""
    left, cards = view.subtotal - discount, list[AppliedGiftCard]()
    for card in view.gift_cards:
        cards.append(structs.replace(card, applies=min(card.applies, left)))
        left -= cards[-1].applies
    return structs.replace(view, gift_cards=cards)


def with_held(view: CartView, held: Mapping[OfferId, int]) -> CartView:
    """Count what is held for a purchase of one's own as there: it does not stand against one."""
    wanted = {item.offer_id: item for item in view.items}
    problems: list[LineProblem] = []
    for problem in view.problems:
        item = wanted.get(problem.offer_id)
        if item is None or problem.code not in _TOO_FEW or problem.offer_id not in held:
            problems.append(problem)
        elif (left := (problem.available or 0) + held[problem.offer_id]) < item.quantity:
            problems.append(_too_few(problem.offer_id, item.title, left))
    return structs.replace(view, problems=problems)


def _priced(line: BasketLine, offer: Offer) -> CartLine:
    return CartLine(
        product_id=offer.product_id,
        offer_id=offer.offer_id,
        title=offer.title,
        quantity=line.quantity,
        price=offer.price,
        price_at_add=line.price_at_add,
        line_total=offer.price * line.quantity,
        image_url=offer.image_url,
        seller_id=offer.seller_id,
        seller_name=offer.seller_name,
        was_price=offer.was_price,
        is_gift_card=offer.tax_class == GIFT_CARD_CLASS,
        quantity_rules=offer.quantity_rules,
    )


def _problems(line: BasketLine, offer: Offer, left: int) -> list[LineProblem]:
    problems: list[LineProblem] = []
    offer_id, title = offer.offer_id, offer.title
    if offer.status != "active":
        problems.append(LineProblem("not_for_sale", offer_id, f"{title} is not for sale any more.", 0))
    elif left == 0:
        problems.append(LineProblem("sold_out", offer_id, f"{title} is sold out.", 0))
    elif left < line.quantity:
        problems.append(_too_few(offer_id, title, left))
    if refused := quantity_problem(offer.quantity_rules, line.quantity):
        code, wanted = refused
        words = f"{title} is sold in certain quantities: {wanted}."
        problems.append(LineProblem(code, offer_id, words, quantity_rules=offer.quantity_rules))
    if offer.price != line.price_at_add:
        words = f"The price of {title} has changed since you added it."
        problems.append(LineProblem("price_changed", offer_id, words, price=offer.price))
    return problems


def _too_few(offer_id: OfferId, title: str, left: int) -> LineProblem:
    return LineProblem("not_enough", offer_id, f"Only {left} of {title} left.", left)
