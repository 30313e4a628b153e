"""What operators want of searches: pins, boosts and synonyms, and who changed what."""

import re
from datetime import UTC, date
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import ids
from mercat.ids import LearntId, ProductId, RuleChangeId, RuleId
from mercat.kit import clock, codec
from mercat.kit.refusals import NotFound, Refusal
from mercat.kit.rpc import Caller
from mercat.search import (
    PHRASE_MAX,
    BoostFactor,
    ChangesAsked,
    LearntOrder,
    Phrase,
    PinPlace,
    Rule,
    RuleChange,
    RuleChanges,
    Rules,
    StoredRule,
)
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import with_role
from mercat.web.table_query import (
    AFTER,
    CHOICE_MAX,
    TableQuery,
    as_csv,
    choice,
    every,
    headings,
    link,
    tabs,
)

ChangesLimit = Annotated[int, Meta(ge=1, le=100)]
KINDS = {"pin": "Pin", "boost": "Boost", "synonym": "Synonym"}
_WHAT = {"added": "added", "changed": "changed", "removed": "removed"}
_CHANGES = 5
_A_PAGE, _FILE_PAGE = 50, 100
_CHANGED, _ALL = "/operator/search/changes", "all"
_TABS = {_ALL: "All", "added": "Added", "changed": "Changed", "removed": "Removed"}
_SORTS = ("-when", "when")
_COLUMNS = [("when", "When"), ("who", "Who"), ("what", "What"), ("undo", "Undo")]
_ASKED: dict[str, tuple[str, ...]] = {"what": tuple(_TABS), "kind": tuple(KINDS), "q": (), "sort": _SORTS}
_PRODUCT = re.compile(r"prod_[0-9a-z]{13}")


class RuleForm(Struct, frozen=True, kw_only=True):
    """What the forms of all kinds of rules ask for."""

    starts_on: date | None = None
    ends_on: date | None = None


class PinForm(RuleForm, frozen=True, kw_only=True):
    words: Phrase
    product_id: Annotated[ProductId, Meta(extra={"words": "Paste the product's page, or its number: prod_…"})]
    place: PinPlace


class BoostForm(RuleForm, frozen=True, kw_only=True):
    words: Phrase = ""
    product_id: (
        Annotated[ProductId, Meta(extra={"words": "Paste the product's page, or its number: prod_…"})] | None
    ) = None
    brand: Phrase | None = None
    category: Phrase | None = None
    factor: BoostFactor


class SynonymForm(RuleForm, frozen=True, kw_only=True):
    words: Phrase
    other: Phrase
    same: bool = False


RULE_FORMS: dict[str, type[RuleForm]] = {"pin": PinForm, "boost": BoostForm, "synonym": SynonymForm}


class RuleGone(Struct, frozen=True):
    rule_id: RuleId


class LearntOrders(Struct, frozen=True):
    learnt: list[LearntOrder]


