"""Promotions on the desks of operators and of sellers: a list, a form, codes, and what a basket would pay."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, NamedTuple, cast

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.countries import CapitalCode
from mercat.ids import OfferId, ProductId, PromotionId, SellerId
from mercat.kit import clock
from mercat.kit.refusals import Invalid, Refusal
from mercat.promotions import (
    CategorySlug,
    Code,
    CodesAsk,
    GroupName,
    MoneyOff,
    NamedThing,
    NewPromotion,
    Percent,
    Priority,
    Promotion,
    PromotionChange,
    PromotionName,
    PromotionState,
    Terms,
    Units,
    UsesMax,
    does_in_words,
    state_of,
)
from mercat.shop import Shop
from mercat.web.desk.page import desk_page, seller_of
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.idempotency import form_key
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.promotions import BasketPreviewAsk, PreviewItem, PromotionTerms, previewed
from mercat.web.router import Endpoint
from mercat.web.session import with_role
from mercat.web.table_query import AFTER, as_csv, choice, every, link, tabs

_A_PAGE, _FILE_PAGE = 50, 500
_NEW = "new"
_TABS: dict[PromotionState, str] = {"live": "Live", "scheduled": "Scheduled", "ended": "Ended"}
Does = Literal["percent", "amount", "fixed_price", "free_shipping", "buy", "gift"]
DOES: dict[Does, str] = {
    "percent": "So many percent off",
    "amount": "An amount off, all together",
    "fixed_price": "Each for one price",
    "free_shipping": "Free delivery",
    "buy": "Buy some, get some for less",
    "gift": "Something comes along for nothing",
}
_LISTS = ("category", "product", "seller", "brand", "tag", "customer_group", "country")


class PromotionForm(Struct, frozen=True, kw_only=True):
    """What the form of a promotion asks: what it does, for what and whom, and how often."""

    name: PromotionName
    does: Does
    percent: Percent | None = None
    amount: MoneyOff | None = None
    fixed_price: MoneyOff | None = None
    buy: Units | None = None
    get: Units | None = None
    buy_percent: Percent | None = None
    gift: OfferId | None = None
    code: Code | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    category: list[CategorySlug] = []
    product: list[ProductId] = []
    seller: list[SellerId] = []
    brand: list[NamedThing] = []
    tag: list[NamedThing] = []
    customer_group: list[GroupName] = []
    country: list[CapitalCode] = []
    min_subtotal: MoneyOff | None = None
    min_quantity: UsesMax | None = None
    first_order: bool = False
    limit: UsesMax | None = None
    limit_per_customer: UsesMax | None = None
    budget: MoneyOff | None = None
    priority: Priority = 0
    alone: bool = False
    by_seller: bool = False


class BasketPreviewForm(Struct, frozen=True):
    """Offers of a basket, one a line, each as often as it is bought."""

    offers: list[OfferId]
    country: CapitalCode | None = None
    code: Code | None = None


class PromotionRow(NamedTuple):
    """A promotion as a desk lists it."""

    promotion: Promotion
    does: str
    used: str


class PromotionPages:
    """Promotions as pages, of the whole shop or of one seller."""

    def __init__(self, pages: Pages, shop: Shop, path: str) -> None:
        self._pages = pages
        self._shop = shop
        self._terms = PromotionTerms(shop, pages.categories)
        self._currency = shop.settings.currency
        self._path = path
        self._of_sellers = path.startswith("/desk")

    async def promotions(self, request: Request) -> Response:
        seller_id = await self._owner(request)
        chosen = choice(request.query_params, {"status": tuple(_TABS)})
        status = cast(PromotionState, chosen.get("status", "live"))
        after = choice(request.query_params, AFTER).get("after")
        found = await self._shop.promotions.listed(
            seller_id, status, id_of(after, PromotionId) if after else None, _A_PAGE
        )
        counts = await self._shop.promotions.counts(seller_id)
        more = found[-1].promotion_id if len(found) == _A_PAGE else None
        numbers = {"live": counts.live, "scheduled": counts.scheduled, "ended": counts.ended}
        return await self._page(
            request,
            "promotions.html",
            rows=[
                PromotionRow(each, does_in_words(each, self._currency), self._used(each)) for each in found
            ],
            tabs=tabs(self._path, chosen, "status", _TABS, numbers),
            more=link(self._path, chosen, after=more) if more else None,
        )

    async def promotion(self, request: Request) -> Response:
        found = await self._found(request, await self._owner(request))
        return await self._form(request, found, Form(PromotionForm, _given(found, self._currency)))

    async def save(self, request: Request) -> Response:
        form = await self._pages.form(request)
        seller_id = await self._owner(request)
        found = await self._found(request, seller_id)
        asked = read_form(form, PromotionForm, currency=self._currency)
        if isinstance(asked, FormErrors):
            return await self._form(request, found, Form(PromotionForm, form, asked), 422)
        try:
            promotion_id = await self._save(asked, found, seller_id, f"form/{form_key(form)}")
        except Refusal as refused:
            return await self._form(request, found, Form(PromotionForm, form, _errors(refused)), 422)
        return self._pages.redirect(request, f"{self._path}/{promotion_id}?saved=1")

    async def _save(
        self, asked: PromotionForm, found: Promotion | None, seller_id: SellerId | None, once: str
    ) -> PromotionId:
        terms: dict[str, Any] = {"when": await self._when(asked), "then": _then(asked)}
        if asked.does == "gift":
            await self._terms.check_gift(terms["then"]["gift"], seller_id)
        terms |= {
            "name": asked.name,
            "code": asked.code,
            "starts_at": _begin(asked.starts_on, found.starts_at if found else None),
            "ends_at": _end(asked.ends_on, found.ends_at if found else None),
            "limit": asked.limit,
            "limit_per_customer": asked.limit_per_customer,
            "budget": asked.budget,
            "combines": not asked.alone,
            "by_seller": asked.by_seller,
            "priority": asked.priority,
        }
        if found is None:
            added = await self._shop.promotions.add(NewPromotion(seller_id=seller_id, **terms), once)
            return added.promotion.promotion_id
        change = PromotionChange(**terms)
        return (await self._shop.promotions.change(found.promotion_id, change, seller_id)).promotion_id

    async def _when(self, asked: PromotionForm) -> Terms:
        when: Terms = {name: value for name in _LISTS if (value := getattr(asked, name))}
        if asked.category:
            when["category"] = await self._terms.slugs(asked.category)
        for name in ("min_subtotal", "min_quantity", "first_order"):
            if value := getattr(asked, name):
                when[name] = value
        return when

    async def remove(self, request: Request) -> Response:
        await self._pages.form(request)
        seller_id = await self._owner(request)
        await self._shop.promotions.remove(_id(request), seller_id)
        return self._pages.redirect(request, self._path)

    async def make_codes(self, request: Request) -> Response:
        form = await self._pages.form(request)
        seller_id = await self._owner(request)
        asked = read_form(form, CodesAsk)
        if isinstance(asked, FormErrors):
            found = await self._found(request, seller_id)
            return await self._form(
                request,
                found,
                Form(PromotionForm, _given(found, self._currency)),
                422,
                codes_form=Form(CodesAsk, form, asked),
            )
        once = f"form/{form_key(form)}"
        await self._shop.promotions.add_codes(_id(request), asked, seller_id, once)
        return self._pages.redirect(request, f"{self._path}/{_id(request)}?made={asked.count}")

    async def codes(self, request: Request) -> Response:
        """Send the codes for a single use as a CSV file."""
        seller_id, promotion_id = await self._owner(request), _id(request)
        await self._shop.promotions.one(promotion_id, seller_id)

        async def page(last: Any, limit: int) -> list[Any]:
            after = last.code if last else ""
            return await self._shop.promotions.codes(promotion_id, after, limit, seller_id)

        async def rows() -> AsyncIterator[list[str]]:
            async for each in every(page, _FILE_PAGE):
                yield [each.code, "used" if each.used else "free"]

        return as_csv("codes.csv", ["code", "state"], rows())

    async def preview(self, request: Request) -> Response:
        """Say what a basket would pay."""
        form = await self._pages.form(request)
        await self._owner(request)
        asked = read_form(form, BasketPreviewForm)
        if isinstance(asked, FormErrors):
            return await self._previewed(request, Form(BasketPreviewForm, form, asked), None, 422)
        counts = {offer: asked.offers.count(offer) for offer in dict.fromkeys(asked.offers)}
        ask = BasketPreviewAsk(
            items=[PreviewItem(offer, count) for offer, count in counts.items()],
            codes=[asked.code] if asked.code else [],
            country=asked.country,
        )
        try:
            shown = await previewed(self._shop, ask)
        except Refusal as refused:
            return await self._previewed(
                request, Form(BasketPreviewForm, form, {"offers": str(refused)}), None, 422
            )
        return await self._previewed(request, Form(BasketPreviewForm, form), shown)

    async def try_out(self, request: Request) -> Response:
        await self._owner(request)
        return await self._previewed(request, Form(BasketPreviewForm), None)

    async def _previewed(self, request: Request, form: Form, shown: Any, status: int = 200) -> Response:
        return await self._page(request, "promotion_preview.html", status, form=form, preview=shown)

    async def _form(
        self,
        request: Request,
        found: Promotion | None,
        form: Form,
        status: int = 200,
        codes_form: Form | None = None,
    ) -> Response:
        return await self._page(
            request,
            "promotion.html",
            status,
            form=form,
            codes_form=codes_form or Form(CodesAsk),
            key=form_key(form.given),
            codes_key=form_key(codes_form.given if codes_form else {}),
            promotion=found,
            state=state_of(found, clock.now()) if found else "",
            used=self._used(found) if found else "",
            does=list(DOES.items()),
            saved="saved" in request.query_params,
            made="made" in request.query_params,
        )

    async def _page(self, request: Request, name: str, status: int = 200, **shown: Any) -> Response:
        shown |= {"base": self._path, "currency": self._currency}
        if self._of_sellers:
            _, seller_id = await seller_of(request)
            shown["template"] = name
            return await desk_page(self._pages, self._shop, request, "promotions", seller_id, status, **shown)
        return await operator_page(self._pages, request, "promotions", name, status, **shown)

    async def _owner(self, request: Request) -> SellerId | None:
        """Say whose promotions are meant: a seller's own, or None for all, to operators alone."""
        if self._of_sellers:
            return (await seller_of(request))[1]
        await with_role(request, "operator")
        return None

    async def _found(self, request: Request, seller_id: SellerId | None) -> Promotion | None:
        if request.path_params["promotion_id"] == _NEW:
            return None
        return await self._shop.promotions.one(_id(request), seller_id)

    def _used(self, each: Promotion) -> str:
        if not each.limited:
            return ""
        of = f" of {each.limit:,}" if each.limit is not None else ""
        spent = money.words(each.spent, self._currency)
        most = f" of {money.words(each.budget, self._currency)}" if each.budget is not None else ""
        return f"{each.uses:,}{of} uses, {spent}{most}"


