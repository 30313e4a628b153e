"""Cards that a shopper gives at checkout: known to payments, and kept among the account's ways to pay."""

from mercat.checkout.neighbours import Neighbours
from mercat.ids import PaymentMethodId
from mercat.kit.rpc import Caller


class SavedCards:
    """Payments say how a card is charged, accounts keep whose it is."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._accounts = neighbours.accounts
        self._payments = neighbours.payments

    async def keep_card(
        self,
        caller: Caller,
        token: str,
        *,
        once: bool = False,
        listed: bool = True,
        default: bool = False,
    ) -> PaymentMethodId:
        """Keep a provider's token as a way to pay; the same one again is the same way. A guest's may be for
        one purchase, as is one that is kept `once`; one that is not `listed` is, until it has paid.
        `default`: it is suggested first from now on."""
        method_id = await self._kept(caller, token, once, listed)
        if default:
            await self._accounts.choose_payment_method(caller.user_id, method_id, True)
        return method_id

    async def _kept(self, caller: Caller, token: str, once: bool, listed: bool) -> PaymentMethodId:
        owner = None if caller.guest or once else caller.user_id
        card = await self._payments.keep_card(token, owner)
        for known in await self._accounts.payment_methods(caller.user_id):
            if known.token == card.token:
                return known.payment_method_id
        single_use = card.single_use or not listed
        return await self._accounts.add_payment_method(
            caller.user_id, card.token, card.brand, card.last4, single_use
        )
