"""What checkout asks before it begins, in every process that sells."""

from collections.abc import Collection
from contextlib import suppress
from hashlib import sha256

from mercat.flashsale.messages import Claim, FlashPassInvalid, SaleOffer
from mercat.flashsale.service import FlashSales
from mercat.ids import CheckoutId, OfferId
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Overloaded
from mercat.kit.snapshot import Snapshot
from mercat.orders import NewOrder

_FRESH_S = 1.0
_STALE_S = 5.0


class CheckoutGate:
    """Admit orders to checkout. It knows which offers are sold in sales alone, as of a second ago; an order
    without one of these costs a look into a dictionary."""

    def __init__(self, sales: FlashSales) -> None:
        self._sales = sales
        self._offers = Snapshot(self._sale_offers, _FRESH_S, waits_s=_STALE_S, keeps_s=_STALE_S)

    async def watched(self) -> Collection[OfferId]:
        """Answer the offers that are sold in sales alone."""
        return await self._offers.get()

    async def admit(self, order: NewOrder, card: str, flash_pass: str | None) -> str | None:
        """Answer the name of the pass that is used, if one is needed; raise NotAdmitted."""
        offers = await self._offers.get()
        if not offers:
            return None
        wanted = {line.offer_id: line.quantity for line in order.lines if line.offer_id in offers}
        if not wanted:
            return None
        if len(wanted) > 1:
            raise FlashPassInvalid("Buy what is on sale in different flash sales one at a time.")
        [(offer_id, quantity)] = wanted.items()
        claim = Claim(
            sale_id=offers[offer_id].sale_id,
            place=0,
            user_id=order.user_id,
            checkout_id=order.checkout_id,
            quantity=quantity,
            card=_hidden(card),
            address=_hidden(_door(order.address)),
        )
        return await self._sales.claim(claim, flash_pass or "") or None

    async def give_back(self, name: str, checkout_id: CheckoutId) -> None:
        """Give back the turn of a checkout that did not begin, for its key or its cart is another's.

        What cannot be given back at once the sale's runner gives back."""
        with suppress(Overloaded, *AWAY):
            await self._sales.give_back(name, checkout_id)

    async def _sale_offers(self) -> dict[OfferId, SaleOffer]:
        return {each.offer_id: each for each in await self._sales.sale_offers()}


def _door(address: dict[str, str]) -> str:
    """Reduce an address to where a parcel ends up, however it was typed."""
    parts = (address.get(part, "") for part in ("line1", "line2", "postal_code", "country"))
    return "".join(char for part in parts for char in part.casefold() if char.isalnum())


def _hidden(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
