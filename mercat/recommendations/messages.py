"""Limits of recommendations, which are asked by ids and answer ids."""

from typing import Annotated

from msgspec import Meta

SHELF_MAX = 100
CountryCode = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z", extra={"words": "Two capital letters: DE."})]
