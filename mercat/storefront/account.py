"""Who somebody is: signing in and out, the account, wishlist, reviews; and the two fragments of the head."""

from contextlib import suppress

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mercat.accounts import Credentials, NewPerson, Session
from mercat.ids import ProductId, ReviewId
from mercat.kit import clock, codec
from mercat.kit.refusals import Forbidden, Overloaded, Refusal
from mercat.kit.rpc import Caller
from mercat.payments import declaration
from mercat.reviews import NewReview
from mercat.services import Services
from mercat.storefront import render
from mercat.storefront.buying import new_address
from mercat.storefront.visit import Visits, inside, shown_id, trouble


class Account:
    def __init__(self, visits: Visits, shop: Services) -> None:
        self._visits = visits
        self._shop = shop

    # -- the head of every page

    async def badge(self, request: Request) -> Response:
        caller = await self._visits.caller(request)
        count = 0
        if caller:
            try:
                count = await self._shop.cart.count(caller.user_id)
            except Refusal:
                count = 0  # the cart is out of reach for a moment: the link to it stays
        return self._visits.fragment(request, "badge.html", count=count)

    async def greeting(self, request: Request) -> Response:
        caller = await self._visits.caller(request)
        name = None if caller is None or caller.guest else (caller.name.split(" ")[0] or "Account")
        return self._visits.fragment(request, "greeting.html", name=name)

    # -- in and out

    async def signin(self, request: Request) -> Response:
        return await self._in(request, registering=False)

    async def register(self, request: Request) -> Response:
        return await self._in(request, registering=True)

    async def _in(
        self,
        request: Request,
        *,
        registering: bool,
        form: dict[str, str] | None = None,
        errors: dict[str, str] | None = None,
        refused: Refusal | None = None,
    ) -> Response:
        following = inside((form or {}).get("next") or request.query_params.get("next") or "/account")
        caller = await self._visits.caller(request)
        if caller and not caller.guest and request.method == "GET":
            return self._visits.go(request, following)
        return await self._visits.page(
            request,
            "signin.html",
            refused.status if refused else (422 if errors else 200),
            registering=registering,
            next=following,
            form=form or {},
            errors=errors or {},
            refused=trouble(refused) if refused else None,
            carrying=await self._shop.cart.count(caller.user_id) if caller else 0,
            demo=True,
        )

    async def do_signin(self, request: Request) -> Response:
        form = await self._visits.form(request)
        guest = await self._visits.caller(request)
        try:
            given = Credentials(form.get("email", ""), form.get("password", ""))
            session = await self._shop.accounts.sign_in(given, guest)
        except Refusal as refused:
            return await self._in(request, registering=False, form=form, refused=refused)
        await self._come_along(guest, session)
        return self._begin(request, session, form)

    async def do_register(self, request: Request) -> Response:
        form = await self._visits.form(request)
        email, password, name = (form.get(field, "") for field in ("email", "password", "name"))
        errors = {}
        if not name.strip():
            errors["name"] = "Write a name."
        if "@" not in email[1:-1]:
            errors["email"] = "Write an e-mail address, such as ann@example.com."
        if len(password) < 6:
            errors["password"] = "At least 6 characters."
        if errors:
            return await self._in(request, registering=True, form=form, errors=errors)
        caller = await self._visits.caller(request)
        guest = caller.user_id if caller and caller.guest else None
        try:
            await self._shop.accounts.register(NewPerson(email, password, name.strip()), guest)
            session = await self._shop.accounts.sign_in(Credentials(email, password), caller)
        except Refusal as refused:
            return await self._in(request, registering=True, form=form, refused=refused)
        await self._come_along(caller, session)
        return self._begin(request, session, form)

    async def _come_along(self, guest: Caller | None, session: Session) -> None:
        """A guest's cart goes with them into their account."""
        if guest and guest.guest:
            await self._shop.cart.merge(guest.user_id, session.user_id)
            with suppress(Overloaded):  # signing in does not wait for a queue that cannot be reached
                await self._shop.flashsale.adopt(guest.user_id, session.user_id)

    def _begin(self, request: Request, session: Session, form: dict[str, str]) -> Response:
        lifetime = (session.expires_at - clock.now()).total_seconds()
        self._visits.start(request, Caller(session.user_id), session.token, int(lifetime))
        return self._visits.go(request, inside(form.get("next") or "/account"))

    async def signout(self, request: Request) -> Response:
        await self._visits.form(request)
        token = self._visits.token(request)
        if token:
            await self._shop.accounts.sign_out(token)
        self._visits.end(request)
        return self._visits.go(request, "/")

    # -- the account

    async def account(
        self,
        request: Request,
        form: dict[str, str] | None = None,
        errors: dict[str, str] | None = None,
        refused: Refusal | None = None,
    ) -> Response:
        caller = await self._visits.member(request)
        return await self._visits.page(
            request,
            "account.html",
            refused.status if refused else (422 if errors else 200),
            caller=caller,
            addresses=await self._shop.accounts.addresses(caller.user_id),
            methods=await self._shop.accounts.payment_methods(caller.user_id),
            cards=render.cards(declaration(self._shop.settings)),
            countries=render.COUNTRIES,
            form=form or {},
            errors=errors or {},
            refused=trouble(refused) if refused else None,
        )

    async def add_address(self, request: Request) -> Response:
        form = await self._visits.form(request)
        caller = await self._visits.member(request)
        new, errors = new_address(form)
        if new is None:
            return await self.account(request, form, errors)
        try:
            await self._shop.accounts.add_address(caller.user_id, new)
        except Refusal as refused:
            return await self.account(request, form, refused=refused)
        return self._visits.go(request, "/account")

    async def add_method(self, request: Request) -> Response:
        form = await self._visits.form(request)
        caller = await self._visits.member(request)
        try:
            await self._shop.checkout.keep_card(caller, form.get("token", ""))
        except Refusal as refused:
            return await self.account(request, form, refused=refused)
        return self._visits.go(request, "/account")

    # -- the wishlist

    async def wishlist(self, request: Request) -> Response:
        caller = await self._visits.member(request)
        items = await self._shop.wishlist.items(caller.user_id)
        products = await self._shop.catalog.cards([item.product_id for item in items])
        return await self._visits.page(request, "wishlist.html", products=products)

    async def wish(self, request: Request) -> Response:
        form = await self._visits.form(request, everybodys=True)
        product_id = shown_id(form.get("product_id", ""), ProductId)
        caller = await self._visits.caller(request)
        if caller is None or caller.guest:
            to = f"/signin?next=/p/{product_id}"
            if request.headers.get("hx-request"):
                return self._visits.say(
                    request, "warn", "Your wishlist is kept in your account.", to, "Sign in"
                )
            return self._visits.go(request, to)
        if form.get("drop"):
            await self._shop.wishlist.drop(caller.user_id, product_id)
            return self._visits.go(request, "/wishlist")
        await self._shop.wishlist.put(caller.user_id, product_id)
        if request.headers.get("hx-request"):
            return self._visits.say(request, "good", "Saved to your wishlist.", "/wishlist", "See it")
        return self._visits.go(request, "/wishlist")

    # -- reviews

    async def review(
        self,
        request: Request,
        form: dict[str, str] | None = None,
        errors: dict[str, str] | None = None,
        refused: Refusal | None = None,
    ) -> Response:
        product_id = shown_id(request.path_params["product_id"], ProductId)
        caller = await self._visits.caller(request)
        if caller is None:
            return self._visits.go(request, f"/signin?next=/p/{product_id}/review")
        return await self._visits.page(
            request,
            "review.html",
            refused.status if refused else (422 if errors else 200),
            product=await self._shop.catalog.product(product_id),
            form=form or {},
            errors=errors or {},
            refused=trouble(refused) if refused else None,
        )

    async def write_review(self, request: Request) -> Response:
        form = await self._visits.form(request)
        product_id = shown_id(request.path_params["product_id"], ProductId)
        caller = await self._visits.caller(request)
        if caller is None:
            return self._visits.go(request, f"/signin?next=/p/{product_id}/review")
        given = {
            "stars": form.get("stars"),
            "body": form.get("body", "").strip(),
            "title": form.get("title", ""),
        }
        try:
            review = codec.convert(given, NewReview, strict=False)
        except msgspec.ValidationError:
            missing = {} if form.get("stars") else {"stars": "Choose how many stars."}
            return await self.review(request, form, missing or {"body": "Write 1 to 5,000 characters."})
        try:
            await self._shop.reviews.write(caller, product_id, review)
        except Refusal as refused:
            return await self.review(request, form, refused=refused)
        return self._visits.go(request, f"/p/{product_id}#reviews")

    async def helpful(self, request: Request) -> Response:
        form = await self._visits.form(request, everybodys=True)
        back = f"/p/{shown_id(form.get('product_id', ''), ProductId)}#reviews"
        caller = await self._visits.caller(request)
        fragment = bool(request.headers.get("hx-request"))
        if caller is None or caller.guest:
            if not fragment:
                return self._visits.go(request, f"/signin?next={back.partition('#')[0]}")
            return self._visits.say(request, "warn", "Votes need an account.", "/signin", "Sign in")
        try:
            votes = await self._shop.reviews.helpful(
                caller, shown_id(request.path_params["review_id"], ReviewId)
            )
        except Forbidden as refused:
            if not fragment:
                raise
            return self._visits.say(request, "warn", str(refused))
        if not fragment:
            return self._visits.go(request, back)
        words = (
            f"Thank you. {votes.helpful} {'person' if votes.helpful == 1 else 'people'} found this helpful."
        )
        return self._visits.say(request, "good", words)

    # -- the mailbox of the demonstration

    async def mailbox(self, request: Request) -> Response:
        mails = await self._shop.notifications.mailbox(100)
        return await self._visits.page(request, "mailbox.html", mails=mails)


def pages(visits: Visits, shop: Services) -> list[Route]:
    account = Account(visits, shop)
    return [
        visits.route("/fragments/badge", account.badge),
        visits.route("/fragments/greeting", account.greeting),
        visits.route("/signin", account.signin),
        visits.route("/signin", account.do_signin, "POST"),
        visits.route("/register", account.register),
        visits.route("/register", account.do_register, "POST"),
        visits.route("/signout", account.signout, "POST"),
        visits.route("/account", account.account),
        visits.route("/account/addresses", account.add_address, "POST"),
        visits.route("/account/methods", account.add_method, "POST"),
        visits.route("/wishlist", account.wishlist),
        visits.route("/wishlist", account.wish, "POST"),
        visits.route("/p/{product_id}/review", account.review),
        visits.route("/p/{product_id}/review", account.write_review, "POST"),
        visits.route("/reviews/{review_id}/helpful", account.helpful, "POST"),
        visits.route("/dev/mail", account.mailbox),
    ]
