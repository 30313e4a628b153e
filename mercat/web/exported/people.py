"""People taken out: who has an account, with the address that is their default. No passwords, no cards."""

from collections.abc import AsyncIterator
from typing import Any

from mercat.ids import SellerId, UserId
from mercat.shop import Shop
from mercat.web.table_query import csv_lines

_PAGE = 500
_PERSON = ["user_id", "email", "name", "email_verified", "created_at", "disabled_at", "roles"]
_ADDRESS = ["name", "line1", "line2", "city", "region", "postal_code", "country", "phone"]


async def table(shop: Shop, seller_id: SellerId | None) -> AsyncIterator[bytes]:
    """Write people as CSV, one a row; the roles stand with spaces between them."""
    rows = (
        [
            *(" ".join(each[name]) if name == "roles" else each[name] for name in _PERSON),
            *(each["address"].get(name, "") for name in _ADDRESS),
        ]
        async for each in objects(shop, seller_id)
    )
    async for lines in csv_lines([*_PERSON, *(f"address_{name}" for name in _ADDRESS)], rows):
        yield lines


async def objects(shop: Shop, _: SellerId | None) -> AsyncIterator[dict[str, Any]]:
    """Yield people, the newest first."""
    before: UserId | None = None
    while page := await shop.accounts.exported_people(before, _PAGE):
        for person in page:
            yield {
                "user_id": str(person.user_id),
                "email": person.email,
                "name": person.name,
                "email_verified": person.email_verified,
                "created_at": person.created_at.isoformat(),
                "disabled_at": person.disabled_at.isoformat() if person.disabled_at else "",
                "roles": person.roles,
                "address": person.address,
            }
        before = page[-1].user_id
