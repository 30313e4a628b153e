"""Promotions as operators and sellers set them up, over the API. Amounts are decimals of its currency."""

from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Any, cast

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from mercat import money
from mercat.catalog import CategoryUnknown
from mercat.checkout import Destination, Explained, PreviewBasket
from mercat.countries import CapitalCode
from mercat.ids import OfferId, OrderId, PromotionId, SellerId, UserId, parse
from mercat.inventory import Line
from mercat.kit import clock
from mercat.kit.moments import Moment
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.rpc import Caller
from mercat.money import GIFT_CARD_CLASS
from mercat.promotions import (
    BENEFITS,
    CONDITIONS,
    LISTED_MAX,
    Code,
    CodesAsk,
    FundedBy,
    GroupNames,
    NewPromotion,
    PreviewCodes,
    Priority,
    Promotion,
    PromotionChange,
    PromotionCode,
    PromotionName,
    PromotionState,
    Terms,
    UsesMax,
    state_of,
)
from mercat.quantity import Quantity
from mercat.shop import Shop
from mercat.web.category_tree import CategoryMoved, CategoryTree
from mercat.web.desk.products import seller_id_of
from mercat.web.prices import CodeShown, DiscountShown, codes_shown, discounts_shown
from mercat.web.router import PublicRoute
from mercat.web.schemas import Amount, PageLimit, Price, is_given, minor, no_amount

GivenTerms = Annotated[
    dict[str, Raw],
    Meta(
        description="Members by kind: " + ", ".join(CONDITIONS) + ".",
        extra_json_schema={"additionalProperties": True},
    ),
]
GivenBenefit = Annotated[
    dict[str, Raw],
    Meta(
        description="Exactly one of " + ", ".join(BENEFITS) + ".",
        extra_json_schema={"additionalProperties": True},
    ),
]
_PREVIEWED_MAX = 100


class PromotionAsk(Struct, frozen=True, kw_only=True):
    name: PromotionName
    then: GivenBenefit
    when: GivenTerms = {}
    code: Code | None = None
    codes: CodesAsk | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    limit: UsesMax | None = None
    limit_per_customer: UsesMax | None = None
    budget: Price = field(default_factory=no_amount)
    combines: bool = True
    funded_by: FundedBy = "shop"
    priority: Priority = 0


class PromotionPatch(Struct, frozen=True, kw_only=True):
    name: PromotionName | UnsetType = UNSET
    then: GivenBenefit | UnsetType = UNSET
    when: GivenTerms | UnsetType = UNSET
    code: Code | UnsetType | None = UNSET
    starts_at: Moment | UnsetType | None = UNSET
    ends_at: Moment | UnsetType | None = UNSET
    limit: UsesMax | UnsetType | None = UNSET
    limit_per_customer: UsesMax | UnsetType | None = UNSET
    budget: Price | UnsetType = UNSET
    combines: bool | UnsetType = UNSET
    funded_by: FundedBy | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET


class PromotionShown(Struct, frozen=True, kw_only=True):
    promotion_id: PromotionId
    name: str
    status: PromotionState
    code: str | None
    has_codes: bool
    when: dict[str, Any]
    then: dict[str, Any]
    starts_at: datetime | None
    ends_at: datetime | None
    limit: int | None
    limit_per_customer: int | None
    budget: Amount | None
    combines: bool
    funded_by: FundedBy
    priority: int
    seller_id: SellerId | None
    uses: int
    spent: Amount
    created_at: datetime


class NewPromotionShown(PromotionShown, frozen=True, kw_only=True):
    codes: list[str]


class PromotionsShown(Struct, frozen=True):
    promotions: list[PromotionShown]
    next_cursor: PromotionId | None


class PromotionGone(Struct, frozen=True):
    promotion_id: PromotionId


class CodesMade(Struct, frozen=True):
    codes: list[str]


