"""Pictures of imports, fetched into the shop in the background: within limits, never from our own network."""

import asyncio
from urllib.parse import urljoin

import httpx
import structlog

from mercat.catalog import Catalog, PictureElsewhere
from mercat.kit import outbound
from mercat.kit.picture_names import UPLOAD_BYTES_MAX
from mercat.kit.refusals import Refusal
from mercat.media.messages import NotAPicture
from mercat.media.service import Media
from mercat.settings import Settings

log = structlog.get_logger("mercat.media")
_AT_ONCE = 6
_TIMEOUT_S = 20
_IDLE_S = 2.0
_REDIRECTS_MAX = 3


class NotFetched(Exception):
    """A picture that cannot be had; `final`: not later either."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class PictureFetching:
    """Fetch what imports left elsewhere."""

    def __init__(self, media: Media, catalog: Catalog, settings: Settings) -> None:
        self._media = media
        self._catalog = catalog
        self._allowed = outbound.networks(settings.picture_networks)

    async def keep_fetching(self) -> None:
        """Fetch what is due, some at a time; rest where nothing is."""
        if not await self.fetch_due():
            await asyncio.sleep(_IDLE_S)

    async def fetch_due(self) -> bool:
        """Fetch some of what is due; tell whether anything was."""
        due = await self._catalog.due_pictures(_AT_ONCE)
        if not due:
            return False
        async with outbound.client(self._allowed, timeout_s=_TIMEOUT_S) as http:
            ended = await asyncio.gather(*(self._fetch(http, each) for each in due), return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):  # of one picture; it is due again, and the others were fetched
                log.error("fetching a picture failed", exc_info=error)
        return True

    async def _fetch(self, http: httpx.AsyncClient, picture: PictureElsewhere) -> None:
        """Fetch one, and show it from here; a failure is noted."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                content = await self._content(http, picture.url)
            medium = await self._media.add(content, picture.seller_id)
        except NotFetched as failed:
            reason, final = str(failed), failed.final
        except outbound.PrivateAddress as refused:
            reason, final = str(refused), True
        except Refusal as refused:
            reason, final = str(refused), isinstance(refused, NotAPicture)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            reason, final = type(error).__name__, False
        else:
            await self._catalog.picture_fetched(picture.product_id, (picture.url, medium.url))
            return
        log.info("a picture was not fetched", url=picture.url[:200], tries=picture.tries, reason=reason)
        await self._catalog.picture_failed(picture.product_id, (picture.url, reason), final)

    async def _content(self, http: httpx.AsyncClient, url: str) -> bytes:
        """Ask for a picture, and where it leads on; each address is judged anew."""
        for _ in range(_REDIRECTS_MAX + 1):
            async with http.stream("GET", url, headers={"accept": "image/*"}) as response:
                if response.is_redirect:
                    url = _led_to(url, response.headers.get("location", ""))
                    continue
                if not response.is_success:
                    words = f"The answer is {response.status_code}."
                    raise NotFetched(words, final=response.is_client_error)
                return await _read(response)
        raise NotFetched("It leads on and on.", final=True)


def _led_to(url: str, location: str) -> str:
    try:
        led_to = urljoin(url, location)
    except ValueError:
        led_to = ""
    if not led_to.startswith(("http://", "https://")):
        raise NotFetched("It leads to what is no address.", final=True)
    return led_to


async def _read(response: httpx.Response) -> bytes:
    """Read a body as it was sent, up to the limit: a few packed bytes can be gigabytes at once."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise NotFetched("It comes packed, which nobody asked for.", final=True)
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > UPLOAD_BYTES_MAX:
            raise NotFetched(f"It is larger than {UPLOAD_BYTES_MAX // 1_000_000} MB.", final=True)
        parts.append(part)
    return b"".join(parts)
