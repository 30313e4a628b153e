"""What a promotion does, in plain words for shoppers: "10 % off tea", "from $30.00"."""

from collections.abc import Callable
from typing import Any

from mercat import money
from mercat.promotions.messages import Promotion

_OF_GOODS = ("category", "brand", "tag")
"""Conditions whose names say what the goods are."""


def does_in_words(promotion: Promotion, currency: str) -> str:
    """Say what a promotion takes off what, or what comes along."""
    [(kind, value)] = promotion.then.items()
    goods = _goods(promotion)
    say = _SAYINGS.get(kind)
    return say(value, goods, currency) if say else kind.replace("_", " ")


def asks_in_words(promotion: Promotion, currency: str) -> list[str]:
    """Say what a promotion asks for beside its goods."""
    when = promotion.when
    found: list[str] = []
    if least := when.get("min_subtotal"):
        found.append(f"from {money.words(least, currency)}")
    if units := when.get("min_quantity"):
        found.append(f"from {units} units")
    if when.get("first_order"):
        found.append("on a first order")
    if countries := when.get("country"):
        found.append("to " + ", ".join(countries))
    return found


def _goods(promotion: Promotion) -> str:
    names = [str(name) for kind in _OF_GOODS for name in promotion.when.get(kind, [])]
    return ", ".join(name.rpartition("/")[2].replace("-", " ") for name in names)


def _percent(value: float, goods: str, currency: str) -> str:
    return f"{value:g} % off{_after(goods)}"


def _amount(value: int, goods: str, currency: str) -> str:
    return f"{money.words(value, currency)} off{_after(goods)}"


def _fixed_price(value: int, goods: str, currency: str) -> str:
    return f"{goods + ' for ' if goods else ''}{money.words(value, currency)} each"


def _free_shipping(value: bool, goods: str, currency: str) -> str:
    return f"free delivery{' of ' + goods if goods else ''}"


def _buy(value: dict[str, Any], goods: str, currency: str) -> str:
    off = value.get("percent", 100)
    less = "free" if off == 100 else f"at {off:g} % off"
    return f"buy {value['quantity']}{_after(goods)}, get {value['get']} {less}"


def _gift(value: Any, goods: str, currency: str) -> str:
    return f"a gift{' with ' + goods if goods else ''}"


def _after(goods: str) -> str:
    return f" {goods}" if goods else ""


_SAYINGS: dict[str, Callable[[Any, str, str], str]] = {
    "percent": _percent,
    "amount": _amount,
    "fixed_price": _fixed_price,
    "free_shipping": _free_shipping,
    "buy": _buy,
    "gift": _gift,
}
