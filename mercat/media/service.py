"""The verbs of media."""

import asyncio
from hashlib import sha256
from typing import Any

import asyncpg

from mercat import ids
from mercat.catalog import DRAWN, IMAGES_MAX, Catalog, ProductChange
from mercat.ids import MediaId, ProductId, SellerId
from mercat.kit import clock, sql
from mercat.kit.picture_names import TYPES, UPLOAD_BYTES_MAX, PictureName, read_name, url_of
from mercat.kit.refusals import Invalid, NotFound, Overloaded, TooLarge
from mercat.media.messages import FILE_NAME_MAX, Alt, GivenPicture, Medium, NotAPicture, NotTaken, Picture
from mercat.media.pictures import Workshop, made_safe, resized
from mercat.media.storage import Storage

queries = sql.load("mercat.media")
_SHOP = 0
_KEPT = ("jpg", "png", "webp")
_STEM_LETTERS = 32


class Media:
    """Pictures of the shop's own."""

    def __init__(self, db: asyncpg.Pool, storage: Storage, catalog: Catalog) -> None:
        self._db = db
        self._catalog = catalog
        self._storage = storage
        self._workshop = Workshop()
        self._resizing: dict[str, asyncio.Task[bytes]] = {}

    async def add(self, content: bytes, seller_id: SellerId | None = None, alt: Alt = "") -> Medium:
        """Take a picture in, made safe; the same bytes again are the same medium, for whoever gives them.

        Without a seller it is the shop's. The file is there before the row, so what a row names can be
        shown; a file whose row never came harms nobody. Raises NotAPicture."""
        digest = sha256(content).digest()
        row = await self._db.fetchrow(queries.of_content, digest)
        if row is None:
            safe = await self._workshop.do(made_safe, content)
            name = f"{digest.hex()[:_STEM_LETTERS]}.{safe.kind}"
            await asyncio.to_thread(self._storage.put, name, safe.content)
            given = (ids.new(MediaId), digest, name, safe.width, safe.height, clock.now())
            await self._db.execute(queries.add, *given)
            row = await self._db.fetchrow(queries.of_content, digest)
            assert row is not None
        said = await self._db.fetchval(queries.hold, row["media_id"], seller_id or _SHOP, alt)
        return _medium(row, said)

    async def add_to_product(
        self, seller_id: SellerId, product_id: ProductId, given: list[GivenPicture]
    ) -> list[NotTaken]:
        """Take pictures in, and show them behind those that a seller's product has; the same again changes
        nothing. Answers what was not taken: the others are. Invalid where a product would have too many."""
        listing = await self._catalog.listing(seller_id, product_id)
        taken: list[str] = []
        not_taken: list[NotTaken] = []
        for each in given:
            try:
                if len(each.content) > UPLOAD_BYTES_MAX:
                    raise TooLarge(f"A picture has at most {UPLOAD_BYTES_MAX // 10**6} MB.")
                taken.append((await self.add(each.content, seller_id)).url)
            except (NotAPicture, TooLarge) as refused:
                not_taken.append(NotTaken(each.name[:FILE_NAME_MAX], str(refused)))
        before = [image.url for image in listing.images if not image.url.startswith(DRAWN)]
        images = list(dict.fromkeys([*before, *taken]))
        if len(images) > IMAGES_MAX:
            raise Invalid(f"A product has at most {IMAGES_MAX} pictures; it would have {len(images)}.")
        if taken:
            await self._catalog.change_product(seller_id, product_id, ProductChange(images=images))
        return not_taken

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
