"""Keys that a seller makes for programs."""

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.accounts import ApiKey, ApiKeyName, MadeApiKey, NewApiKey, Scope, Scopes
from mercat.ids import ApiKeyId
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.desk.page import desk_page, seller_of
from mercat.web.desk.products import seller_id_of
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.idempotency import form_key, key_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit, page_of

_SCOPES: dict[Scope, str] = {
    "catalog:read": "Read products and offers",
    "catalog:write": "Add and change products, prices and offers",
    "stock:write": "Read and set stock",
    "orders:read": "Read orders, with names and addresses",
    "orders:write": "Ship, track, cancel and refund",
    "webhooks": "Set up webhooks",
}


class ApiKeysShown(Struct, frozen=True):
    api_keys: list[ApiKey]
    next_cursor: ApiKeyId | None


class KeyEnded(Struct, frozen=True):
    """Nothing more is said."""


class ApiKeyForm(Struct, frozen=True):
    """What the page asks of a new key; `scopes` are boxes that are ticked."""

    name: ApiKeyName
    scopes: Scopes


class ApiKeysApi:
    """A seller's keys for programs."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def make_api_key(self, caller: Caller, asked: NewApiKey, request: Request) -> MadeApiKey:
        """Make a key for a program, which sends it as `Authorization: Bearer mk_…`. It is shown once, and
        again only to who asks again with the same Idempotency-Key."""
        key = key_of(request)
        return await self._shop.accounts.make_api_key(
            seller_id_of(caller), caller.user_id, asked, f"api/{key}" if key else ""
        )

    async def api_keys(
        self, caller: Caller, limit: PageLimit | None = None, cursor: ApiKeyId | None = None
    ) -> ApiKeysShown:
        """List one's own keys, the newest first, and when each was used last: all, or so many at a time."""
        found = await self._shop.accounts.api_keys(seller_id_of(caller))
        return ApiKeysShown(*page_of(found, lambda each: each.api_key_id, limit, cursor))

    async def end_api_key(self, caller: Caller, api_key_id: ApiKeyId) -> KeyEnded:
        """End a key, at once."""
        await self._shop.accounts.end_api_key(seller_id_of(caller), api_key_id)
        return KeyEnded()


API = [
    PublicRoute(
        "POST",
        "/seller/api-keys",
        ApiKeysApi.make_api_key,
        tag="Selling",
        needs="seller",
        refuses=["too_many", "api_key_ended"],
    ),
    PublicRoute("GET", "/seller/api-keys", ApiKeysApi.api_keys, tag="Selling", needs="seller"),
    PublicRoute(
        "DELETE", "/seller/api-keys/{api_key_id}", ApiKeysApi.end_api_key, tag="Selling", needs="seller"
    ),
]


class ApiKeyPages:
    """Keys as a table; a new one is shown once."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def keys(
        self,
        request: Request,
        form: Form | None = None,
        made: MadeApiKey | None = None,
        refused: Refusal | None = None,
        chosen: tuple[str, ...] = (),
    ) -> Response:
        _, seller_id = await seller_of(request)
        form = form or Form(ApiKeyForm)
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "keys",
            seller_id,
            refused.status if refused else (422 if form.errors else 200),
            keys=await self._shop.accounts.api_keys(seller_id),
            made=made,
            form=form,
            key=form_key({} if made or refused else form.given),
            scopes=list(_SCOPES.items()),
            chosen=chosen,
            refused=message_of(refused) if refused else None,
        )

    async def make(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller, seller_id = await seller_of(request)
        chosen = tuple(scope for scope in _SCOPES if form.get(f"scope-{scope}"))
        asked = read_form({**form, "scopes": list(chosen)}, ApiKeyForm)
        if isinstance(asked, FormErrors):
            if "scopes" in asked:
                asked["scopes"] = "Tick at least one thing that the key may do."
            return await self.keys(request, Form(ApiKeyForm, form, asked), chosen=chosen)
        try:
            new = NewApiKey(asked.name, asked.scopes)
            once = f"form/{form_key(form)}"
            made = await self._shop.accounts.make_api_key(seller_id, caller.user_id, new, once)
        except Refusal as refused:
            return await self.keys(request, Form(ApiKeyForm, form), refused=refused, chosen=chosen)
        return await self.keys(request, made=made)

    async def end(self, request: Request) -> Response:
        await self._pages.form(request)
        _, seller_id = await seller_of(request)
        key_id = id_of(request.path_params["api_key_id"], ApiKeyId)
        await self._shop.accounts.end_api_key(seller_id, key_id)
        return self._pages.redirect(request, "/desk/keys")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = ApiKeyPages(pages, shop)
    return [
        pages.route("/desk/keys", desk.keys),
        pages.route("/desk/keys", desk.make, "POST"),
        pages.route("/desk/keys/{api_key_id}/end", desk.end, "POST"),
    ]
