"""How many of an offer one line of a cart or an order holds."""

from typing import Annotated

from msgspec import Meta

QUANTITY_MAX = 9_999
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
