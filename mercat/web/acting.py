"""Operators act for a seller that nobody has: by the header `Seller` in the API, by a cookie at the desk."""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace
from starlette.requests import Request

from mercat import ids
from mercat.ids import SellerId
from mercat.kit.refusals import Forbidden, NotFound
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.context import context_of

_COOKIE = "mercat_acting"
_HOURS_S = 8 * 3600
_API, _DESK = "/api/v1/seller/", "/desk"
Act = Callable[[Request, Caller], Awaitable[Caller]]


def acting(shop: Shop) -> Act:
    """Make what lets an operator be the seller that a request names; others are who they are."""

    async def act(request: Request, caller: Caller) -> Caller:
        path = request.scope["path"]
        if path.startswith(_API):
            named = request.headers.get("seller", "")
        elif path.startswith(_DESK) and "operator" in caller.roles:
            named = request.cookies.get(_COOKIE, "")
        else:
            return caller
        if not named:
            return caller
        if "operator" not in caller.roles:
            raise Forbidden("Only an operator may act for a seller.")
        try:
            seller_id = ids.parse(SellerId, named)
        except ValueError:
            raise NotFound("There is no such seller.") from None
        seller = await shop.sellers.seller(seller_id)
        if seller.user_id is not None:
            raise Forbidden("This seller has people of their own.")
        return replace(caller, roles=caller.roles | {"seller"}, seller_id=seller_id)

    return act


def act_for(request: Request, seller_id: SellerId) -> None:
    """Let this browser's desk be the seller's, for a working day."""
    _set(request, str(seller_id), _HOURS_S)


def stop_acting(request: Request) -> None:
    """Give this browser's desk back."""
    _set(request, "", 0)


def _set(request: Request, value: str, lifetime_s: int) -> None:
    context = context_of(request)
    secure = "; Secure" if context.secure else ""
    context.cookie = f"{_COOKIE}={value}; Path=/; Max-Age={lifetime_s}; HttpOnly; SameSite=Lax{secure}"
