import asyncpg

from mercat import ids
from mercat.events import AccountErased
from mercat.ids import ProductId, UserId, WishlistId
from mercat.kit import clock, sql
from mercat.kit.event_log import on
from mercat.kit.refusals import NotFound
from mercat.kit.signing import seal, unseal
from mercat.settings import Settings
from mercat.wishlist.messages import (
    FIRST_NAME,
    FirstWishlist,
    Item,
    NamedList,
    PriceSeen,
    SharedList,
    WishlistFull,
    WishlistLimit,
    WishlistName,
)
from mercat.wishlist.watching import Watching

queries = sql.load("mercat.wishlist")


class Wishlist:
    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._key = settings.key("shared wishlists")
        self.watching = Watching(db)
        self.keepers = self.watching.keepers

    async def items(self, user_id: UserId) -> list[Item]:
        """List everything a person keeps, the newest first: at most 1,000."""
        return sql.rows(Item, await self._db.fetch(queries.items, user_id))

    async def lists(self, user_id: UserId) -> list[NamedList]:
        """List a person's wishlists, the first one first."""
        first = await self._db.fetchrow(queries.first, user_id)
        items, alerts = (first["items"], first["alerts"]) if first else (0, True)
        named = await self._db.fetch(queries.lists, user_id)
        link = seal(self._key, [int(user_id)])
        mine = NamedList(WishlistId(user_id), FIRST_NAME, items, link, alerts)
        return [mine] + [self._named(row) for row in named]

    async def alert(self, user_id: UserId, wishlist_id: WishlistId, on: bool) -> None:
        """Say whether one hears of better prices and of what is there again; NotFound for another's list."""
        if int(wishlist_id) == int(user_id):
            await self._db.execute(queries.alert_first, user_id, on)
        else:
            _found(await self._db.fetchrow(queries.alert, user_id, wishlist_id, on))

    async def add(self, user_id: UserId, name: WishlistName) -> NamedList:
        """Make another list; WishlistLimit beyond 20."""
        wishlist_id = ids.new(WishlistId)
        try:
            made = await self._db.fetchval(queries.add, wishlist_id, user_id, name.strip(), clock.now())
        except asyncpg.UniqueViolationError:  # two at once took one slot
            return await self.add(user_id, name)
        if made is None:
            raise WishlistLimit
        return self._list(wishlist_id, name.strip(), 0)

    async def rename(self, user_id: UserId, wishlist_id: WishlistId, name: WishlistName) -> NamedList:
        """Call a list something else; NotFound for another's."""
        _other_than_first(user_id, wishlist_id)
        row = await self._db.fetchrow(queries.rename, user_id, wishlist_id, name.strip())
        return self._named(_found(row))

    async def remove(self, user_id: UserId, wishlist_id: WishlistId) -> None:
        """Remove a list with what is on it; NotFound for another's."""
        _other_than_first(user_id, wishlist_id)
        _found(await self._db.fetchrow(queries.remove, user_id, wishlist_id))

    async def items_of(self, user_id: UserId, wishlist_id: WishlistId) -> list[Item]:
        """List what is on one of a person's lists, the newest first; NotFound for another's."""
        if int(wishlist_id) == int(user_id):
            return await self.items(user_id)
        _found(await self._db.fetchrow(queries.owned, user_id, wishlist_id))
        return sql.rows(Item, await self._db.fetch(queries.named_items, wishlist_id))

    async def put_into(
        self, user_id: UserId, wishlist_id: WishlistId, product_id: ProductId, seen: PriceSeen | None = None
    ) -> None:
        """Put a product on a list; once more changes nothing. Refuses: wishlist_full, not_found."""
        if int(wishlist_id) == int(user_id):
            await self.put(user_id, product_id, seen)
            return
        await self.watching.watch(product_id, seen)
        try:
            await self._db.execute(queries.put_into, user_id, wishlist_id, product_id, clock.now())
        except asyncpg.CheckViolationError:
            raise WishlistFull from None
        _found(await self._db.fetchrow(queries.owned, user_id, wishlist_id))

    async def drop_from(self, user_id: UserId, wishlist_id: WishlistId, product_id: ProductId) -> None:
        """Take a product off a list, whether it was on it or not; NotFound for another's list."""
        if int(wishlist_id) == int(user_id):
            await self.drop(user_id, product_id)
            return
        await self._db.execute(queries.drop_from, user_id, wishlist_id, product_id)
        _found(await self._db.fetchrow(queries.owned, user_id, wishlist_id))

    async def shared(self, token: str) -> SharedList:
        """Show a list to who has its link; NotFound for a link that is none."""
        if first := unseal(self._key, token, tuple[int]):  # it may have no row yet
            return SharedList(FIRST_NAME, await self.items(UserId(first[0])))
        sealed = unseal(self._key, token, int)
        if sealed is None:
            raise NotFound("There is no such list.")
        row = await self._db.fetchrow(queries.named, sealed)
        if row is not None:
            return SharedList(row["name"], sql.rows(Item, await self._db.fetch(queries.named_items, sealed)))
        if await self._db.fetchval(queries.items_of_first, sealed) is None:  # links of 0.1.0
            raise NotFound("There is no such list.")
        return SharedList(FIRST_NAME, await self.items(UserId(sealed)))

    def _named(self, row: asyncpg.Record) -> NamedList:
        return self._list(WishlistId(row["wishlist_id"]), row["name"], row["items"], alerts=row["alerts"])

    def _list(self, wishlist_id: WishlistId, name: str, items: int, *, alerts: bool = True) -> NamedList:
        return NamedList(wishlist_id, name, items, seal(self._key, int(wishlist_id)), alerts)

    async def put(self, user_id: UserId, product_id: ProductId, seen: PriceSeen | None = None) -> None:
        """Keep a product; once more changes nothing. Refuses: wishlist_full."""
        await self.watching.watch(product_id, seen)
        try:
            await self._db.execute(queries.put, user_id, product_id, clock.now())
        except asyncpg.CheckViolationError:
            raise WishlistFull from None

    async def adopt(self, guest_id: UserId, user_id: UserId) -> None:
        """Move what a guest keeps to a person's list, as much as fits; once more changes nothing."""
        async with self._db.acquire() as db, db.transaction():
            await db.execute(queries.lock_list, user_id)
            await db.execute(queries.adopt, guest_id, user_id)

    @on(AccountErased)
    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Empty the lists of people who are to be forgotten."""
        people = [person for event in events for person in event.people]
        await db.execute(queries.forget_people, people)
        await db.execute(queries.forget_named, people)

    async def drop(self, user_id: UserId, product_id: ProductId) -> None:
        """Remove a product, whether it was kept or not."""
        await self._db.execute(queries.drop, user_id, product_id)


def _other_than_first(user_id: UserId, wishlist_id: WishlistId) -> None:
    if int(wishlist_id) == int(user_id):
        raise FirstWishlist


def _found(row: asyncpg.Record | None) -> asyncpg.Record:
    if row is None:
        raise NotFound("You have no such list.")
    return row