class PromotionCodesShown(Struct, frozen=True):
    codes: list[PromotionCode]
    next_cursor: str | None


class PreviewItem(Struct, frozen=True):
    offer_id: OfferId
    quantity: Quantity = 1


class BasketPreviewAsk(Struct, frozen=True, kw_only=True):
    """A basket that is not bought: what would it pay?"""

    items: Annotated[list[PreviewItem], Meta(min_length=1, max_length=_PREVIEWED_MAX)]
    codes: PreviewCodes = []
    country: CapitalCode | None = None


class RuleTried(Struct, frozen=True, kw_only=True):
    """A promotion that was looked at: applied with what it took off, or why not."""

    promotion_id: PromotionId
    name: str
    code: str | None
    applied: bool
    amount: Amount
    why: str | None


class PreviewShown(Struct, frozen=True, kw_only=True):
    subtotal: Amount
    discount: Amount
    total: Amount
    currency: str
    discounts: list[DiscountShown]
    codes: list[CodeShown]
    rules: list[RuleTried]


class ExplainShown(Struct, frozen=True, kw_only=True):
    order_id: OrderId
    discount: Amount
    currency: str
    discounts: list[DiscountShown]
    rules: list[RuleTried]
    uses: str | None
    """Where uses were counted: `used`, or `given_back` with why."""
    because: str


class GroupsAsk(Struct, frozen=True):
    groups: GroupNames


class GroupsShown(Struct, frozen=True):
    groups: list[str]


