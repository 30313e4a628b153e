import asyncpg
from msgspec import UnsetType
from msgspec.structs import replace

from mercat import ids
from mercat.catalog import (
    Catalog,
    CountedOffer,
    GivenVariant,
    ImportBatch,
    Imported,
    Listed,
    ListingKey,
    NewOffer,
    NewProduct,
    ProductChange,
    matched,
)
from mercat.events import AccountErased
from mercat.ids import OfferId, ProductId, SellerId, UserId
from mercat.inventory import Inventory, Line, ShelfCount, StockQuantity
from mercat.kit import sql
from mercat.kit.event_log import on
from mercat.kit.refusals import ConditionMissing, NotFound, Stale
from mercat.sellers.file_imports import FileImports
from mercat.sellers.messages import (
    AlreadySeller,
    NameTaken,
    Seller,
    SellerHasPeople,
    SellerListing,
    SellerStatus,
    SuspensionReason,
)
from mercat.sellers.rules import checked_name, is_the_shops, look_of
from mercat.settings import Settings

queries = sql.load("mercat.sellers")


class Sellers:
    def __init__(self, db: asyncpg.Pool, catalog: Catalog, inventory: Inventory, settings: Settings) -> None:
        self._db = db
        self._catalog = catalog
        self._inventory = inventory
        self._settings = settings
        self.imports = FileImports(db, self.list_many, catalog, inventory, settings)
        self.start_import = self.imports.start_import
        self.start_price_edit = self.imports.start_price_edit
        self.file_import = self.imports.file_import
        self.file_imports = self.imports.file_imports
        self.undo_import = self.imports.undo_import
        self.put_back = self.imports.put_back
        self.forget_old_imports = self.imports.forget_old_imports

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

    async def offer_product(
        self, seller_id: SellerId, offer: NewOffer, key: ListingKey | None = None
    ) -> OfferId:
        """Offer what another seller lists, with its stock, under the rule of `list_product`."""
        seller = await self.seller(seller_id)
        changed = await self._catalog.offer_product(seller_id, seller.name, offer, key)
        if changed.stock:
            lines = [Line(offer_id, quantity) for offer_id, quantity in changed.stock.items()]
            await self._inventory.receive(changed.reference, lines, seller_id)
        return changed.offers[0]

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

    async def list_many(self, seller_id: SellerId, batch: ImportBatch) -> Imported:
        """List rows from elsewhere by their external ids, with their stock, under the rule of `list_product`.

        The same rows again change nothing."""
        seller = await self.seller(seller_id)
        imported = await self._catalog.take(batch, seller_id, seller.name)
        if imported.stock and not batch.dry_run:
            lines = [Line(offer_id, quantity) for offer_id, quantity in imported.stock.items()]
            await self._inventory.receive(imported.reference, lines, seller_id)
        if not imported.counts:
            return imported
        counted = await self._recount(batch, seller_id, imported.counts)
        more = {each.place for each in imported.counts if each.offer_id in counted and not each.changed}
        return replace(
            imported, changed=imported.changed + len(more), unchanged=imported.unchanged - len(more)
        )

    async def _recount(
        self, batch: ImportBatch, seller_id: SellerId, counts: list[CountedOffer]
    ) -> set[OfferId]:
        """Set the stock that rows say of what was there before; answer the offers whose stock is another."""
        if batch.dry_run:
            shelves = await self._inventory.owned(seller_id, [each.offer_id for each in counts])
            there = {shelf.offer_id: shelf.on_hand for shelf in shelves}
            return {each.offer_id for each in counts if there.get(each.offer_id, 0) != each.quantity}
        lines = [Line(each.offer_id, each.quantity) for each in counts]
        reference = batch.reference or f"import/{int(ids.new(OfferId))}"
        return set(await self._inventory.recount(reference, seller_id, lines))

    async def register(self, user_id: UserId, name: str) -> SellerId:
        """Make a person a seller; asked again, they are the seller they are already.

        They wait for an operator, unless the shop lets everybody in."""
        name = checked_name(name)
        if standing := await self.of_user(user_id):
            return standing.seller_id
        if is_the_shops(name, self._settings.shop_name):
            raise NameTaken(pointer="/name")
        status: SellerStatus = "active" if self._settings.seller_approval == "auto" else "pending"
        made = await self._add(user_id, name, status)
        if made is None and (standing := await self.of_user(user_id)):
            return standing.seller_id
        if made is None:
            raise NameTaken(pointer="/name")
        if status == "pending":
            await self._tell_catalog(made, is_open=False)
        return made.seller_id

    async def by_name(self, name: str, user_id: UserId | None = None) -> SellerId:
        """Return the seller of this name, made if there is none: for operators, who act for it until it has
        somebody.

        With a person, a seller that nobody has becomes theirs; NameTaken for another's."""
        name = checked_name(name)
        if made := await self._add(user_id, name, "active"):
            return made.seller_id
        standing = await self._db.fetchrow(queries.by_name, name, look_of(name))
        if standing and (user_id is None or standing["user_id"] == user_id):
            return SellerId(standing["seller_id"])
        if standing and await self._db.fetchrow(queries.adopt, standing["seller_id"], user_id):
            return SellerId(standing["seller_id"])
        raise NameTaken(pointer="/name")

    async def named(self, name: str) -> SellerId:
        """Find the seller of this name; NotFound where there is none."""
        row = await self._db.fetchrow(queries.by_name, name, look_of(name))
        if row is None or row["name"].casefold() != name.strip().casefold():
            raise NotFound(f"There is no seller {name}.")
        return SellerId(row["seller_id"])

    async def own(self) -> SellerId:
        """Return the shop's own seller, made when it is first asked for."""
        name = self._settings.shop_name
        for called in (name, f"{name} (the shop)"):
            if found := await self._db.fetchval(queries.own):
                return SellerId(found)
            await self._db.execute(queries.add_own, ids.new(SellerId), called, look_of(called))
        raise NameTaken(pointer="/name")

    async def assign(self, seller_id: SellerId, user_id: UserId) -> Seller:
        """Give a seller that nobody has to a person: SellerHasPeople, AlreadySeller. Again is no other."""
        seller = await self.seller(seller_id)
        if seller.user_id == user_id:
            return seller
        if seller.user_id is not None or seller.own:
            raise SellerHasPeople
        if await self._db.fetchrow(queries.adopt, seller_id, user_id) is None:
            raise AlreadySeller(pointer="/email")
        return await self.seller(seller_id)

    async def approve(self, seller_id: SellerId) -> Seller:
        """Let a seller in, or in again: their goods are for sale."""
        return await self._become(seller_id, "active")

    async def suspend(self, seller_id: SellerId, reason: SuspensionReason) -> Seller:
        """Take a seller's goods off sale. They still see their desk, and ship what was bought."""
        return await self._become(seller_id, "suspended", reason)

    async def _become(self, seller_id: SellerId, status: SellerStatus, reason: str = "") -> Seller:
        row = await self._db.fetchrow(queries.set_status, seller_id, status, reason)
        seller = sql.row(Seller, row) if row else await self.seller(seller_id)
        if row:
            await self._tell_catalog(seller, is_open=status == "active")
        return seller

    async def _tell_catalog(self, seller: Seller, *, is_open: bool) -> None:
        """Have the catalogue know at once what it learns from the event otherwise."""
        await self._catalog.open_seller(seller.seller_id, seller.version, is_open)

    async def _add(self, user_id: UserId | None, name: str, status: SellerStatus) -> Seller | None:
        row = await self._db.fetchrow(
            queries.register, ids.new(SellerId), user_id, name, status, look_of(name)
        )
        return sql.row(Seller, row) if row else None

    async def sellers(
        self, status: SellerStatus | None = None, limit: int = 50, after: SellerId | None = None
    ) -> list[Seller]:
        """List sellers, the newest first."""
        return sql.rows(Seller, await self._db.fetch(queries.newest, status, after, limit))

    @on(AccountErased)
    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Leave the sellers of people who are to be forgotten without a person; operators act for them."""
        await db.execute(queries.forget_people, [person for event in events for person in event.people])

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
