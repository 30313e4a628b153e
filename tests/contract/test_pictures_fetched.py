"""Pictures that an import brings are fetched into the shop: within limits, and never from our own network."""

import asyncio
import gzip
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from contract.test_exports import PNG

from mercat.app import build_shop
from mercat.catalog import ImportBatch, ImportRow, ImportVariant, NewProduct, ProductChange
from mercat.ids import ImportId, ProductId
from mercat.media import PictureFetching

asked: list[str] = []
"""Which codings the answer that is packed was asked for in."""


class Elsewhere(BaseHTTPRequestHandler):
    """Another shop's pictures."""

    def do_GET(self):
        if self.path == "/moved.png":
            self.send_response(302)
            self.send_header("location", "/a.png")
        elif self.path == "/round.png":
            self.send_response(302)
            self.send_header("location", "/round.png")
        elif self.path == "/nowhere.png":
            self.send_response(302)
            self.send_header("location", "http://[")
        elif self.path == "/packed.png":
            asked.append(self.headers["accept-encoding"])
            self.send_response(200)
            self.send_header("content-encoding", "gzip")
        elif self.path in ("/a.png", "/b.png", "/text.png", "/large.png"):
            self.send_response(200)
            self.send_header("content-type", "image/png")
        else:
            self.send_response(404 if self.path == "/gone.png" else 503)
        self.end_headers()
        if self.path in ("/a.png", "/b.png"):
            self.wfile.write(PNG)
        elif self.path == "/text.png":
            self.wfile.write(b"no picture")
        elif self.path == "/packed.png":
            self.wfile.write(gzip.compress(b"\0" * 11_000_000))
        elif self.path == "/large.png":
            for _ in range(14):
                self.wfile.write(b"\0" * 1_000_000)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
async def fetched(settings, elsewhere, db):
    """Import a product with pictures, and fetch all that is due; answer its pictures and what failed."""

    async def fetched(names, allowed="127.0.0.0/8"):
        more = msgspec.structs.replace(settings, fetch_pictures=True, picture_networks=allowed)
        async with AsyncExitStack() as stack:
            shop = await build_shop(more, stack)
            seller = await shop.sellers.by_name("Mover")
            urls = [f"{elsewhere}/{name}" for name in names]
            row = ImportRow(
                external_id="a",
                title="Pot",
                images=urls,
                alts={urls[0]: "A red pot"},
                variants=[ImportVariant(500, 1, images=urls[:1])],
            )
            batch = ImportBatch(rows=[row])
            await shop.sellers.list_many(seller, batch)
            fetching = PictureFetching(shop.media, shop.catalog, more)
            for _ in range(4):
                await asyncio.wait_for(fetching.fetch_due(), 60)
            [product] = await shop.catalog.exported(ProductId(0))
            again = await shop.sellers.list_many(seller, msgspec.structs.replace(batch, overrules=True))
            assert (again.added, again.changed) == (0, 0), "the same file finds its pictures again"
            return product

    return fetched


async def test_pictures_come_into_the_shop_and_keep_their_source(fetched, elsewhere, db):
    product = await fetched(["a.png", "moved.png"])
    assert all(image.url.startswith("/media/") for image in product.images)
    assert [image.source for image in product.images] == [f"{elsewhere}/a.png", f"{elsewhere}/moved.png"]
    assert product.images[0].alt == "A red pot"
    assert product.variants[0].images[0].url == product.images[0].url
    assert not await db.fetchval("select count(*) from catalog.picture_elsewhere")


async def test_pictures_that_a_seller_gives_by_their_address_come_too(settings, elsewhere, db):
    more = msgspec.structs.replace(settings, fetch_pictures=True, picture_networks="127.0.0.0/8")
    async with AsyncExitStack() as stack:
        shop = await build_shop(more, stack)
        seller = await shop.sellers.by_name("Mover")
        fetching = PictureFetching(shop.media, shop.catalog, more)
        given = [f"{elsewhere}/a.png", f"{elsewhere}/b.png"]
        pot = NewProduct(title="Pot", price=500, images=given[:1])
        product_id = (await shop.catalog.create(seller, "Mover", pot)).product_id
        await asyncio.wait_for(fetching.fetch_due(), 60)
        for _ in range(2):
            await shop.catalog.change_product(seller, product_id, ProductChange(images=given))
            await asyncio.wait_for(fetching.fetch_due(), 60)
            images = (await shop.catalog.listing(seller, product_id)).images
            assert [image.source for image in images] == given
            assert all(image.url.startswith("/media/") for image in images)
        assert not await db.fetchval("select count(*) from catalog.picture_elsewhere")


async def test_what_cannot_be_had_stays_where_it_is(fetched, elsewhere, db):
    names = ["gone.png", "text.png", "large.png", "round.png", "busy.png"]
    product = await fetched(names)
    assert [image.url for image in product.images] == [f"{elsewhere}/{name}" for name in names]
    rows = await db.fetch("select url, tries, failure from catalog.picture_elsewhere")
    found = {row["url"].rpartition("/")[2]: (row["tries"], row["failure"]) for row in rows}
    assert {name: tries for name, (tries, _) in found.items()} == {
        "gone.png": 6,
        "text.png": 6,
        "large.png": 6,
        "round.png": 6,
        "busy.png": 1,
    }
    assert "12 MB" in found["large.png"][1]


async def test_a_picture_that_an_undone_import_had_replaced_is_fetched(settings, db):
    """It may have gone before it was fetched."""
    async with AsyncExitStack() as stack:
        shop = await build_shop(msgspec.structs.replace(settings, fetch_pictures=True), stack)
        seller = await shop.sellers.by_name("Mover")
        for number, name in enumerate("ab", 1):
            row = ImportRow(
                external_id="a",
                title="Pot",
                images=[f"https://pictures.example/{name}.png"],
                variants=[ImportVariant(500, 1)],
            )
            await shop.sellers.list_many(seller, ImportBatch(rows=[row], import_id=ImportId(number)))
        await db.execute("delete from catalog.picture_elsewhere")
        assert (await shop.catalog.undo_import(ImportId(2))).put_back == 1
        rows = await db.fetch("select url from catalog.picture_elsewhere")
        assert [row["url"] for row in rows] == ["https://pictures.example/a.png"]


async def test_an_answer_that_is_packed_is_not_unpacked(fetched, elsewhere, db):
    await fetched(["packed.png"])
    [row] = await db.fetch("select tries, failure from catalog.picture_elsewhere")
    assert (row["tries"], row["failure"]) == (6, "It comes packed, which nobody asked for.")
    assert asked[-1] == "identity"


async def test_a_picture_that_leads_nowhere_stops_no_other(fetched, elsewhere, db):
    product = await fetched(["nowhere.png", "a.png"])
    assert product.images[1].url.startswith("/media/")
    [row] = await db.fetch("select tries, failure from catalog.picture_elsewhere")
    assert row["tries"] == 6
    assert "no address" in row["failure"]


async def test_nothing_is_fetched_from_our_own_network(fetched, elsewhere, db):
    product = await fetched(["a.png"], allowed="")
    assert product.images[0].url == f"{elsewhere}/a.png"
    [row] = await db.fetch("select tries, failure from catalog.picture_elsewhere")
    assert row["tries"] == 6
    assert "not an address of the internet" in row["failure"]
