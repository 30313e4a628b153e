"""The verbs of media."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import asyncpg
from msgspec.structs import replace

from mercat import ids
from mercat.catalog import DRAWN, IMAGES_MAX, Catalog, ListingKey, NewProduct, ProductChange
from mercat.ids import MediaId, ProductId, SellerId
from mercat.kit import clock, sql
from mercat.kit.picture_names import TYPES, UPLOAD_BYTES_MAX, PictureName, files_of, read_name, url_of
from mercat.kit.refusals import Invalid, NotFound, Overloaded, TooLarge
from mercat.media.messages import (
    FILE_NAME_MAX,
    Alt,
    GivenPicture,
    Medium,
    NotAPicture,
    NotTaken,
    Picture,
    PictureGone,
    ProductPictures,
    TakenPictures,
)
from mercat.media.pictures import Workshop, made_safe, resized
from mercat.media.storage import Storage
from mercat.sellers import Sellers

queries = sql.load("mercat.media")
_SHOP = 0
_KEPT = ("jpg", "png", "webp")
_STEM_LETTERS = 32
_DRAFT_DAYS = 7
_DRAFTS_AT_ONCE = 100
_IDLE_S = 60.0


class Media:
    """Pictures of the shop's own."""

    def __init__(self, db: asyncpg.Pool, storage: Storage, catalog: Catalog, sellers: Sellers) -> None:
        self._db = db
        self._catalog = catalog
        self._sellers = sellers
        self._storage = storage
        self._workshop = Workshop()
        self._resizing: dict[str, asyncio.Task[bytes]] = {}

    async def add(self, content: bytes, seller_id: SellerId | None = None, alt: Alt = "") -> Medium:
        """Take a picture in, made safe; the same bytes again are the same medium, for whoever gives them.

        Without a seller it is the shop's. The file is there before the row, so what a row names can be
        shown; a file whose row never came harms nobody. Raises NotAPicture."""
        return await self._add(content, seller_id or _SHOP, alt)

    async def add_drafts(self, seller_id: SellerId, given: list[GivenPicture]) -> TakenPictures:
        """Take pictures in for a product that is not listed yet. They go after a week unless `list_product`
        keeps them. What a seller has already is no draft."""
        return await self._take(seller_id, given, clock.now() + timedelta(days=_DRAFT_DAYS))

    async def list_product(
        self,
        seller_id: SellerId,
        product: NewProduct,
        quantity: int,
        key: ListingKey | None,
        pictures: ProductPictures,
    ) -> TakenPictures:
        """List a product as `Sellers.list_product` does, with its drafts and with files that come along.
        Where one of these is no picture it is not listed, and the others are drafts.

        The drafts are kept before it is listed: after a crash in between they stay, and harm nobody. Again,
        with the same key, it lists nothing new. PictureGone where a draft is not there any more."""
        if len(pictures.alts) + len(pictures.given) > IMAGES_MAX:
            raise Invalid(f"A product has at most {IMAGES_MAX} pictures.", pointer="/file")
        taken = await self.add_drafts(seller_id, pictures.given)
        if taken.not_taken:
            return taken
        came = {each.media_id: each.alt for each in taken.media}
        kept = await self._settle(seller_id, pictures.alts | {**came, **pictures.alts})
        product = replace(
            product,
            images=list(dict.fromkeys([*(each.url for each in kept), *product.images])),
            alts=product.alts | {each.url: each.alt for each in kept if each.alt},
        )
        await self._sellers.list_product(seller_id, product, quantity, key)
        return taken

    async def keep_tidy(self) -> None:
        """Let pictures go that nobody listed within a week; rest where there are none."""
        if await self.forget_drafts() < _DRAFTS_AT_ONCE:
            await asyncio.sleep(_IDLE_S)

    async def forget_drafts(self) -> int:
        """Let some pictures go that nobody listed in time, with their files; answer how many drafts there
        were. The files go first: a row without its file is made whole by who sends the picture again."""
        now = clock.now()
        async with self._db.acquire() as db, db.transaction():
            rows = await db.fetch(queries.lock_old_drafts, now, _DRAFTS_AT_ONCE)
            locked = [row["media_id"] for row in rows]
            await db.execute(queries.drop_old_drafts, locked, now)
            for row in await db.fetch(queries.forget_unheld, locked):
                await asyncio.to_thread(self._storage.remove, files_of(row["name"]))
        return len(locked)

    async def add_to_product(
        self, seller_id: SellerId, product_id: ProductId, given: list[GivenPicture]
    ) -> list[NotTaken]:
        """Take pictures in, and show them behind those that a seller's product has; the same again changes
        nothing. Answers what was not taken: the others are. Invalid where a product would have too many."""
        listing = await self._catalog.listing(seller_id, product_id)
        taken = await self._take(seller_id, given)
        before = [image.url for image in listing.images if not image.url.startswith(DRAWN)]
        images = list(dict.fromkeys([*before, *(each.url for each in taken.media)]))
        if len(images) > IMAGES_MAX:
            raise Invalid(f"A product has at most {IMAGES_MAX} pictures; it would have {len(images)}.")
        if taken.media:
            await self._catalog.change_product(seller_id, product_id, ProductChange(images=images))
        return taken.not_taken

    async def media(self, media_ids: list[MediaId], seller_id: SellerId | None = None) -> list[Medium]:
        """Answer media that a seller may use, their own and the shop's; others are left out."""
        rows = await self._db.fetch(queries.held, media_ids, [seller_id or _SHOP, _SHOP])
        return [_medium(row, row["alt"]) for row in rows]

    async def picture(self, name: str) -> Picture:
        """Answer the file of a picture, or of one of its sizes, which is made when it is first asked for.

        While too many sizes are being made the picture itself has to do. NotFound where there is none."""
        known = read_name(name)
        if known is None:
            raise NotFound
        content = await asyncio.to_thread(self._storage.get, name)
        if content is not None:
            return Picture(content, TYPES[known.kind])
        for kind in _KEPT if known.width else ():
            original = await asyncio.to_thread(self._storage.get, f"{known.stem}.{kind}")
            if original is not None:
                try:
                    return Picture(await self._size(known, original), TYPES[known.kind])
                except Overloaded:
                    return Picture(original, TYPES[kind], exact=False)
        raise NotFound

    async def _take(
        self, seller_id: SellerId, given: list[GivenPicture], draft_until: datetime | None = None
    ) -> TakenPictures:
        """Take in what are pictures, and say why others are none."""
        taken = TakenPictures([], [])
        for each in given:
            try:
                if len(each.content) > UPLOAD_BYTES_MAX:
                    raise TooLarge(f"A picture has at most {UPLOAD_BYTES_MAX // 10**6} MB.")
                taken.media.append(await self._add(each.content, seller_id, "", draft_until))
            except (NotAPicture, TooLarge) as refused:
                taken.not_taken.append(NotTaken(each.name[:FILE_NAME_MAX], str(refused)))
        return taken

    async def _add(self, content: bytes, owner: int, alt: Alt, draft_until: datetime | None = None) -> Medium:
        """Keep a picture and who gave it. One that is let go meanwhile (`forget_drafts`) is kept anew."""
        digest = sha256(content).digest()
        while True:
            row = await self._db.fetchrow(queries.of_content, digest)
            if row is None or await asyncio.to_thread(self._storage.get, row["name"]) is None:
                safe = await self._workshop.do(made_safe, content)
                stem = digest.hex()[:_STEM_LETTERS] + (f"x{safe.tint}" if safe.tint else "")
                name = row["name"] if row else f"{stem}.{safe.kind}"
                await asyncio.to_thread(self._storage.put, name, safe.content)
                given = (ids.new(MediaId), digest, name, safe.width, safe.height, clock.now())
                await self._db.execute(queries.add, *given)
                row = await self._db.fetchrow(queries.of_content, digest)
            with suppress(asyncpg.ForeignKeyViolationError):
                if row is not None:
                    said = await self._db.fetchval(queries.hold, row["media_id"], owner, alt, draft_until)
                    return _medium(row, said)

    async def _settle(self, seller_id: SellerId, alts: Mapping[MediaId, Alt]) -> list[Medium]:
        """Keep pictures of one's own for good, each with what it shows."""
        await self._db.execute(queries.settle, list(alts), list(alts.values()), seller_id)
        found = {each.media_id: each for each in await self.media(list(alts), seller_id)}
        if len(found) < len(alts):
            raise PictureGone
        return [found[each] for each in alts]

    async def _size(self, name: PictureName, original: bytes) -> bytes:
        """Make a size of a picture, once however many ask for it."""
        key = str(name)
        making = self._resizing.get(key)
        if making is None:
            making = self._resizing[key] = asyncio.create_task(self._make(name, original))
            making.add_done_callback(lambda done: self._made(key, done))
        return await asyncio.shield(making)

    def _made(self, key: str, done: "asyncio.Task[bytes]") -> None:
        self._resizing.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever asked has it too

    async def _make(self, name: PictureName, original: bytes) -> bytes:
        made = await self._workshop.do(resized, original, name.width, name.kind)
        await asyncio.to_thread(self._storage.put, str(name), made)
        return made


def _medium(row: Any, alt: str) -> Medium:
    return Medium(MediaId(row["media_id"]), url_of(row["name"]), row["width"], row["height"], alt)