def _id(request: Request) -> PromotionId:
    return id_of(request.path_params["promotion_id"], PromotionId)


def _errors(refused: Refusal) -> FormErrors:
    field = str(refused.facts.get("pointer", "")).rpartition("/")[2].replace("offer_id", "gift")
    return FormErrors({field: str(refused)})


def _then(asked: PromotionForm) -> Terms:
    if asked.does == "free_shipping":
        return {"free_shipping": True}
    if asked.does == "buy":
        if asked.buy is None or asked.get is None:
            raise Invalid("Say how many are bought, and how many more cost less.", pointer="/buy")
        return {"buy": {"quantity": asked.buy, "get": asked.get, "percent": asked.buy_percent or 100.0}}
    value = getattr(asked, asked.does)
    if asked.does == "gift" and value is not None:
        return {"gift": {"offer_id": str(value)}}
    if value is None:
        raise Invalid("Say how much.", pointer=f"/{asked.does}")
    return {asked.does: value}


def _begin(day: date | None, before: datetime | None) -> datetime | None:
    """Begin with a day; one that is not changed keeps its time."""
    if day is None:
        return None
    if before and before.astimezone(UTC).date() == day:
        return before
    return datetime.combine(day, time(), UTC)


def _end(day: date | None, before: datetime | None) -> datetime | None:
    if day is None:
        return None
    return before if before and _last_day(before) == day else _begin(day + timedelta(days=1), None)


