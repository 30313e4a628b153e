"""The form of a new product: its texts, its price, and its pictures before it is there."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.catalog import IMAGES_MAX
from mercat.ids import MediaId, SellerId
from mercat.kit.refusals import Invalid, KeyReused, Refusal
from mercat.media import UPLOAD_BYTES_MAX, Alt, GivenPicture, Medium, NotTaken, ProductPictures
from mercat.shop import Shop
from mercat.web.desk.listing_form import NewListingForm, read_new
from mercat.web.desk.page import DONE, departments, desk_page, seller_of
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.idempotency import form_key
from mercat.web.pages import Pages
from mercat.web.router import Endpoint


class AltForm(Struct, frozen=True):
    alt: Alt = ""


class NewProductPages:
    """The form of a new product. Pictures are kept as drafts until it is listed."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._currency = shop.settings.currency

    async def new(
        self,
        request: Request,
        form: Form | None = None,
        refused: Refusal | None = None,
        not_taken: Sequence[NotTaken] = (),
        added: Sequence[Medium] = (),
    ) -> Response:
        """Show the form with what was typed, and with the pictures that were sent."""
        _, seller_id = await seller_of(request)
        form = form or Form((NewListingForm, AltForm))
        drafts = await self._drafts(seller_id, form.given)
        known = {each.media_id for each in drafts}
        new = [each for each in added if each.media_id not in known]
        wrong = form.errors or not_taken
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "new",
            seller_id,
            refused.status if refused else (422 if wrong else 200),
            form=form,
            key=form_key(form.given),
            categories=await departments(self._pages),
            currency=self._currency,
            drafts=[*drafts, *new],
            first_new=len(drafts) + 1 if new else 0,
            not_taken=not_taken,
            most=UPLOAD_BYTES_MAX // 10**6,
            said=DONE.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused and not form.errors else None,
        )

    async def pictures(self, request: Request) -> Response:
        """Take pictures in, or one out, and show the form as it was typed. The same file is the same."""
        given, form = await self._sent(request)
        _, seller_id = await seller_of(request)
        typed = Form((NewListingForm, AltForm), form)
        try:
            if len(_places(form)) + len(given) > IMAGES_MAX:
                raise Invalid(f"A product has at most {IMAGES_MAX} pictures.")
            taken = await self._shop.media.add_drafts(seller_id, given)
        except Refusal as refused:
            return await self.new(request, typed, refused)
        return await self.new(request, typed, None, taken.not_taken, taken.media)

    async def list_product(self, request: Request) -> Response:
        """Put the product on sale, with the pictures sent before and those that come along."""
        given, form = await self._sent(request)
        _, seller_id = await seller_of(request)
        asked, alts = read_new(form, self._currency), _alts(form)
        if isinstance(asked, FormErrors) or isinstance(alts, FormErrors):
            errors = FormErrors()
            for each in (asked, alts):
                errors |= each if isinstance(each, FormErrors) else {}
            taken = await self._shop.media.add_drafts(seller_id, given)
            return await self._again(request, form, errors, None, taken.not_taken, taken.media)
        product, quantity = asked
        pictures = ProductPictures(alts, given)
        try:
            key = f"form/{form_key(form)}"
            taken = await self._shop.media.list_product(seller_id, product, quantity, key, pictures)
        except KeyReused:
            words = "A product was listed from this page already. Press again to list this one too."
            return await self._again(request, form | {"key": ""}, {}, KeyReused(words))
        except Refusal as refused:
            return await self._again(request, form, errors_of(refused), refused)
        if taken.not_taken:
            return await self._again(request, form, {}, None, taken.not_taken, taken.media)
        return self._pages.redirect(request, "/desk?said=listed")

    async def _again(
        self,
        request: Request,
        form: Mapping[str, str],
        errors: Mapping[str, str],
        refused: Refusal | None = None,
        not_taken: Sequence[NotTaken] = (),
        added: Sequence[Medium] = (),
    ) -> Response:
        shown = Form((NewListingForm, AltForm), form, errors)
        return await self.new(request, shown, refused, not_taken, added)

    async def _sent(self, request: Request) -> tuple[list[GivenPicture], dict[str, str]]:
        """Read the files and the fields of the form."""
        form = await self._pages.form(request)
        files = await self._pages.uploads(request, "file")
        return [GivenPicture(file.filename or "file", await file.read()) for file in files], _numbered(form)

    async def _drafts(self, seller_id: SellerId, form: Mapping[str, str]) -> list[Medium]:
        """Look up the pictures that a form names."""
        named = list(_places(form))
        found = await self._shop.media.media(named, seller_id) if named else []
        by_id = {each.media_id: each for each in found}
        return [by_id[each] for each in named if each in by_id]


def _numbered(form: Mapping[str, str]) -> dict[str, str]:
    """Give the pictures of a form their places anew, without the one that is taken out."""
    kept = {name: value for name, value in form.items() if not name.startswith(("media_", "alt_"))}
    out, named = kept.pop("out", ""), set[str]()
    for place in range(1, IMAGES_MAX + 1):
        each = form.get(f"media_{place}", "")
        if each and each != out and each not in named:
            named.add(each)
            kept[f"media_{len(named)}"] = each
            kept[f"alt_{len(named)}"] = form.get(f"alt_{place}", "")
    return kept


def _places(form: Mapping[str, str]) -> dict[MediaId, int]:
    """Read at which place a form has each picture."""
    places = ((form.get(f"media_{place}", ""), place) for place in range(1, IMAGES_MAX + 1))
    return {id_of(each, MediaId): place for each, place in places if each}


def _alts(form: Mapping[str, str]) -> dict[MediaId, str] | FormErrors:
    """Read what each picture of a form shows."""
    found: dict[MediaId, str] = {}
    errors = FormErrors()
    for media_id, place in _places(form).items():
        asked = read_form({"alt": form.get(f"alt_{place}", "")}, AltForm)
        if isinstance(asked, FormErrors):
            errors[f"alt_{place}"] = asked["alt"]
        else:
            found[media_id] = asked.alt
    return errors or found


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = NewProductPages(pages, shop)
    return [
        pages.route("/desk/new", desk.new),
        pages.route("/desk/new", desk.list_product, "POST"),
        pages.route("/desk/new/pictures", desk.pictures, "POST"),
    ]