class PromotionTerms:
    """Reads and shows what a promotion asks for and does."""

    def __init__(self, shop: Shop, tree: CategoryTree) -> None:
        self._shop = shop
        self._tree = tree
        self._currency = shop.settings.currency

    async def when(self, given: Mapping[str, Raw]) -> Terms:
        """Read conditions; a category may be named by its id, its slug or its name."""
        terms = self._read(CONDITIONS, given, "/when")
        if "category" in terms:
            terms["category"] = await self.slugs(terms["category"])
        return terms

    async def then(self, given: Mapping[str, Raw], seller_id: SellerId | None) -> Terms:
        """Read the benefit. What is given is an offer that there is; a seller gives of their own."""
        terms = self._read(BENEFITS, given, "/then")
        if "gift" in terms:
            await self.check_gift(terms["gift"], seller_id)
        return terms

    async def check_gift(self, gift: Any, seller_id: SellerId | None) -> None:
        """Raise Invalid for a gift that cannot be given."""
        named: Any = cast(dict[str, Any], gift).get("offer_id") if isinstance(gift, dict) else None
        at = "/then/gift/offer_id"
        try:
            offer_id = parse(OfferId, named) if isinstance(named, str) else None
        except ValueError:
            offer_id = None
        if offer_id is None:
            raise Invalid("Name an offer by its number, as off_….", pointer=at)
        offer = (await self._shop.catalog.offers([offer_id])).get(offer_id)
        if offer is None or seller_id not in (None, offer.seller_id):
            raise Invalid(
                "There is no such offer." if seller_id is None else "You have no such offer.", pointer=at
            )
        if offer.tax_class == GIFT_CARD_CLASS:
            raise Invalid("A gift card is money, and not given away so.", pointer=at)

    def _read(self, kinds: Mapping[str, Any], given: Mapping[str, Raw], at: str) -> Terms:
        terms: Terms = {}
        for name, value in given.items():
            if getattr(kinds.get(name), "MONEY", False):
                terms[name] = self._amount(value, f"{at}/{name}", "An amount here")
            else:
                terms[name] = msgspec.json.decode(value)
        return terms

    async def slugs(self, given: Any) -> Any:
        """Answer the slugs of categories that are named by slug, name or id."""
        if not isinstance(given, list) or not all(isinstance(each, str) for each in cast(list[Any], given)):
            return cast(Any, given)  # the service says what is wrong with it
        known = await self._tree.all()
        named = {node.name.casefold(): node.slug for node in known.values()}
        named |= {str(node.category_id): node.slug for node in known.values()}
        slugs: list[str] = []
        for name in cast(list[str], given):
            slug = name if name in known else named.get(name.strip().casefold())
            if slug is None:
                slug = await self._slug_of_new(name)
            slugs.append(slug)
        return slugs

    async def _slug_of_new(self, name: str) -> str:
        """Find a category that was made this moment, or is called otherwise by now."""
        try:
            return (await self._tree.find(name)).slug
        except CategoryMoved as moved:
            return moved.slug
        except NotFound:
            self._tree.forget()
            known = await self._tree.all()
            if node := next((each for each in known.values() if str(each.category_id) == name), None):
                return node.slug
            closest = get_close_matches(name, known, 3)
            raise CategoryUnknown(pointer="/when/category", closest=closest) from None

    def shown(self, kinds: Mapping[str, Any], terms: Terms) -> Terms:
        """Show terms, amounts as decimals."""
        return {
            name: money.shown(value, self._currency) if getattr(kinds[name], "MONEY", False) else value
            for name, value in terms.items()
        }

    async def new(self, ask: PromotionAsk, seller_id: SellerId | None) -> NewPromotion:
        """Read what is to be set up."""
        return NewPromotion(
            name=ask.name,
            when=await self.when(ask.when),
            then=await self.then(ask.then, seller_id),
            code=ask.code,
            codes=ask.codes,
            starts_at=ask.starts_at,
            ends_at=ask.ends_at,
            limit=ask.limit,
            limit_per_customer=ask.limit_per_customer,
            budget=self._budget(ask.budget),
            combines=ask.combines,
            by_seller=ask.funded_by == "seller",
            priority=ask.priority,
            seller_id=seller_id,
        )

    async def change(self, patch: PromotionPatch, seller_id: SellerId | None = None) -> PromotionChange:
        """Read what is to be otherwise."""
        return PromotionChange(
            name=patch.name,
            when=UNSET if patch.when is UNSET else await self.when(patch.when),
            then=UNSET if patch.then is UNSET else await self.then(patch.then, seller_id),
            code=patch.code,
            starts_at=patch.starts_at,
            ends_at=patch.ends_at,
            limit=patch.limit,
            limit_per_customer=patch.limit_per_customer,
            budget=UNSET if patch.budget is UNSET else self._budget(patch.budget),
            combines=patch.combines,
            by_seller=UNSET if patch.funded_by is UNSET else patch.funded_by == "seller",
            priority=patch.priority,
        )

    def _budget(self, given: Raw) -> int | None:
        return self._amount(given, "/budget", "A budget") if is_given(given) else None

    def _amount(self, given: Raw, at: str, called: str) -> int:
        amount = minor(given, self._currency, at)
        if amount == 0:
            raise Invalid(f"{called} is more than nothing.", pointer=at)
        return amount

    def fields(self, each: Promotion) -> dict[str, Any]:
        """Answer a promotion as it is shown."""
        currency = self._currency
        return {
            "promotion_id": each.promotion_id,
            "name": each.name,
            "status": state_of(each, clock.now()),
            "code": each.code,
            "has_codes": each.has_codes,
            "when": self.shown(CONDITIONS, each.when),
            "then": self.shown(BENEFITS, each.then),
            "starts_at": each.starts_at,
            "ends_at": each.ends_at,
            "limit": each.limit,
            "limit_per_customer": each.limit_per_customer,
            "budget": None if each.budget is None else money.shown(each.budget, currency),
            "combines": each.combines,
            "funded_by": "seller" if each.by_seller else "shop",
            "priority": each.priority,
            "seller_id": each.seller_id,
            "uses": each.uses,
            "spent": money.shown(each.spent, currency),
            "created_at": each.created_at,
        }


