from contextlib import suppress

from starlette.requests import Request

from mercat.accounts import Credentials, NewAddress, NewPerson, Session
from mercat.gateway import shapes
from mercat.gateway.door import expired_cookie, session_cookie, token_of
from mercat.ids import UserId
from mercat.kit import clock
from mercat.kit.refusals import Overloaded
from mercat.kit.rpc import Answer, Caller
from mercat.services import Services


class People:
    """Who somebody is, where they live and how they pay."""

    def __init__(self, shop: Services) -> None:
        self._shop = shop

    async def register(self, caller: Caller | None, account: shapes.NewAccount) -> shapes.AccountMade:
        """Opens an account. It starts no session; what a guest has in the cart comes along."""
        guest = _guest(caller)
        person = NewPerson(account.email, account.password, account.name)
        user_id = await self._shop.accounts.register(person, guest)
        if guest is not None:
            await self._shop.cart.merge(guest, user_id)
            await self._keep_places(guest, user_id)
        return shapes.AccountMade(user_id)

    async def sign_in(self, caller: Caller | None, credentials: shapes.SignIn) -> Answer:
        """Starts a session: the token for programs, the same as a cookie for browsers."""
        given = Credentials(credentials.email, credentials.password)
        session = await self._shop.accounts.sign_in(given, caller)
        if session.guest is not None:
            await self._shop.cart.merge(session.guest, session.user_id)
            await self._keep_places(session.guest, session.user_id)
        return self._begun(session)

    async def guest(self) -> Answer:
        """Starts a guest's session: all that buying needs."""
        return self._begun(await self._shop.accounts.guest())

    async def me(self, caller: Caller) -> shapes.Me:
        """Who this session is."""
        return shapes.Me(caller.user_id, caller.name, caller.email, sorted(caller.roles), caller.seller_id)

    async def sign_out(self, caller: Caller, request: Request) -> Answer:
        """Ends this session."""
        await self._shop.accounts.sign_out(token_of(request))
        return Answer({}, headers={"Set-Cookie": expired_cookie(secure=self._shop.settings.secure_cookies)})

    async def addresses(self, caller: Caller) -> shapes.AddressesShown:
        """One's own addresses."""
        return shapes.AddressesShown(await self._shop.accounts.addresses(caller.user_id))

    async def add_address(self, caller: Caller, address: NewAddress) -> shapes.AddressMade:
        """Keeps an address to send to."""
        return shapes.AddressMade(await self._shop.accounts.add_address(caller.user_id, address))

    async def payment_methods(self, caller: Caller) -> shapes.PaymentMethodsShown:
        """One's own ways to pay."""
        return shapes.PaymentMethodsShown(await self._shop.accounts.payment_methods(caller.user_id))

    async def add_payment_method(
        self, caller: Caller, method: shapes.PaymentMethodAsk
    ) -> shapes.PaymentMethodMade:
        """Keeps a way to pay, by the provider's token: never a card's number. Where a token works once, a
        guest's is for one purchase, and is not listed."""
        return shapes.PaymentMethodMade(await self._shop.checkout.keep_card(caller, method.token))

    async def _keep_places(self, guest: UserId, member: UserId) -> None:
        """Places in queues come along. Signing in does not wait for a queue that cannot be reached."""
        with suppress(Overloaded):
            await self._shop.flashsale.adopt(guest, member)

    def _begun(self, session: Session) -> Answer:
        lifetime_s = int((session.expires_at - clock.now()).total_seconds())
        cookie = session_cookie(session.token, lifetime_s, secure=self._shop.settings.secure_cookies)
        shown = shapes.SessionShown(session.token, session.user_id, session.expires_at)
        return Answer(shown, headers={"Set-Cookie": cookie})


def _guest(caller: Caller | None) -> UserId | None:
    return caller.user_id if caller and caller.guest else None
