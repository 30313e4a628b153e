"""The rules by which commission is taken: one list in order, of which the first that matches holds."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Raw, Struct, field
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.catalog import Category, CategoryName
from mercat.ids import CategoryId, SellerId, parse
from mercat.kit.refusals import Invalid, Refusal
from mercat.payments import RULES_MAX, CommissionRule, CommissionRules, NewCommissionRules
from mercat.shop import Shop
from mercat.web.commission_rules import category_named, places_of
from mercat.web.desk.listing_form import TypedPrice
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, Price, is_given, minor
from mercat.web.session import with_role

_PPM = 1_000_000
PERCENT_MAX = 100
_PATH = "/operator/commissions"
Rate = Annotated[float, Meta(ge=0, le=1, description="As a fraction: 0.1 is a tenth.")]
SELLER_MAX = 100
SellerNamed = Annotated[str, Meta(max_length=SELLER_MAX)]


class RuleAsk(Struct, frozen=True, kw_only=True):
    """A rule, for a category (a slug or a name) with those below it, for a seller, for both, or for all."""

    category: CategoryName | None = None
    seller: SellerId | None = None
    rate: Rate
    fee: Price = field(default_factory=lambda: Raw(b"null"))
    """A fixed amount for each unit, beside the rate."""


class RulesAsk(Struct, frozen=True):
    """All rules, in their order. `version`: of those that are replaced; none: whatever they are."""

    rules: Annotated[list[RuleAsk], Meta(max_length=RULES_MAX)]
    version: int | None = None


class CommissionShown(Struct, frozen=True, kw_only=True):
    category: str | None
    seller: SellerId | None
    rate: float
    fee: Amount


class CommissionsShown(Struct, frozen=True):
    rules: list[CommissionShown]
    version: int
    default_rate: float
    """What holds where no rule matches: a setting, `MERCAT_COMMISSION_PPM`."""


class CommissionsApi:
    """What the shop keeps of a sale."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def commissions(self) -> CommissionsShown:
        """List the rules in their order: the first that matches a sale holds, and stays with it."""
        rules = await self._shop.payments.commission_rules()
        return _shown(rules, await self._shop.catalog.categories(), self._shop.settings.currency)

    async def set_commissions(self, ask: RulesAsk) -> CommissionsShown:
        """Replace the rules, for what is bought from now on; what was bought keeps its commission."""
        categories = await self._shop.catalog.categories()
        await self._check_sellers(ask.rules)
        currency = self._shop.settings.currency
        rules = [_rule(each, n, categories, currency) for n, each in enumerate(ask.rules)]
        new = NewCommissionRules(rules, ask.version)
        return _shown(await self._shop.payments.set_commission_rules(new), categories, currency)

    async def _check_sellers(self, rules: list[RuleAsk]) -> None:
        named = sorted({rule.seller for rule in rules if rule.seller is not None})
        known = await self._shop.sellers.names(named) if named else {}
        for n, rule in enumerate(rules):
            if rule.seller is not None and rule.seller not in known:
                raise Invalid("There is no such seller.", pointer=f"/rules/{n}/seller")


def _rule(ask: RuleAsk, n: int, categories: list[Category], currency: str) -> CommissionRule:
    category_id = None
    if ask.category is not None:
        category_id = category_named(categories, ask.category, f"/rules/{n}/category").category_id
    fee = minor(ask.fee, currency, f"/rules/{n}/fee") if is_given(ask.fee) else 0
    return CommissionRule(round(ask.rate * _PPM), fee, ask.seller, category_id)


def _shown(rules: CommissionRules, categories: list[Category], currency: str) -> CommissionsShown:
    slugs = {each.category_id: each.slug for each in categories}
    shown = [
        CommissionShown(
            category=None if rule.category_id is None else slugs.get(rule.category_id, str(rule.category_id)),
            seller=rule.seller_id,
            rate=rule.rate_ppm / _PPM,
            fee=money.shown(rule.fee, currency),
        )
        for rule in rules.rules
    ]
    return CommissionsShown(shown, rules.version, rules.default_ppm / _PPM)