class _Desk:
    """What operators and sellers do alike; `_owner` says whose promotions are meant."""

    def __init__(self, shop: Shop, tree: CategoryTree) -> None:
        self._shop = shop
        self.terms = PromotionTerms(shop, tree)

    async def page(
        self,
        seller_id: SellerId | None,
        status: PromotionState | None,
        limit: int,
        cursor: PromotionId | None,
    ) -> PromotionsShown:
        found = await self._shop.promotions.listed(seller_id, status, cursor, min(limit, LISTED_MAX))
        shown = [PromotionShown(**self.terms.fields(each)) for each in found]
        return PromotionsShown(shown, shown[-1].promotion_id if len(shown) == limit else None)

    async def codes(
        self, promotion_id: PromotionId, seller_id: SellerId | None, limit: int, cursor: str
    ) -> PromotionCodesShown:
        found = await self._shop.promotions.codes(promotion_id, cursor, limit, seller_id)
        return PromotionCodesShown(found, found[-1].code if len(found) == limit else None)


class OperatorPromotionsApi:
    """Promotions of the shop, and of its sellers."""

    def __init__(self, shop: Shop, tree: CategoryTree) -> None:
        self._shop = shop
        self._desk = _Desk(shop, tree)

    async def promotions(
        self,
        caller: Caller,
        status: PromotionState | None = None,
        limit: PageLimit = 20,
        cursor: PromotionId | None = None,
    ) -> PromotionsShown:
        """List promotions of the shop and of its sellers, the newest first."""
        return await self._desk.page(None, status, limit, cursor)

    async def promotion(self, caller: Caller, promotion_id: PromotionId) -> PromotionShown:
        """Show a promotion."""
        return PromotionShown(**self._desk.terms.fields(await self._shop.promotions.one(promotion_id)))

    async def add_promotion(self, caller: Caller, ask: PromotionAsk) -> NewPromotionShown:
        """Set up a promotion. The higher `priority` goes first, then the older; each takes off what those
        before it left. One that does not combine stands alone where that saves more."""
        added = await self._shop.promotions.add(await self._desk.terms.new(ask, None))
        return NewPromotionShown(**self._desk.terms.fields(added.promotion), codes=added.codes)

    async def change_promotion(
        self, caller: Caller, promotion_id: PromotionId, patch: PromotionPatch
    ) -> PromotionShown:
        """Change a promotion; `null` takes a limit, a time or the code away. Orders stay as they are."""
        change = await self._desk.terms.change(patch)
        return PromotionShown(
            **self._desk.terms.fields(await self._shop.promotions.change(promotion_id, change))
        )

    async def remove_promotion(self, caller: Caller, promotion_id: PromotionId) -> PromotionGone:
        """End a promotion for good, with its codes."""
        await self._shop.promotions.remove(promotion_id)
        return PromotionGone(promotion_id)

    async def make_codes(self, caller: Caller, promotion_id: PromotionId, ask: CodesAsk) -> CodesMade:
        """Make codes for a single use each, which nobody can guess. The promotion needs one from now on."""
        return CodesMade(await self._shop.promotions.add_codes(promotion_id, ask))

    async def codes(
        self, caller: Caller, promotion_id: PromotionId, limit: PageLimit = 100, cursor: Code | None = None
    ) -> PromotionCodesShown:
        """List codes for a single use, and whether they were used."""
        return await self._desk.codes(promotion_id, None, limit, cursor or "")

    async def preview(self, caller: Caller, ask: BasketPreviewAsk) -> PreviewShown:
        """Say what a basket would pay of somebody who has not bought before, and what each rule did."""
        return await previewed(self._shop, ask)

    async def explain_order(self, caller: Caller, order_id: OrderId) -> ExplainShown:
        """Say which promotions were tried for an order, and why each applied or did not."""
        order = await self._shop.orders.order(order_id, None)
        tried = await self._shop.checkout.explain(order.checkout_id)
        redemption = await self._shop.promotions.redemption(order_id)
        return ExplainShown(
            order_id=order_id,
            discount=money.shown(order.discount, order.currency),
            currency=order.currency,
            discounts=discounts_shown(order.discounts, order.currency),
            rules=_tried(tried, order.currency),
            uses=redemption.state if redemption else None,
            because=redemption.because if redemption else "",
        )

    async def groups(self, caller: Caller, user_id: UserId) -> GroupsShown:
        """List the groups that somebody is in."""
        await self._shop.accounts.found_person(user_id)
        return GroupsShown(await self._shop.promotions.groups(user_id))

    async def set_groups(self, caller: Caller, user_id: UserId, ask: GroupsAsk) -> GroupsShown:
        """Say which groups somebody is in, for promotions that are for them."""
        await self._shop.accounts.found_person(user_id)
        return GroupsShown(await self._shop.promotions.set_groups(user_id, ask.groups))


