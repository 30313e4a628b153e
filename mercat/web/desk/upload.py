"""Files of products that sellers send: by the API and at the desk, each with its progress and its report."""

import io
import zipfile
from datetime import datetime

from msgspec import Struct
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from mercat.catalog import ChangedSince
from mercat.ids import ImportId
from mercat.kit.http import Answer
from mercat.kit.refusals import Invalid, NotFound, Refusal
from mercat.kit.rpc import Caller
from mercat.kit.text import seen_line
from mercat.sellers import FILE_NAME_MAX, FileImport, ImportProblem, NewImport
from mercat.shop import Shop
from mercat.web.desk.page import desk_page, seller_of
from mercat.web.desk.products import seller_id_of
from mercat.web.errors import message_of
from mercat.web.forms import id_of, read_body
from mercat.web.idempotency import key_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit

_YES = frozenset({"1", "true", "on", "yes"})
_NO = frozenset({"", "0", "false", "off", "no"})
_LISTED = 20
_KNOWN = frozenset({"file", "dry_run", "format", "csrf"})


class ImportStarted(Struct, frozen=True):
    import_id: ImportId


class UndoShown(Struct, frozen=True):
    """How many things that an import changed were put back, and how many somebody has changed since: of these
    only what is as the import left it."""

    put_back: int
    changed_since: int
    since: list[ChangedSince] = []
    """The first hundred of the latter."""


class ImportShown(Struct, frozen=True):
    """How far a file is, and what became of its rows; `row` is the file's line, and its heading is line 1."""

    import_id: ImportId
    file: str
    format: str
    status: str
    dry_run: bool
    size: int
    read: int
    rows: int
    added: int
    changed: int
    unchanged: int
    refused: int
    unused_columns: list[str]
    problems: list[ImportProblem]
    remarks: list[str]
    detail: str
    undone: UndoShown | None
    created_at: datetime
    finished_at: datetime | None


class ImportsShown(Struct, frozen=True):
    imports: list[ImportShown]
    next_cursor: str | None


class SellerImportsApi:
    """Files of products that sellers send."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def start_import(self, caller: Caller, request: Request) -> Answer:
        """Send a file of products as multipart/form-data: `file`, and if you like `dry_run=true` and
        `format`; PrestaShop's combinations are a `file` more. CSV, TSV, JSON lines, XLSX, XML; it is taken in
        the background. A product that is there is changed as far as its row says."""
        key, given = key_of(request), await _given(request)
        once = f"api/{key}" if key else ""
        import_id = await self._shop.sellers.start_import(seller_id_of(caller), given, once)
        return Answer(ImportStarted(import_id), 202)

    async def seller_import(self, caller: Caller, import_id: ImportId) -> ImportShown:
        """Show how far an import is; `status` ends as `done` or `failed`, or as `undone`."""
        return _shown(await self._shop.sellers.file_import(seller_id_of(caller), import_id))

    async def undo_import(self, caller: Caller, import_id: ImportId) -> ImportShown:
        """Put back what an import changed, where nobody has changed it since; what it added is archived. It
        is done in the background: `status` ends as `undone`. Again it changes nothing."""
        return _shown(await self._shop.sellers.undo_import(seller_id_of(caller), import_id))

    async def seller_imports(
        self, caller: Caller, limit: PageLimit = 20, cursor: ImportId | None = None
    ) -> ImportsShown:
        """List one's imports, the newest first, without their problems."""
        found = await self._shop.sellers.file_imports(seller_id_of(caller), limit, cursor)
        more = str(found[-1].import_id) if len(found) == limit else None
        return ImportsShown([_shown(each) for each in found], more)


async def _given(request: Request) -> NewImport:
    form = await read_body(request)
    for name in form:
        if name not in _KNOWN:
            raise Invalid(f"There is no `{name[:FILE_NAME_MAX]}` here.", pointer=f"/{name}")
    files = [each for each in form.getlist("file") if isinstance(each, UploadFile)]
    if not files:
        raise Invalid("Send a file as `file` in multipart/form-data.", pointer="/file")
    given = [
        ((seen_line(each.filename or "") or "file")[:FILE_NAME_MAX], await _whole(each)) for each in files
    ]
    format_, dry_run = form.get("format"), form.get("dry_run")
    said = dry_run.strip().lower() if isinstance(dry_run, str) else ""
    if said not in _YES | _NO:
        raise Invalid("Say `true` or `false`.", pointer="/dry_run")
    return NewImport(
        ", ".join(name for name, _ in given)[:FILE_NAME_MAX],
        given[0][1] if len(given) == 1 else _packed(given),
        format_.strip() if isinstance(format_, str) else "",
        said in _YES,
    )


