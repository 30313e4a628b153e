from mercat import ids
from mercat.accounts import Accounts, Credentials, EmailTaken, NewPerson, Session
from mercat.cart import Cart
from mercat.checkout import Checkout
from mercat.flashsale import FlashSales
from mercat.ids import SellerId, UserId
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Overloaded, SignInFirst
from mercat.kit.rpc import Caller
from mercat.membership.messages import JoinRequest, SignInRequest
from mercat.reviews import Reviews
from mercat.sellers import Seller, SellerName, Sellers
from mercat.wishlist import Wishlist


class Membership:
    def __init__(
        self,
        accounts: Accounts,
        cart: Cart,
        checkout: Checkout,
        flashsale: FlashSales,
        reviews: Reviews,
        sellers: Sellers,
        wishlist: Wishlist,
    ) -> None:
        self._accounts = accounts
        self._cart = cart
        self._checkout = checkout
        self._flashsale = flashsale
        self._reviews = reviews
        self._sellers = sellers
        self._wishlist = wishlist

    async def register(self, caller: Caller | None, person: NewPerson) -> UserId:
        """Open an account, and bring along what a guest has.

        Where there is one with this e-mail address, the answer is alike and its owner is written to.
        It starts no session. After a crash the account stands, and signing in brings the rest along."""
        try:
            user_id = await self._accounts.register(person)
        except EmailTaken:
            return ids.new(UserId)
        await self._bring_along(caller, user_id)
        return user_id

    async def join(self, caller: Caller | None, request: JoinRequest) -> Session:
        """Open an account and start a session of it; where there is one with this password, of that one.

        WrongPassword where there is one with another password: its owner was written to."""
        try:
            person = NewPerson(request.email, request.password, request.name, request.network)
            user_id = await self._accounts.register(person)
        except EmailTaken:
            given = request.email, request.password, request.guest_token
            asked = SignInRequest(*given, agent=request.agent, network=request.network)
            return await self.sign_in(caller, asked)
        return await self._enter(caller, user_id, request.guest_token, request.agent)

    async def sign_in(self, caller: Caller | None, request: SignInRequest) -> Session:
        """Start a session, once what a guest has was brought along.

        WrongPassword, TooManyRequests; TwoFactorRequired and WrongCode for who has a second step."""
        given = request.email, request.password, request.code, request.ticket, request.network
        user_id = await self._accounts.verify(Credentials(*given))
        return await self._enter(caller, user_id, request.guest_token, request.agent)

    async def become_seller(self, caller: Caller, name: SellerName) -> SellerId:
        """Make a member a seller, at once and in their running sessions; again they are the same seller."""
        if caller.guest:
            raise SignInFirst
        seller_id = await self._sellers.register(caller.user_id, name)
        await self._accounts.grant(caller.user_id, "seller", seller_id)
        return seller_id

    async def assign_seller(self, seller_id: SellerId, email: str) -> Seller:
        """Give a seller that nobody has to the person with this e-mail address, in running sessions too."""
        user_id = await self._accounts.find(email)
        seller = await self._sellers.assign(seller_id, user_id)
        await self._accounts.grant(user_id, "seller", seller_id)
        return seller

    async def seller_of_email(self, email: str, name: str | None = None) -> SellerId:
        """Find the seller that somebody is; who is none becomes one, of this name or their own."""
        user_id = await self._accounts.find(email)
        seller = await self._sellers.of_user(user_id)
        if seller is None:
            called = name or (await self._accounts.person(user_id)).name
            seller = await self._sellers.seller(await self._sellers.by_name(called, user_id))
        await self._accounts.grant(user_id, "seller", seller.seller_id)
        return seller.seller_id

    async def _enter(self, caller: Caller | None, user_id: UserId, guest_token: str, agent: str) -> Session:
        """Bring along what a guest has, then start the session, then end the guest's.

        Whoever is cut off before the end comes back as the guest, and signs in again."""
        everything = await self._bring_along(caller, user_id)
        session = await self._accounts.begin_session(user_id, agent)
        if caller and caller.guest and everything and guest_token:
            await self._accounts.sign_out(guest_token)
        return session

    async def _bring_along(self, caller: Caller | None, user_id: UserId) -> bool:
        """Hand over to their account what a guest has: cart, purchases that run, places in queues, wishlist,
        the right to review, orders and addresses.

        Answers whether all of it came: signing in does not wait for what a shop can do without. Where that
        cannot be reached the guest's session stays, so that the next sign-in can bring it. The claim comes
        last: after it, a guest whose session was lost cannot come back for the rest."""
        if caller is None or not caller.guest:
            return True
        guest_id, everything = caller.user_id, True
        await self._cart.merge(guest_id, user_id)
        services = self._checkout, self._flashsale, self._wishlist, self._reviews
        for adopt in (service.adopt for service in services):
            try:
                await adopt(guest_id, user_id)
            except (Overloaded, *AWAY):
                everything = False
        await self._accounts.claim(guest_id, user_id)
        return everything