class SearchRulesApi:
    """Rules of searches."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def rules(self) -> Rules:
        """List pins, boosts and synonyms of searches, those of other days included."""
        return await self._shop.search.rules()

    async def add_rule(self, caller: Caller, rule: Rule) -> StoredRule:
        """Add a rule of searches; every search keeps it within five seconds. `pin`: a product at a place for
        words. `boost`: a product, a brand or a category counts so many times as much, for words or for all.
        `synonym`: words that also mean others. Days are UTC, both included."""
        return await self._shop.search.add_rule(caller, rule)

    async def change_rule(self, caller: Caller, rule_id: RuleId, rule: Rule) -> StoredRule:
        """Replace a rule by this one."""
        return await self._shop.search.change_rule(caller, rule_id, rule)

    async def remove_rule(self, caller: Caller, rule_id: RuleId) -> RuleGone:
        """Remove a rule. It stays in the record of changes, and can be put back."""
        await self._shop.search.remove_rule(caller, rule_id)
        return RuleGone(rule_id)

    async def rule_changes(self, limit: ChangesLimit = 20, before: RuleChangeId | None = None) -> RuleChanges:
        """List who changed which rule of searches, and how, the newest first; `before` is the last one of the
        page before."""
        return await self._shop.search.rule_changes(limit, before)

    async def put_back_rule(self, caller: Caller, change_id: RuleChangeId) -> StoredRule:
        """Make a rule again what it was before a change."""
        return await self._shop.search.put_back_rule(caller, change_id)

    async def learnt(self) -> LearntOrders:
        """List what searches learnt from clicks and orders, the newest first: what is served, and why the
        rest is not."""
        return LearntOrders(await self._shop.search.learnt())

    async def take_back(self, learnt_id: LearntId) -> LearntOrders:
        """Serve what was served before this was learnt, within a second or two. Again, it changes nothing."""
        await self._shop.search.take_back(learnt_id)
        return await self.learnt()


API = [
    PublicRoute("GET", "/search/rules", SearchRulesApi.rules, tag="Merchandising", needs="operator"),
    PublicRoute(
        "POST",
        "/search/rules",
        SearchRulesApi.add_rule,
        tag="Merchandising",
        needs="operator",
        refuses=["too_many_rules"],
    ),
    PublicRoute(
        "PUT", "/search/rules/{rule_id}", SearchRulesApi.change_rule, tag="Merchandising", needs="operator"
    ),
    PublicRoute(
        "DELETE",
        "/search/rules/{rule_id}",
        SearchRulesApi.remove_rule,
        tag="Merchandising",
        needs="operator",
        shows=type(None),
    ),
    PublicRoute(
        "GET", "/search/rule-changes", SearchRulesApi.rule_changes, tag="Merchandising", needs="operator"
    ),
    PublicRoute(
        "POST",
        "/search/rule-changes/{change_id}/put-back",
        SearchRulesApi.put_back_rule,
        tag="Merchandising",
        needs="operator",
        refuses=["too_many_rules"],
    ),
    PublicRoute("GET", "/search/learnt", SearchRulesApi.learnt, tag="Merchandising", needs="operator"),
    PublicRoute(
        "POST",
        "/search/learnt/{learnt_id}/take-back",
        SearchRulesApi.take_back,
        tag="Merchandising",
        needs="operator",
    ),
]


class RuleRow(NamedTuple):
    """A rule as the desk lists it."""

    rule: StoredRule
    kind: str
    does: str
    when: str
    state: str


class RuleChangeRow(NamedTuple):
    """A change as the desk tells of it."""

    change: RuleChange
    what: str
    kind: str
    words: str
    does: str


class SearchRulePages:
    """Rules of searches as pages."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._categories = pages.categories
        self._shop = shop

    async def rules(self, request: Request, refused: Refusal | None = None) -> Response:
        caller = await with_role(request, "operator")
        kind = request.query_params.get("kind", "")
        kind = kind if kind in KINDS else ""
        every = (await self._shop.search.rules()).rules
        changes = (await self._shop.search.rule_changes(_CHANGES)).changes
        about: list[Rule] = [*every, *(rule for each in changes if (rule := each.now or each.was))]
        names = await self._names(about)
        today = clock.now().astimezone(UTC).date()
        return await self._page(
            request,
            "operator_search.html",
            refused.status if refused else 200,
            desk_name=caller.name,
            rows=[
                RuleRow(rule, KINDS[rule.kind], _does(rule, names), _when(rule), _state(rule, today))
                for rule in every
                if not kind or rule.kind == kind
            ],
            kind=kind,
            kinds=KINDS,
            total=len(every),
            changes=[_done(change, names) for change in changes],
            learnt=(await self._shop.search.learnt())[:_CHANGES],
            refused=message_of(refused) if refused else None,
        )

    async def changes(self, request: Request) -> Response:
        """Show who changed what, all of it."""
        await with_role(request, "operator")
        chosen, before = (
            choice(request.query_params, _ASKED),
            choice(request.query_params, AFTER).get("after", ""),
        )
        found = await self._changes(chosen, id_of(before, RuleChangeId) if before else None, _A_PAGE)
        names = await self._names([rule for each in found if (rule := each.now or each.was)])
        last = found[-1].change_id if len(found) == _A_PAGE else None
        counts = await self._shop.search.rule_change_counts()
        return await operator_page(
            self._pages,
            request,
            "search",
            "operator_search_changes.html",
            changes=[_done(change, names) for change in found],
            kinds=KINDS,
            chosen=chosen,
            words_max=CHOICE_MAX,
            tabs=tabs(_CHANGED, chosen, "what", _TABS, {**counts, _ALL: sum(counts.values())}),
            headings=headings(_CHANGED, chosen, _COLUMNS, _SORTS),
            more=link(_CHANGED, chosen, after=last) if last else None,
            file=link("/operator/search/changes.csv", chosen),
        )

    async def export(self, request: Request) -> Response:
        """Send changes of rules as a CSV file: those that the table would show."""
        await with_role(request, "operator")
        chosen = choice(request.query_params, _ASKED)

        async def page(last: RuleChange | None, limit: int) -> list[RuleChange]:
            return await self._changes(chosen, last.change_id if last else None, limit)

        head = ["at", "who", "what", "kind", "words", "does"]
        return as_csv("rule-changes.csv", head, (_cells(each) async for each in every(page, _FILE_PAGE)))

    async def _changes(self, chosen: TableQuery, after: RuleChangeId | None, limit: int) -> list[RuleChange]:
        what: Any = chosen.get("what", _ALL)
        kind: Any = chosen.get("kind")
        asked = ChangesAsked(
            kind, None if what == _ALL else what, chosen.get("q", ""), chosen.get("sort") == "when"
        )
        return (await self._shop.search.rule_changes(limit, after, asked)).changes

    async def new(self, request: Request) -> Response:
        kind = request.query_params.get("kind", "")
        if kind not in RULE_FORMS:
            raise NotFound("There is no such kind of rule.")
        words = request.query_params.get("words", "")[:PHRASE_MAX]
        return await self._form(request, kind, ids.new(RuleId), Form(RULE_FORMS[kind], {"words": words}))

    async def edit(self, request: Request) -> Response:
        await with_role(request, "operator")
        rule_id = id_of(request.path_params["rule_id"], RuleId)
        rule = next(
            (each for each in (await self._shop.search.rules()).rules if each.rule_id == rule_id), None
        )
        if rule is None:
            raise NotFound("This rule was removed. The record of changes can put it back.")
        given: dict[str, Any] = msgspec.to_builtins(rule, enc_hook=str)
        shown = {name: f"{value:g}" if isinstance(value, float) else value for name, value in given.items()}
        shown["same"] = "1" if rule.same else ""
        return await self._form(request, rule.kind, rule_id, Form(RULE_FORMS[rule.kind], shown), old=True)

    async def save(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await with_role(request, "operator")
        rule_id = id_of(request.path_params["rule_id"], RuleId)
        kind, old = form.get("kind", ""), form.get("old") == "1"
        if kind not in RULE_FORMS:
            raise NotFound("There is no such kind of rule.")
        rule = await self._read(kind, form)
        if isinstance(rule, FormErrors):
            return await self._form(request, kind, rule_id, Form(RULE_FORMS[kind], form, rule), old=old)
        try:
            if old:
                await self._shop.search.change_rule(caller, rule_id, rule)
            else:
                await self._shop.search.add_rule(caller, rule, rule_id)
        except Refusal as refused:
            shown = Form(RULE_FORMS[kind], form, errors_of(refused))
            return await self._form(request, kind, rule_id, shown, old=old, refused=refused)
        return self._pages.redirect(request, "/operator/search")

    async def remove(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await with_role(request, "operator")
        await self._shop.search.remove_rule(caller, id_of(request.path_params["rule_id"], RuleId))
        return self._pages.redirect(request, "/operator/search#h-changes")

    async def put_back(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await with_role(request, "operator")
        change = id_of(request.path_params["change_id"], RuleChangeId)
        try:
            await self._shop.search.put_back_rule(caller, change)
        except Refusal as refused:
            return await self.rules(request, refused)
        return self._pages.redirect(request, "/operator/search")

    async def take_back(self, request: Request) -> Response:
        await self._pages.form(request)
        await with_role(request, "operator")
        await self._shop.search.take_back(id_of(request.path_params["learnt_id"], LearntId))
        return self._pages.redirect(request, "/operator/search#h-learnt")

    async def _read(self, kind: str, form: dict[str, str]) -> Rule | FormErrors:
        """Read a rule from a form. An id, or an address with one in it, names a product."""
        named = _PRODUCT.search(form.get("product_id", ""))
        asked = read_form(form | ({"product_id": named[0]} if named else {}), RULE_FORMS[kind])
        if isinstance(asked, FormErrors):
            return asked
        rule = codec.convert({"kind": kind, **msgspec.structs.asdict(asked)}, Rule)
        if rule.product_id is not None and not await self._shop.catalog.cards([rule.product_id]):
            return FormErrors(product_id="No product on sale has this number.")
        return rule

    async def _form(
        self,
        request: Request,
        kind: str,
        rule_id: RuleId,
        form: Form,
        *,
        old: bool = False,
        refused: Refusal | None = None,
    ) -> Response:
        caller = await with_role(request, "operator")
        categories = (await self._categories.all()).values()
        return await self._page(
            request,
            "operator_rule.html",
            refused.status if refused else (422 if form.errors else 200),
            desk_name=caller.name,
            kind=kind,
            called=KINDS[kind],
            rule_id=rule_id,
            old=old,
            form=form,
            categories=sorted(((each.slug, each.name) for each in categories), key=lambda each: each[1]),
            refused=message_of(refused) if refused and not form.errors else None,
        )

    async def _names(self, rules: list[Rule]) -> dict[ProductId, str]:
        """Look up titles of the products that rules are about."""
        wanted = list(dict.fromkeys(rule.product_id for rule in rules if rule.product_id is not None))
        return (
            {each.product_id: each.title for each in await self._shop.catalog.cards(wanted)} if wanted else {}
        )

    async def _page(self, request: Request, name: str, status: int, **shown: Any) -> Response:
        return await self._pages.page(request, name, status, desk="operator", here="search", q="", **shown)


def _does(rule: Rule, names: dict[ProductId, str]) -> str:
    if rule.kind == "synonym":
        return f"{'is the same as' if rule.same else 'also finds'} “{rule.other}”"
    product = rule.product_id
    what = (
        (names.get(product) or f"{product} (not on sale)")
        if product is not None
        else f"brand {rule.brand}"
        if rule.brand
        else f"department {rule.category}"
    )
    return (
        f"{what} at place {rule.place}"
        if rule.kind == "pin"
        else f"{what} counts {rule.factor:g} times as much"
    )


def _when(rule: Rule) -> str:
    if rule.starts_on and rule.ends_on:
        return f"{_day(rule.starts_on)} to {_day(rule.ends_on)}"
    if rule.starts_on:
        return f"from {_day(rule.starts_on)}"
    return f"until {_day(rule.ends_on)}" if rule.ends_on else "always"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _state(rule: Rule, today: date) -> str:
    if rule.starts_on and today < rule.starts_on:
        return "planned"
    return "over" if rule.ends_on and today > rule.ends_on else "on"


def _done(change: RuleChange, names: dict[ProductId, str]) -> RuleChangeRow:
    rule = change.now or change.was
    assert rule
    return RuleChangeRow(
        change, _WHAT[change.what], KINDS[rule.kind], rule.words, f"{_does(rule, names)}, {_when(rule)}"
    )


def _cells(change: RuleChange) -> list[Any]:
    done = _done(change, {})
    return [change.at, change.by, done.what, done.kind, done.words, done.does]


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    rules = SearchRulePages(pages, shop)
    return [
        pages.route("/operator/search", rules.rules),
        pages.route("/operator/search/new", rules.new),
        pages.route("/operator/search/changes", rules.changes),
        pages.route("/operator/search/learnt/{learnt_id}/take-back", rules.take_back, "POST"),
        pages.route("/operator/search/changes.csv", rules.export),
        pages.route("/operator/search/changes/{change_id}/put-back", rules.put_back, "POST"),
        pages.route("/operator/search/{rule_id}", rules.edit),
        pages.route("/operator/search/{rule_id}", rules.save, "POST"),
        pages.route("/operator/search/{rule_id}/remove", rules.remove, "POST"),
    ]
