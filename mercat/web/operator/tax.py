"""Rates of tax on the operator's desk: what they are, a preview, and where was sold to without one."""

import re
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.ids import OfferId, OrderId, SellerId, UserId
from mercat.kit.http import Answer
from mercat.kit.refusals import Invalid, NotFound, Refusal
from mercat.pricing import (
    PPM,
    TAX_RULES_MAX,
    ExemptBecause,
    PartPrice,
    PostalBound,
    PricedBasket,
    PricedLine,
    SoldWithoutRate,
    TaxCountry,
    TaxedClass,
    TaxRecord,
    TaxRecordKind,
    TaxRecordStatus,
    TaxRule,
    TaxRuleSet,
    TaxSource,
    TaxSubdivision,
    Totals,
    ppm_of,
    read_rules,
    tax_declaration,
)
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.forms import MONEY, Form, FormErrors, id_of, number_in, read_form
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.places import served_places
from mercat.web.preconditions import check_seen
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, PageLimit, number_of
from mercat.web.session import with_role

_PATH = "/operator/tax"
_SHOWN_MAX = 400
_VERSION_MAX = 2**31 - 1
_SOLD_BESIDES = re.compile(r'-\d+"')
"""What an ETag says behind the version of the rates: orders sold without one, which are shown but not set."""
_SAID = {
    "imported": "The rates of the file stand from now on.",
    "taxed": "They pay tax again.",
    "recording": "The tax provider is told again, within a second or two.",
}
TaxFraction = Annotated[Raw, Meta(extra_json_schema={"type": "number", "minimum": 0, "maximum": 1})]


class TaxRateGiven(Struct, frozen=True, kw_only=True, rename={"class_": "class"}):
    """A rate, a decimal fraction such as 0.0825. The narrowest place counts: postal codes before a
    subdivision before a country. Without a class it is the standard one."""

    country: TaxCountry
    rate: TaxFraction
    included: bool
    subdivision: TaxSubdivision | None = None
    postal_from: PostalBound | None = None
    postal_to: PostalBound | None = None
    class_: TaxedClass | None = None
    shipping_taxed: bool = False
    source: TaxSource | None = None
    valid_from: date | None = None


class SoldUnratedShown(Struct, frozen=True):
    """Where was sold to without a known rate."""

    country: str
    subdivision: str
    orders: int
    last_at: datetime


class TaxRatesGiven(Struct, frozen=True, kw_only=True):
    """`built_in` and `without_rate` are not read, so that what was shown can be sent back."""

    rates: Annotated[list[TaxRateGiven], Meta(max_length=TAX_RULES_MAX)]
    built_in: bool = False
    without_rate: list[SoldUnratedShown] = []


class TaxRateShown(Struct, frozen=True, kw_only=True, rename={"class_": "class"}):
    country: str
    subdivision: str | None
    postal_from: str | None
    postal_to: str | None
    class_: str | None
    rate: float
    shipping_taxed: bool
    included: bool
    source: str
    valid_from: date | None


class TaxRatesShown(Struct, frozen=True, kw_only=True):
    """`built_in`: those the package comes with; `without_rate`: where was sold to without one."""

    rates: list[TaxRateShown]
    built_in: bool
    without_rate: list[SoldUnratedShown]


class ExemptionAsk(Struct, frozen=True):
    reason: ExemptBecause


class ExemptionShown(Struct, frozen=True):
    user_id: UserId
    reason: str
    granted_at: datetime


class ExemptionsShown(Struct, frozen=True):
    exemptions: list[ExemptionShown]


class TaxedAgain(Struct, frozen=True):
    user_id: UserId


class TaxRecordShown(Struct, frozen=True, kw_only=True):
    """A sale that the tax provider is told, or what was paid back of it."""

    key: str
    """The order's id, or the refund's."""
    order_id: OrderId
    kind: TaxRecordKind
    amount: Amount
    tax: Amount
    """What was charged."""
    said_tax: Amount | None
    """What the provider reckoned when it recorded the sale."""
    currency: str
    status: TaxRecordStatus
    reference: str
    """What the provider calls it."""
    tries: int
    failure: str
    made_at: datetime
    recorded_at: datetime | None


class TaxRecordsShown(Struct, frozen=True):
    records: list[TaxRecordShown]


class TaxRecordTried(Struct, frozen=True):
    key: str


