"""What a page can do without."""

from collections.abc import Awaitable
from typing import TypeVar

from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Refusal

Shown = TypeVar("Shown")


async def unless_away(asked: Awaitable[Shown]) -> Shown | None:
    """Await what was asked; answer None where it is refused or away."""
    try:
        return await asked
    except (Refusal, *AWAY):
        return None
