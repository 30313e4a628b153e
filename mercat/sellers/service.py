from typing import Annotated

import asyncpg
from msgspec import UnsetType

from mercat import ids
from mercat.catalog import (
    Catalog,
    GivenVariant,
    Imported,
    ImportRow,
    Listed,
    ListingKey,
    NewProduct,
    ProductChange,
    matched,
)
from mercat.events import AccountErased
from mercat.ids import ProductId, SellerId, UserId
from mercat.inventory import Inventory, Line, ShelfCount, StockQuantity
from mercat.kit import sql
from mercat.kit.event_log import on
from mercat.kit.refusals import ConditionMissing, Invalid, NotFound, Refusal, Stale
from mercat.kit.rpc import IN_BODY
from mercat.kit.text import is_line, normal_text
from mercat.sellers.messages import SELLER_NAME_MAX, ListingRow, NameTaken, RefusedRow, Seller, SellerListing
from mercat.sellers.rules import is_the_shops, skeleton

queries = sql.load("mercat.sellers")


class Sellers:
    def __init__(self, db: asyncpg.Pool, catalog: Catalog, inventory: Inventory) -> None:
        self._db = db
        self._catalog = catalog
        self._inventory = inventory

    async def list_product(
        self,
        seller_id: SellerId,
        product: NewProduct,
        quantity: StockQuantity,
        key: ListingKey | None = None,
    ) -> Listed:
        """List a product with its stock: it can be bought when this returns.

        The commit that lists it tells OffersListed, which inventory follows, so a crash in between leaves no
        goods without stock; the stock that comes second changes nothing. `quantity` is that of a product
        without variants; those say theirs. The same `key` of the caller again lists nothing new; KeyReused
        where it listed something else."""
        return await self._list(await self.seller(seller_id), product, quantity, key)

    async def listing(self, seller_id: SellerId, product_id: ProductId) -> SellerListing:
        """Answer a seller's product as it stands, with what is on the shelves of its offers."""
        listing = await self._catalog.listing(seller_id, product_id)
        offers = [each.offer_id for each in listing.variants]
        return SellerListing(listing, await self._inventory.owned(seller_id, offers))

    async def change_product(
        self, seller_id: SellerId, product_id: ProductId, change: ProductChange, seen: str | None = None
    ) -> None:
        """Change a product and its variants, as `Catalog.change_product` does, then the stock that is given.

        A new variant brings its stock as `list_product` does. For one that stands the stock is set only where
        it was `seen`: the mark of the SellerListing that was read (else ConditionMissing), and if nobody
        bought meanwhile (else Stale, and everything but the stock is as asked). The same again changes
        nothing."""
        standing = await self.listing(seller_id, product_id)
        if seen is not None and seen not in (standing.mark, standing.listing.mark):
            raise Stale
        variants = [] if isinstance(change.variants, UnsetType) else change.variants
        counts = _counts(standing, variants)
        if counts and seen != standing.mark:
            raise ConditionMissing("Stock that is there is changed with If-Match: the ETag that you read.")
        mark = None if seen is None else standing.listing.mark
        changed = await self._catalog.change_product(seller_id, product_id, change, mark)
        if changed.stock:
            lines = [Line(offer_id, quantity) for offer_id, quantity in changed.stock.items()]
            await self._inventory.receive(changed.reference, lines, seller_id)
        if counts:
            await self._inventory.count_all(seller_id, counts)

    async def list_each(
        self, seller_id: SellerId, rows: list[ListingRow], key: ListingKey
    ) -> list[RefusedRow]:
        """List each row by itself, under the rule of `list_product`, and return those that were refused.

        A bad row never keeps a good one out. The same `key` again, after a crash perhaps, lists what it has
        not listed yet."""
        seller = await self.seller(seller_id)
        refused: list[RefusedRow] = []
        for each in rows:
            try:
                await self._list(seller, each.product, each.quantity, f"{key}/{each.row}")
            except Refusal as refusal:
                pointer = str(refusal.facts.get("pointer", ""))
                refused.append(RefusedRow(each.row, pointer.strip("/"), str(refusal)))
        return refused

    async def _list(
        self, seller: Seller, product: NewProduct, quantity: StockQuantity, key: ListingKey | None
    ) -> Listed:
        seller_id = seller.seller_id
        listed = await self._catalog.create(seller_id, seller.name, product, quantity, key)
        units = [_given(each.quantity) for each in product.variants] or [quantity]
        pairs = zip(listed.offers, units, strict=True)
        lines = [Line(offer_id, count) for offer_id, count in pairs if count is not None]
        await self._inventory.receive(f"listed/{int(listed.offer_id)}", lines, seller_id)
        return listed

    async def list_many(self, seller_id: SellerId, rows: list[ImportRow], stock: StockQuantity) -> Imported:
        """List rows from elsewhere by their external ids, with their stock, under the rule of `list_product`.

        The same rows again change nothing. `stock`: the units of a new offer whose row does not say."""
        seller = await self.seller(seller_id)
        imported = await self._catalog.take(rows, seller_id, seller.name, stock)
        if imported.stock:
            lines = [Line(offer_id, quantity) for offer_id, quantity in imported.stock.items()]
            await self._inventory.receive(imported.reference, lines, seller_id)
        return imported

    async def register(self, user_id: UserId, name: str) -> SellerId:
        """Make a person a seller; asked again, they are the seller they are already."""
        name = _checked(name)
        if standing := await self.of_user(user_id):
            return standing.seller_id
        if is_the_shops(name):
            raise NameTaken(pointer="/name")
        made = await self._made(user_id, name)
        if made:
            return made
        if standing := await self.of_user(user_id):
            return standing.seller_id
        raise NameTaken(pointer="/name")

    async def by_name(self, name: Annotated[str, IN_BODY], user_id: UserId | None = None) -> SellerId:
        """Return the seller of this name, made if there is none: for imports, which know no person.

        With a person, a seller that nobody has becomes theirs; NameTaken for another's."""
        name = _checked(name)
        made = await self._made(user_id, name)
        if made:
            return made
        standing = await self._db.fetchrow(queries.by_name, name)
        if standing and (user_id is None or standing["user_id"] == user_id):
            return SellerId(standing["seller_id"])
        if standing and await self._db.fetchrow(queries.adopt, standing["seller_id"], user_id):
            return SellerId(standing["seller_id"])
        raise NameTaken(pointer="/name")

    @on(AccountErased)
    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Leave the sellers of people who are to be forgotten without a person; operators act for them."""
        await db.execute(queries.forget_people, [person for event in events for person in event.people])

    async def _made(self, user_id: UserId | None, name: str) -> SellerId | None:
        """Make a seller, unless the person is one, or the name or one that looks alike is taken."""
        for row in await self._db.fetch(queries.without_looks):  # the previous release made them
            await self._db.execute(queries.fill_looks, row["seller_id"], skeleton(row["name"]))
        row = await self._db.fetchrow(queries.register, ids.new(SellerId), user_id, name, skeleton(name))
        return SellerId(row["seller_id"]) if row else None

    async def of_user(self, user_id: UserId) -> Seller | None:
        row = await self._db.fetchrow(queries.of_user, user_id)
        return sql.row(Seller, row) if row else None

    async def seller(self, seller_id: SellerId) -> Seller:
        rows = await self._db.fetch(queries.sellers, [seller_id])
        if not rows:
            raise NotFound("There is no such seller.")
        return sql.row(Seller, rows[0])

    async def names(self, seller_ids: list[SellerId]) -> dict[SellerId, str]:
        rows = await self._db.fetch(queries.sellers, seller_ids)
        return {SellerId(row["seller_id"]): row["name"] for row in rows}


def _given(quantity: int | UnsetType) -> int | None:
    return None if isinstance(quantity, UnsetType) else quantity


def _counts(standing: SellerListing, variants: list[GivenVariant]) -> list[ShelfCount]:
    """List the shelves whose stock is given otherwise than it stands, as they were read."""
    shelves = {each.offer_id: each for each in standing.stock}
    pairs = zip(matched(standing.listing.variants, variants), variants, strict=True)
    return [
        ShelfCount(quantity, offer_id=shelf.offer_id, version=shelf.version)
        for before, given in pairs
        if before
        and (shelf := shelves.get(before.offer_id))
        and (quantity := _given(given.quantity)) is not None
        and quantity != shelf.on_hand
    ]


def _checked(name: str) -> str:
    """Bring a name into normal form, each run of white space one space."""
    name = " ".join(normal_text(name).split())
    if not is_line(name):
        raise Invalid("A name has no control characters.", pointer="/name")
    if not 1 <= len(name) <= SELLER_NAME_MAX:
        raise Invalid(f"A seller's name has 1 to {SELLER_NAME_MAX} characters.", pointer="/name")
    return name