class TaxApi:
    """The rates of tax, and who is free of it."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def tax_rates(self) -> Answer:
        """Show all rates, and the destinations that were sold to without one. The ETag is what setting them
        may name as If-Match."""
        return await self._answer(await self._shop.pricing.tax_rules())

    async def set_tax_rates(self, request: Request, given: TaxRatesGiven) -> Answer:
        """Set all rates, in place of those that were. All rates of a country have the same `included`. Once
        it is answered, all prices are by them. With If-Match it is done only while they are as they were
        read."""
        rules = [_rule(rate, f"/rates/{n}") for n, rate in enumerate(given.rates)]
        version, if_match = None, request.headers.get("if-match")
        if if_match is not None:
            stand = await self._shop.pricing.tax_rules()
            check_seen(_SOLD_BESIDES.sub('"', if_match), f'"{stand.version}"')
            version = stand.version
        return await self._answer(await self._shop.pricing.set_tax_rules(rules, version))

    async def tax_exemptions(self) -> ExemptionsShown:
        """List who is free of tax, the latest first."""
        known = await self._shop.pricing.tax_exemptions()
        return ExemptionsShown([ExemptionShown(each.user_id, each.reason, each.granted_at) for each in known])

    async def exempt_from_tax(self, user_id: UserId, ask: ExemptionAsk) -> ExemptionsShown:
        """Free somebody of tax from now on, and say why; again changes the reason."""
        await self._shop.accounts.found_person(user_id)
        await self._shop.pricing.exempt_from_tax(user_id, ask.reason)
        return await self.tax_exemptions()

    async def tax_again(self, user_id: UserId) -> TaxedAgain:
        """Tax somebody again who was free of it."""
        await self._shop.accounts.found_person(user_id)
        await self._shop.pricing.tax_again(user_id)
        return TaxedAgain(user_id)

    async def tax_records(
        self, status: TaxRecordStatus | None = None, limit: PageLimit = 100
    ) -> TaxRecordsShown:
        """List what the tax provider is told of sales and of what was paid back, the newest first."""
        found = await self._shop.pricing.tax_records(status, limit)
        return TaxRecordsShown([_record_shown(each) for each in found])

    async def retry_tax_record(self, key: str) -> TaxRecordTried:
        """Tell the tax provider again what it did not record."""
        await self._shop.pricing.retry_tax_record(key)
        return TaxRecordTried(key)

    async def _answer(self, known: TaxRuleSet) -> Answer:
        sold = await self._shop.pricing.sold_without_rate()
        tag = f'"{known.version}-{sum(each.orders for each in sold)}"'
        return Answer(self._shown(known, sold), headers={"ETag": tag})

    def _shown(self, known: TaxRuleSet, sold: list[SoldWithoutRate]) -> TaxRatesShown:
        return TaxRatesShown(
            rates=[_rate_shown(rule) for rule in known.rules],
            built_in=known.built_in,
            without_rate=[
                SoldUnratedShown(each.country, each.subdivision, each.orders, each.last_at) for each in sold
            ],
        )


def _rule(given: TaxRateGiven, at: str) -> TaxRule:
    try:
        ppm = ppm_of(number_of(given.rate))
    except ValueError as error:
        raise Invalid(f"This is no rate: {error}.", pointer=f"{at}/rate") from None
    return TaxRule(
        country=given.country,
        subdivision=given.subdivision or "",
        postal_from=given.postal_from or "",
        postal_to=given.postal_to or "",
        tax_class=given.class_ or "",
        ppm=ppm,
        shipping_taxed=given.shipping_taxed,
        included=given.included,
        source=given.source or "",
        valid_from=given.valid_from,
    )


def _rate_shown(rule: TaxRule) -> TaxRateShown:
    return TaxRateShown(
        country=rule.country,
        subdivision=rule.subdivision or None,
        postal_from=rule.postal_from or None,
        postal_to=rule.postal_to or None,
        class_=rule.tax_class or None,
        rate=rule.ppm / PPM,
        shipping_taxed=rule.shipping_taxed,
        included=rule.included,
        source=rule.source,
        valid_from=rule.valid_from,
    )


def _record_shown(record: TaxRecord) -> TaxRecordShown:
    said = None if record.said_tax is None else money.shown(record.said_tax, record.currency)
    return TaxRecordShown(
        key=record.key,
        order_id=record.order_id,
        kind=record.kind,
        amount=money.shown(record.amount, record.currency),
        tax=money.shown(record.tax, record.currency),
        said_tax=said,
        currency=record.currency,
        status=record.status,
        reference=record.reference,
        tries=record.tries,
        failure=record.failure,
        made_at=record.made_at,
        recorded_at=record.recorded_at,
    )


API = [
    PublicRoute("GET", "/operator/tax-records", TaxApi.tax_records, tag="Running the shop", needs="operator"),
    PublicRoute(
        "POST",
        "/operator/tax-records/{key}/retry",
        TaxApi.retry_tax_record,
        tag="Running the shop",
        needs="operator",
        status=200,
        refuses=["not_found"],
    ),
    PublicRoute(
        "GET",
        "/operator/tax-rates",
        TaxApi.tax_rates,
        tag="Running the shop",
        needs="operator",
        shows=TaxRatesShown,
    ),
    PublicRoute(
        "PUT",
        "/operator/tax-rates",
        TaxApi.set_tax_rates,
        tag="Running the shop",
        needs="operator",
        shows=TaxRatesShown,
        refuses=["stale"],
        headers={"If-Match": "The ETag of what was seen: they are set only if that still stands."},
    ),
    PublicRoute(
        "GET", "/operator/tax-exemptions", TaxApi.tax_exemptions, tag="Running the shop", needs="operator"
    ),
    PublicRoute(
        "PUT",
        "/operator/tax-exemptions/{user_id}",
        TaxApi.exempt_from_tax,
        tag="Running the shop",
        needs="operator",
    ),
    PublicRoute(
        "DELETE",
        "/operator/tax-exemptions/{user_id}",
        TaxApi.tax_again,
        tag="Running the shop",
        needs="operator",
    ),
]


class TaxPreviewForm(Struct, frozen=True):
    """Goods that nobody buys: how would they be taxed?"""

    country: TaxCountry
    region: TaxSubdivision = ""
    postal_code: PostalBound = ""
    tax_class: TaxedClass = ""
    amount: Annotated[int, Meta(ge=0, le=money.MINOR_MAX), MONEY] = 0


class TaxPages:
    """The rates of tax as a page."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        declared = tax_declaration(shop.settings)
        self._provider = declared.title if declared else ""

    async def tax(self, request: Request, refused: Refusal | None = None) -> Response:
        await with_role(request, "operator")
        known = await self._shop.pricing.tax_rules()
        asked = dict(request.query_params) if request.method == "GET" else {}
        currency = self._shop.settings.currency
        wanted = read_form(asked, TaxPreviewForm, currency=currency) if asked.get("country") else None
        preview = await self._preview(wanted) if isinstance(wanted, TaxPreviewForm) else None
        country = wanted.country.upper() if isinstance(wanted, TaxPreviewForm) else ""
        rules = [rule for rule in known.rules if country in ("", rule.country)]
        return await operator_page(
            self._pages,
            request,
            "tax",
            "operator_tax.html",
            refused.status if refused else 200,
            built_in=known.built_in,
            version=known.version,
            tax_provider=self._provider,
            rules=rules[:_SHOWN_MAX],
            count=len(rules),
            country_shown=country,
            without_rate=await self._shop.pricing.sold_without_rate(),
            exemptions=await self._shop.pricing.tax_exemptions(),
            unrecorded=await self._shop.pricing.tax_records("refused") if self._provider else [],
            form=Form(TaxPreviewForm, asked, wanted if isinstance(wanted, FormErrors) else None),
            places=await served_places(self._shop),
            home=self._shop.settings.home_country,
            preview=preview,
            currency=currency,
            said=_SAID.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused else None,
        )

    async def upload(self, request: Request) -> Response:
        content, form = await self._pages.upload(request, "file"), await self._pages.form(request)
        await with_role(request, "operator")
        standing = (await self._shop.pricing.tax_rules()).version
        version = number_in(form.get("version"), standing, 0, _VERSION_MAX)
        try:
            await self._shop.pricing.set_tax_rules(read_rules(content), version)
        except Refusal as refused:
            return await self.tax(request, refused)
        return self._pages.redirect(request, f"{_PATH}?said=imported")

    async def tax_again(self, request: Request) -> Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        await self._shop.pricing.tax_again(id_of(form.get("user_id", ""), UserId))
        return self._pages.redirect(request, f"{_PATH}?said=taxed")

    async def record_again(self, request: Request) -> Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        with suppress(NotFound):  # another tab was first
            await self._shop.pricing.retry_tax_record(form.get("key", ""))
        return self._pages.redirect(request, f"{_PATH}?said=recording")

    async def _preview(self, wanted: TaxPreviewForm) -> Totals:
        nobody = SellerId(0)
        line = PricedLine(OfferId(0), 1, wanted.amount, nobody, wanted.tax_class)
        basket = PricedBasket(
            [line],
            [PartPrice(nobody, 0)],
            self._shop.settings.currency,
            wanted.country,
            wanted.region,
            wanted.postal_code,
        )
        return await self._shop.pricing.total(basket)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    tax = TaxPages(pages, shop)
    return [
        pages.route(_PATH, tax.tax),
        pages.route(_PATH, tax.upload, "POST"),
        pages.route(f"{_PATH}/taxed", tax.tax_again, "POST"),
        pages.route(f"{_PATH}/recorded", tax.record_again, "POST"),
    ]