API = [
    PublicRoute(
        "GET",
        "/operator/commissions",
        CommissionsApi.commissions,
        tag="Running the shop",
        needs="operator",
    ),
    PublicRoute(
        "PUT",
        "/operator/commissions",
        CommissionsApi.set_commissions,
        tag="Running the shop",
        needs="operator",
        refuses=["category_unknown", "rules_changed"],
    ),
]


class CommissionForm(Struct, frozen=True):
    rate: Annotated[float, Meta(ge=0, le=PERCENT_MAX)]
    category_id: str | None = None
    seller: SellerNamed | None = None
    fee: TypedPrice = 0


class CommissionPages:
    """The rules as a table whose order can be changed."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def rules(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        await with_role(request, "operator")
        standing = await self._shop.payments.commission_rules()
        places = await places_of(self._shop)
        sellers = sorted({rule.seller_id for rule in standing.rules if rule.seller_id is not None})
        return await operator_page(
            self._pages,
            request,
            "commissions",
            "operator_commissions.html",
            refused.status if refused else (422 if form and form.errors else 200),
            standing=standing,
            places=places,
            category_names=dict(places),
            sellers=await self._shop.sellers.names(sellers) if sellers else {},
            currency=self._shop.settings.currency,
            form=form or Form(CommissionForm),
            refused=message_of(refused) if refused and not (form and form.errors) else None,
        )

    async def change(self, request: Request) -> Response:
        """Add a rule at the end; or move one up or down, or remove it, as `act` says."""
        form = await self._pages.form(request)
        await with_role(request, "operator")
        rules = list((await self._shop.payments.commission_rules()).rules)
        if form.get("act"):
            return await self._save(request, _moved(rules, form), form)
        asked = read_form(form, CommissionForm, currency=self._shop.settings.currency)
        if isinstance(asked, FormErrors):
            return await self.rules(request, Form(CommissionForm, form, asked))
        try:
            rule = await self._read(asked)
        except Refusal as refused:
            return await self.rules(request, Form(CommissionForm, form, errors_of(refused)), refused)
        return await self._save(request, [*rules, rule], form)

    async def _save(self, request: Request, rules: list[CommissionRule], form: Mapping[str, str]) -> Response:
        read = _number(form.get("version", ""))
        try:
            await self._shop.payments.set_commission_rules(NewCommissionRules(rules[:RULES_MAX], read))
        except Refusal as refused:
            return await self.rules(request, None, refused)
        return self._pages.redirect(request, _PATH)

    async def _read(self, asked: CommissionForm) -> CommissionRule:
        rule = CommissionRule(round(asked.rate * _PPM / PERCENT_MAX), asked.fee)
        if asked.category_id:
            rule = replace(rule, category_id=id_of(asked.category_id, CategoryId))
        if asked.seller:
            rule = replace(rule, seller_id=await self._seller(asked.seller))
        return rule

    async def _seller(self, given: str) -> SellerId:
        """Read the id of a seller who is there."""
        try:
            seller_id = parse(SellerId, given.strip())
        except ValueError as error:
            raise Invalid(f"{error}.", pointer="/seller") from None
        if not await self._shop.sellers.names([seller_id]):
            raise Invalid("There is no such seller.", pointer="/seller")
        return seller_id


_MOVES = {"up": -1, "down": 1}
_DIGITS_MAX = 9


def _number(typed: str) -> int | None:
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= _DIGITS_MAX else None


def _moved(rules: list[CommissionRule], form: Mapping[str, str]) -> list[CommissionRule]:
    """Move or remove the rule that a form names; a place that is not there changes nothing."""
    place = _number(form.get("place", ""))
    if place is None or place >= len(rules):
        return rules
    rule = rules.pop(place)
    if (act := form["act"]) in _MOVES:
        rules.insert(max(0, place + _MOVES[act]), rule)
    return rules


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    rules = CommissionPages(pages, shop)
    return [
        pages.route("/operator/commissions", rules.rules),
        pages.route("/operator/commissions", rules.change, "POST"),
    ]
