"""The pictures of a seller's product: uploaded, put in order, said in words, taken away."""

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.catalog import DRAWN, IMAGES_MAX, Image, ProductChange
from mercat.ids import ProductId
from mercat.kit.refusals import Invalid, NotFound, Refusal
from mercat.media import UPLOAD_BYTES_MAX, Alt, GivenPicture, NotTaken
from mercat.shop import Shop
from mercat.web.desk.page import desk_page, seller_of
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint

_SAID = {
    "saved": "Saved. Shoppers see it so within a second.",
    "added": "Added. Say what each shows, for who cannot see it.",
}


class PictureForm(Struct, frozen=True, kw_only=True):
    alt: Alt = ""
    place: Annotated[int, Meta(ge=1, le=IMAGES_MAX)]


class PicturePages:
    """The pictures of one product."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def pictures(
        self,
        request: Request,
        form: Form | None = None,
        refused: Refusal | None = None,
        not_taken: tuple[NotTaken, ...] = (),
    ) -> Response:
        """Show the pictures, each with its words and its place."""
        _, seller_id = await seller_of(request)
        product_id = id_of(request.path_params["product_id"], ProductId)
        listing = await self._shop.catalog.listing(seller_id, product_id)
        form = form or Form(PictureForm)
        wrong = form.errors or not_taken
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "products",
            seller_id,
            refused.status if refused else (422 if wrong else 200),
            template="desk_pictures.html",
            product_id=product_id,
            title=listing.title,
            images=_own(listing.images),
            seen=listing.mark,
            form=form,
            not_taken=not_taken,
            most=UPLOAD_BYTES_MAX // 10**6,
            said=_SAID.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused else None,
        )

    async def add(self, request: Request) -> Response:
        """Take pictures in, after those that are there. The same file again is the same picture."""
        files = await self._pages.uploads(request, "file")
        _, seller_id = await seller_of(request)
        product_id = id_of(request.path_params["product_id"], ProductId)
        given = [GivenPicture(file.filename or "file", await file.read()) for file in files]
        try:
            if not given:
                raise Invalid("Choose a picture.")
            not_taken = await self._shop.media.add_to_product(seller_id, product_id, given)
        except NotFound:
            raise
        except Refusal as refused:
            return await self.pictures(request, None, refused)
        if not_taken:
            return await self.pictures(request, None, None, tuple(not_taken))
        return self._pages.redirect(request, f"/desk/products/{product_id}/pictures?said=added")

    async def save(self, request: Request) -> Response:
        """Put the pictures in order, say what they show, and take some away."""
        given = await self._pages.form(request)
        _, seller_id = await seller_of(request)
        product_id = id_of(request.path_params["product_id"], ProductId)
        listing = await self._shop.catalog.listing(seller_id, product_id)
        errors = FormErrors()
        kept: list[tuple[int, int, str]] = []
        alts: dict[str, str] = {}
        for n, image in enumerate(_own(listing.images), 1):
            if f"out_{n}" in given:
                continue
            typed = {"alt": given.get(f"alt_{n}", ""), "place": given.get(f"place_{n}", str(n))}
            asked = read_form(typed, PictureForm)
            if isinstance(asked, FormErrors):
                errors |= {f"{name}_{n}": words for name, words in asked.items()}
            else:
                # What was moved up stands before what is at its new place, what was moved down behind it.
                kept.append((asked.place, (asked.place > n) - (asked.place < n), image.url))
                alts[image.url] = asked.alt
        if errors:
            return await self.pictures(request, Form(PictureForm, given, errors))
        change = ProductChange(
            images=[url for _, _, url in sorted(kept, key=lambda each: each[:2])], alts=alts
        )
        try:
            await self._shop.sellers.change_product(seller_id, product_id, change, given.get("seen"))
        except NotFound:
            raise
        except Refusal as refused:
            return await self.pictures(request, Form(PictureForm, given), refused)
        return self._pages.redirect(request, f"/desk/products/{product_id}/pictures?said=saved")


def _own(images: list[Image]) -> list[Image]:
    """List the pictures of a product without the one that is drawn where there is none."""
    return [image for image in images if not image.url.startswith(DRAWN)]


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = PicturePages(pages, shop)
    at = "/desk/products/{product_id}/pictures"
    return [
        pages.route(at, desk.pictures),
        pages.route(at, desk.save, "POST"),
        pages.route(f"{at}/new", desk.add, "POST"),
    ]