def _last_day(end: datetime) -> date:
    return (end.astimezone(UTC) - timedelta(microseconds=1)).date()


def _given(found: Promotion | None, currency: str) -> Mapping[str, Any]:
    """Fill the form with a promotion as it stands."""
    if found is None:
        return {"does": "percent", "priority": "0"}
    [(does, value)] = found.then.items()
    given: dict[str, Any] = {
        "name": found.name,
        "does": does,
        "code": found.code,
        "starts_on": found.starts_at.astimezone(UTC).date() if found.starts_at else None,
        "ends_on": _last_day(found.ends_at) if found.ends_at else None,
        "limit": found.limit,
        "limit_per_customer": found.limit_per_customer,
        "budget": _typed(found.budget, currency),
        "priority": found.priority,
        "alone": "" if found.combines else "1",
        "by_seller": "1" if found.by_seller else "",
        **{name: "\n".join(map(str, found.when.get(name, []))) for name in _LISTS},
        "min_subtotal": _typed(found.when.get("min_subtotal"), currency),
        "min_quantity": found.when.get("min_quantity"),
        "first_order": "1" if found.first_order else "",
    }
    if does == "buy":
        given |= {"buy": value["quantity"], "get": value["get"], "buy_percent": value.get("percent", 100)}
    elif does == "gift":
        given["gift"] = value["offer_id"]
    elif does in ("amount", "fixed_price"):
        given[does] = _typed(value, currency)
    else:
        given[does] = value
    return {name: each for name, each in given.items() if each is not None}


def _typed(amount: int | None, currency: str) -> str | None:
    return None if amount is None else f"{money.shown(amount, currency):.{money.exponent(currency)}f}"


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    routes: list[Endpoint] = []
    for path in ("/operator/promotions", "/desk/promotions"):
        desk = PromotionPages(pages, shop, path)
        one = f"{path}/{{promotion_id}}"
        routes += [
            pages.route(path, desk.promotions),
            pages.route(f"{path}/preview", desk.try_out),
            pages.route(f"{path}/preview", desk.preview, "POST"),
            pages.route(one, desk.promotion),
            pages.route(one, desk.save, "POST"),
            pages.route(f"{one}/remove", desk.remove, "POST"),
            pages.route(f"{one}/codes", desk.make_codes, "POST"),
            pages.route(f"{one}/codes.csv", desk.codes),
        ]
    return routes