class SellerPromotionsApi:
    """A seller's promotions, for their own goods and borne by them."""

    def __init__(self, shop: Shop, tree: CategoryTree) -> None:
        self._shop = shop
        self._desk = _Desk(shop, tree)

    async def own_promotions(
        self,
        caller: Caller,
        status: PromotionState | None = None,
        limit: PageLimit = 20,
        cursor: PromotionId | None = None,
    ) -> PromotionsShown:
        """List one's own promotions, the newest first."""
        return await self._desk.page(seller_id_of(caller), status, limit, cursor)

    async def own_promotion(self, caller: Caller, promotion_id: PromotionId) -> PromotionShown:
        """Show a promotion of one's own."""
        found = await self._shop.promotions.one(promotion_id, seller_id_of(caller))
        return PromotionShown(**self._desk.terms.fields(found))

    async def add_own_promotion(self, caller: Caller, ask: PromotionAsk) -> NewPromotionShown:
        """Set up a promotion of one's own goods, which one bears oneself."""
        added = await self._shop.promotions.add(await self._desk.terms.new(ask, seller_id_of(caller)))
        return NewPromotionShown(**self._desk.terms.fields(added.promotion), codes=added.codes)

    async def change_own_promotion(
        self, caller: Caller, promotion_id: PromotionId, patch: PromotionPatch
    ) -> PromotionShown:
        """Change a promotion of one's own."""
        change = await self._desk.terms.change(patch, seller_id_of(caller))
        changed = await self._shop.promotions.change(promotion_id, change, seller_id_of(caller))
        return PromotionShown(**self._desk.terms.fields(changed))

    async def remove_own_promotion(self, caller: Caller, promotion_id: PromotionId) -> PromotionGone:
        """End a promotion of one's own for good."""
        await self._shop.promotions.remove(promotion_id, seller_id_of(caller))
        return PromotionGone(promotion_id)

    async def make_own_codes(self, caller: Caller, promotion_id: PromotionId, ask: CodesAsk) -> CodesMade:
        """Make codes for a single use each of a promotion of one's own."""
        return CodesMade(await self._shop.promotions.add_codes(promotion_id, ask, seller_id_of(caller)))

    async def own_codes(
        self, caller: Caller, promotion_id: PromotionId, limit: PageLimit = 100, cursor: Code | None = None
    ) -> PromotionCodesShown:
        """List the codes of a promotion of one's own."""
        return await self._desk.codes(promotion_id, seller_id_of(caller), limit, cursor or "")


async def previewed(shop: Shop, ask: BasketPreviewAsk) -> PreviewShown:
    """Say what a basket would pay."""
    lines = [Line(item.offer_id, item.quantity) for item in ask.items]
    place = Destination(ask.country) if ask.country else None
    preview = await shop.checkout.preview(PreviewBasket(lines, place, ask.codes))
    currency, reduced = shop.settings.currency, preview.reduced
    discounts = [each.discount for each in reduced.reductions]
    discount = sum(each.amount for each in discounts)
    return PreviewShown(
        subtotal=money.shown(preview.subtotal, currency),
        discount=money.shown(discount, currency),
        total=money.shown(preview.subtotal - discount, currency),
        currency=currency,
        discounts=discounts_shown(discounts, currency),
        codes=codes_shown(reduced.codes),
        rules=_tried(preview.tried, currency),
    )


