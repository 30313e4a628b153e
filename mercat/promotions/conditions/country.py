"""For what goes to these countries (ISO 3166-1). Until it is known where something goes, it may go there."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from mercat.addresses import is_country
from mercat.countries import CapitalCode
from mercat.promotions.kinds import ShopperFacts
from mercat.promotions.messages import MEMBERS_MAX, PricedGoods

NAME = "country"
WHY = "not_for_you"
Value = Annotated[list[CapitalCode], Meta(min_length=1, max_length=MEMBERS_MAX)]


def holds(value: list[str], matching: Sequence[PricedGoods], shopper: ShopperFacts) -> bool:
    """Say whether things go to one of these countries."""
    return shopper.country is None or shopper.country in value


def problem(value: list[str]) -> str | None:
    """Say what is no country."""
    unknown = [code for code in value if not is_country(code)]
    return f"There is no country {unknown[0]} (ISO 3166-1)." if unknown else None
