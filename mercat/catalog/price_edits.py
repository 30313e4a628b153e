"""Prices of many offers changed at once: looked at first, written in one commit, put back as an import is."""

from datetime import datetime

import asyncpg
from msgspec.structs import replace

from mercat.catalog.changes import Changes
from mercat.catalog.messages import (
    PRICE_EDIT_MAX,
    ChangedMeanwhile,
    EditedOffer,
    InFlashSale,
    NoPriceChanges,
    Offer,
    OfferPrices,
    OffersMeant,
    PriceEdit,
    PricePreview,
    PricesEdited,
    TooManyOffers,
)
from mercat.catalog.offers import offer_of, sale_columns, with_terms
from mercat.catalog.rules import (
    check_for_sale,
    check_move,
    edited_price,
    edited_terms,
    fingerprint,
)
from mercat.ids import ImportId, OfferId, ProductId, SellerId
from mercat.kit import clock, sql
from mercat.kit.refusals import Invalid, NotFound, OtherCurrency, Refusal
from mercat.settings import Settings

queries = sql.load("mercat.catalog")
_NO_WORDS: list[str] = []


class PriceEdits:
    """Show what becomes of prices, and change them."""

    def __init__(self, db: asyncpg.Pool, changes: Changes, settings: Settings) -> None:
        self._db = db
        self._changes = changes
        self._currency = settings.currency

    async def preview_prices(self, seller_id: SellerId, edit: PriceEdit) -> PricePreview:
        """Say what an edit makes of the prices of a seller's offers, and of which nothing, and why.

        NotFound where one is not theirs, TooManyOffers beyond a thousand, NoPriceChanges where nothing is to
        be otherwise."""
        _check(edit)
        meant = edit.meant
        words = "" if meant.offers else meant.words.lower()
        status = None if meant.offers else meant.status
        only = None if meant.offers is None else sorted(set(meant.offers))
        asked = (seller_id, None, status, words.split(), PRICE_EDIT_MAX + 1, only)
        rows = await self._db.fetch(queries.of_seller, *asked)
        if only is not None and len(rows) < len(only):
            raise NotFound("You have no such offer.", pointer="/offers")
        if len(rows) > PRICE_EDIT_MAX:
            raise TooManyOffers(pointer="/offers")
        now = clock.now()
        offers = [_edited(offer_of(row, now), edit, self._currency, now) for row in rows]
        return PricePreview(offers, fingerprint(offers).hex())

    async def edit_prices(
        self, seller_id: SellerId, import_id: ImportId, edited: list[EditedOffer]
    ) -> PricesEdited:
        """Change prices to what was looked at, where they still are what they were then, in one commit.

        It is noted as an import's change is, to be put back. Again it changes nothing and answers the
        same."""
        now = clock.now()
        wanted = {each.offer_id: each for each in edited}
        async with self._db.acquire() as db, db.transaction():
            await db.execute(queries.lock, sorted({each.product_id for each in edited}))
            own = (seller_id, None, None, _NO_WORDS, len(wanted), list(wanted))
            rows = await db.fetch(queries.of_seller, *own)
            standing = {row["offer_id"]: offer_of(row, now) for row in rows}
            done = {row["id"] for row in await db.fetch(queries.repriced_by, import_id, list(wanted))}
            due: list[EditedOffer] = []
            refused: list[EditedOffer] = []
            for each in edited:
                if each.offer_id in done:
                    continue
                if why := _hindered(standing.get(each.offer_id), each):
                    refused.append(replace(each, after=None, code=why.code(), why=str(why)))
                else:
                    due.append(each)
            columns = sql.columns([_row(each) for each in due], 9)
            written = await db.fetch(queries.reprice, self._currency, import_id, now, *columns)
            product_ids = sorted({ProductId(row["product_id"]) for row in written})
            await db.execute(queries.tell, product_ids, now)
        await self._changes.clear_caches(product_ids)
        return PricesEdited(changed=len(done) + len(written), refused=refused)


def _check(edit: PriceEdit) -> None:
    if replace(edit, meant=OffersMeant()) == PriceEdit():
        raise NoPriceChanges
    if edit.price:
        check_move(edit.price, "/price")
    if edit.sale:
        check_move(edit.sale.price, "/sale/price")
    if edit.compare_at_price:
        check_move(edit.compare_at_price, "/compare_at_price")


def _edited(offer: Offer, edit: PriceEdit, currency: str, now: datetime) -> EditedOffer:
    before = _prices(offer)
    after: OfferPrices | None = None
    why: Refusal | None = None
    try:
        if offer.flash:
            raise InFlashSale
        if offer.currency != currency:
            raise OtherCurrency(f"It is priced in {offer.currency}, and this shop sells in {currency}.")
        price = edited_price(before.price, edit, currency)
        if price <= 0:
            raise Invalid("It would cost nothing, or less.")
        wanted = replace(offer, regular_price=price)
        changed = with_terms(wanted, edited_terms(before.price, price, edit, currency), now)
        check_for_sale(changed.status, price, currency, currency)
        after = _prices(changed)
    except Refusal as refused:
        why = refused
    return EditedOffer(
        offer_id=offer.offer_id,
        product_id=offer.product_id,
        title=offer.title,
        currency=offer.currency,
        before=before,
        after=after,
        code=why.code() if why else "",
        why=str(why) if why else "",
    )


def _hindered(standing: Offer | None, wanted: EditedOffer) -> Refusal | None:
    """Say what is in the way of changing a price by now."""
    if standing is None:
        return NotFound("This offer is gone.")
    if standing.flash:
        return InFlashSale()
    return None if _prices(standing) == wanted.before else ChangedMeanwhile()


def _prices(offer: Offer) -> OfferPrices:
    return OfferPrices(price=offer.regular_price, compare_at_price=offer.compare_at_price, sale=offer.sale)


def _row(each: EditedOffer) -> tuple[OfferId, int, int, object, object, object, bool, str, None]:
    """Make a row of what `reprice` takes: all three are said, and the status stays."""
    assert each.after is not None
    after = each.after
    begins = sale_columns(after.sale)
    return (each.offer_id, after.price, after.compare_at_price or 0, *begins, True, each.currency, None)
