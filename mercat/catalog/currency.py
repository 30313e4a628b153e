"""The shop's own currency: kept in its database, known to whoever opens it."""

import os

import asyncpg
from msgspec.structs import replace

from mercat.kit import sql
from mercat.settings import Settings, WrongSetting

queries = sql.load("mercat.catalog")
_VARIABLE = "MERCAT_CURRENCY"


async def own_currency(db: asyncpg.Pool | asyncpg.Connection, settings: Settings) -> Settings:
    """Return the settings with the currency that the shop was first opened with.

    WrongSetting, with both names, where somebody says another one."""
    own = await db.fetchval(queries.own_currency, settings.currency)
    if own in (None, settings.currency):  # None: another process opens it first at this moment
        return settings
    if _VARIABLE in os.environ or settings.currency != Settings().currency:
        raise WrongSetting(
            f"This shop sells in {own}, and {_VARIABLE} says {settings.currency}. Leave {_VARIABLE} out, or "
            f"open another shop (--data) to sell in {settings.currency}."
        )
    return replace(settings, currency=own)