def _tried(tried: list[Explained], currency: str) -> list[RuleTried]:
    return [
        RuleTried(
            promotion_id=each.promotion_id,
            name=each.name,
            code=each.code or None,
            applied=each.why is None,
            amount=money.shown(each.amount, currency),
            why=each.why,
        )
        for each in tried
    ]


_ALL, _ONE = "/operator/promotions", "/operator/promotions/{promotion_id}"
_OWN, _OWN_ONE = "/seller/promotions", "/seller/promotions/{promotion_id}"


def _operators(verb: str, path: str, method: Any, **more: Any) -> PublicRoute:
    return PublicRoute(verb, path, method, tag="Merchandising", needs="operator", **more)


def _sellers(verb: str, path: str, method: Any, **more: Any) -> PublicRoute:
    scopes: Any = ["catalog:write"] if verb != "GET" else ["catalog:read", "catalog:write"]
    return PublicRoute(verb, path, method, tag="Selling", needs="seller", scopes=scopes, **more)


_SET_UP = ["code_taken", "category_unknown", "too_many_promotions"]
_CODES = ["not_found", "codes_exhausted"]
OPERATOR_API = [
    _operators("GET", _ALL, OperatorPromotionsApi.promotions),
    _operators("POST", _ALL, OperatorPromotionsApi.add_promotion, location=_ONE, refuses=_SET_UP),
    _operators(
        "POST", f"{_ALL}/preview", OperatorPromotionsApi.preview, status=200, refuses=["out_of_stock"]
    ),
    _operators("GET", _ONE, OperatorPromotionsApi.promotion, refuses=["not_found"]),
    _operators("PATCH", _ONE, OperatorPromotionsApi.change_promotion, refuses=["not_found", *_SET_UP]),
    _operators(
        "DELETE", _ONE, OperatorPromotionsApi.remove_promotion, shows=type(None), refuses=["not_found"]
    ),
    _operators("POST", f"{_ONE}/codes", OperatorPromotionsApi.make_codes, refuses=_CODES),
    _operators("GET", f"{_ONE}/codes", OperatorPromotionsApi.codes, refuses=["not_found"]),
    _operators(
        "GET",
        "/operator/orders/{order_id}/explain",
        OperatorPromotionsApi.explain_order,
        refuses=["not_found"],
    ),
    _operators(
        "GET", "/operator/people/{user_id}/groups", OperatorPromotionsApi.groups, refuses=["not_found"]
    ),
    _operators(
        "PUT", "/operator/people/{user_id}/groups", OperatorPromotionsApi.set_groups, refuses=["not_found"]
    ),
]
SELLER_API = [
    _sellers("GET", _OWN, SellerPromotionsApi.own_promotions),
    _sellers("POST", _OWN, SellerPromotionsApi.add_own_promotion, location=_OWN_ONE, refuses=_SET_UP),
    _sellers("GET", _OWN_ONE, SellerPromotionsApi.own_promotion, refuses=["not_found"]),
    _sellers("PATCH", _OWN_ONE, SellerPromotionsApi.change_own_promotion, refuses=["not_found", *_SET_UP]),
    _sellers(
        "DELETE",
        _OWN_ONE,
        SellerPromotionsApi.remove_own_promotion,
        shows=type(None),
        refuses=["not_found"],
    ),
    _sellers("POST", f"{_OWN_ONE}/codes", SellerPromotionsApi.make_own_codes, refuses=_CODES),
    _sellers("GET", f"{_OWN_ONE}/codes", SellerPromotionsApi.own_codes, refuses=["not_found"]),
]