async def _whole(file: UploadFile) -> bytes:
    await file.seek(0)
    content = await file.read()
    if not content:
        raise Invalid("The file is empty.", pointer="/file")
    return content


def _packed(files: list[tuple[str, bytes]]) -> bytes:
    """Put files that belong together into one, as they would come in a zip; the same ones always alike."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files:
            named = name.replace("\\", "/").rpartition("/")[2] or "file"
            archive.writestr(zipfile.ZipInfo(named), content)
    return packed.getvalue()


def _shown(each: FileImport) -> ImportShown:
    counts = each.counts
    return ImportShown(
        each.import_id,
        each.file,
        each.format,
        each.status,
        each.dry_run,
        each.size,
        counts.read,
        counts.rows,
        counts.added,
        counts.changed,
        counts.unchanged,
        counts.refused,
        counts.unused_columns,
        each.problems,
        counts.remarks,
        each.detail,
        each.undone and UndoShown(each.undone.put_back, each.undone.changed_since, each.undone.since),
        each.created_at,
        each.finished_at,
    )


API = [
    PublicRoute(
        "POST",
        "/seller/imports",
        SellerImportsApi.start_import,
        tag="Selling",
        needs="seller",
        scopes=["catalog:write"],
        status=202,
        shows=ImportStarted,
        refuses=["too_many_imports", "no_such_format", "too_large", "unsupported_media_type"],
    ),
    PublicRoute(
        "GET",
        "/seller/imports",
        SellerImportsApi.seller_imports,
        tag="Selling",
        needs="seller",
        scopes=["catalog:read"],
    ),
    PublicRoute(
        "GET",
        "/seller/imports/{import_id}",
        SellerImportsApi.seller_import,
        tag="Selling",
        needs="seller",
        scopes=["catalog:read"],
        refuses=["not_found"],
    ),
    PublicRoute(
        "POST",
        "/seller/imports/{import_id}/undo",
        SellerImportsApi.undo_import,
        tag="Selling",
        needs="seller",
        scopes=["catalog:write"],
        status=202,
        refuses=["not_found", "not_undoable"],
    ),
]


class UploadPages:
    """Uploading files of products, and what became of them."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def upload(self, request: Request, refused: Refusal | None = None) -> Response:
        _, seller_id = await seller_of(request)
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "upload",
            seller_id,
            refused.status if refused else 200,
            imports=await self._shop.sellers.file_imports(seller_id, _LISTED),
            refused=message_of(refused) if refused else None,
        )

    async def take_file(self, request: Request) -> Response:
        await self._pages.upload(request, "file")
        _, seller_id = await seller_of(request)
        try:
            given = await _given(request)
            import_id = await self._shop.sellers.start_import(seller_id, given)
        except Refusal as refused:
            return await self.upload(request, refused)
        return self._pages.redirect(request, f"/desk/upload/{import_id}")

    async def report(self, request: Request, refused: Refusal | None = None) -> Response:
        """Show one import: it comes again by itself while it is under way."""
        _, seller_id = await seller_of(request)
        import_id = id_of(request.path_params["import_id"], ImportId)
        shown = await self._shop.sellers.file_import(seller_id, import_id)
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "import",
            seller_id,
            refused.status if refused else 200,
            each=shown,
            counts=shown.counts,
            refused=message_of(refused) if refused else None,
        )

    async def undo(self, request: Request) -> Response:
        await self._pages.form(request)
        _, seller_id = await seller_of(request)
        import_id = id_of(request.path_params["import_id"], ImportId)
        try:
            await self._shop.sellers.undo_import(seller_id, import_id)
        except NotFound:
            raise
        except Refusal as refused:
            return await self.report(request, refused)
        return self._pages.redirect(request, f"/desk/upload/{import_id}")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    upload = UploadPages(pages, shop)
    return [
        pages.route("/desk/upload", upload.upload),
        pages.route("/desk/upload", upload.take_file, "POST"),
        pages.route("/desk/upload/{import_id}", upload.report),
        pages.route("/desk/upload/{import_id}/undo", upload.undo, "POST"),
    ]
