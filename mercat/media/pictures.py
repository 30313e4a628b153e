"""What is done to pictures: read by what they are, turned, rid of all that is no picture, and resized.

By Pillow: its wheels bring the decoders for JPEG, PNG, WebP, AVIF and GIF for every Python that we support.
libvips needs less memory, but is a system library under the LGPL or a wheel of its own, and is hardly faster
where time goes: 2,000 by 1,600 pixels, shown 800 wide, cost 512 ms of CPU as AVIF (libvips 476), 149 as WebP
(109) and 113 as JPEG (74). Each size of a picture is made once and kept."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from typing import Any, NamedTuple, TypeVar

from PIL import Image, ImageCms, ImageOps

from mercat.kit.refusals import Overloaded
from mercat.media.messages import NotAPicture

Made = TypeVar("Made")
PIXELS_MAX = 50_000_000
SIDE_MAX = 4_096
"""Of what is kept: larger ones are made smaller."""
_READ = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
_KEPT_AS = {"JPEG": "jpg", "PNG": "png", "GIF": "png", "WEBP": "webp", "AVIF": "webp"}
_WAITING_MAX = 64
_NICENESS = 10
_WAYS: dict[str, dict[str, Any]] = {
    "jpg": {"format": "JPEG", "quality": 82, "progressive": True, "optimize": True},
    "webp": {"format": "WEBP", "quality": 80, "method": 4},
    "avif": {"format": "AVIF", "quality": 60, "speed": 8},
    "png": {"format": "PNG"},
}
_KEPT_WAYS = {"jpg": {"quality": 92}, "webp": {"quality": 92}}
_COLOURS: Any = ImageCms
_SRGB: Any = _COLOURS.createProfile("sRGB")


class SafePicture(NamedTuple):
    """A picture as it is kept."""

    content: bytes
    kind: str
    width: int
    height: int
    tint: str
    """Nine colours, a hexadecimal digit each of red, green and blue; "" where one sees through."""


def made_safe(content: bytes) -> SafePicture:
    """Make of what somebody gave a picture that shows the same and says nothing else: no EXIF (which may have
    the place), no comments, no trailing bytes. It stands upright; of an animation the first frame is kept.
    Raises NotAPicture."""
    try:
        with Image.open(BytesIO(content), formats=_READ) as image:
            width, height = image.size
            if width * height > PIXELS_MAX:
                most = f"{PIXELS_MAX // 10**6} million pixels"
                raise NotAPicture(f"At most {most}; this one is {width} by {height}.", pointer="/file")
            kind = _KEPT_AS[str(image.format)]
            image.draft("RGB", (SIDE_MAX, SIDE_MAX))
            image.load()
            shown = ImageOps.exif_transpose(image)
            if shown.mode not in ("RGB", "RGBA", "L", "LA", "P"):
                shown = shown.convert("RGB")
            shown = _in_srgb(shown, image.info.get("icc_profile"))
            shown.thumbnail((SIDE_MAX, SIDE_MAX))
            written = _written(shown, kind, _KEPT_WAYS.get(kind, {}))
            return SafePicture(written, kind, *shown.size, _tint(shown))
    except NotAPicture:
        raise
    except Exception as error:  # decoders raise whatever they like of hostile bytes
        raise NotAPicture(pointer="/file") from error


def _tint(image: Image.Image) -> str:
    if image.has_transparency_data:
        return ""
    small = image.convert("RGB").resize((3, 3), Image.Resampling.BOX)
    return "".join(f"{each >> 4:x}" for each in small.tobytes())


def resized(content: bytes, width: int, kind: str) -> bytes:
    """Make a picture at most so wide, never wider than it is, in another format."""
    with Image.open(BytesIO(content), formats=_READ) as image:
        image.draft("RGB", (2 * width, 2 * width * image.height // image.width + 1))
        image.load()
        shown: Image.Image = image
        if shown.mode in ("P", "LA"):
            shown = shown.convert("RGBA")
        if width < shown.width:
            shown = shown.resize(
                (width, max(1, round(shown.height * width / shown.width))), Image.Resampling.LANCZOS
            )
        return _written(shown, kind, {})


def _written(image: Image.Image, kind: str, more: dict[str, Any]) -> bytes:
    if kind == "jpg" and image.mode not in ("RGB", "L"):
        ground = Image.new("RGB", image.size, "white")
        transparent = image.convert("RGBA")
        ground.paste(transparent, mask=transparent.getchannel("A"))
        image = ground
    elif kind in ("webp", "avif") and image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGBA" if image.mode in ("P", "LA") else "RGB")
    image.info = {}  # whatever else the file said
    out = BytesIO()
    image.save(out, **(_WAYS[kind] | more))
    return out.getvalue()


def _in_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Bring colours of another space into the one that every screen assumes, as the profile goes too."""
    if not isinstance(profile, bytes) or image.mode not in ("RGB", "RGBA"):
        return image
    with suppress(ImageCms.PyCMSError, OSError, ValueError):
        own = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.profileToProfile(image, own, _SRGB) or image
    return image


class Workshop:
    """A thread that works on pictures while requests go on: Pillow leaves the interpreter to them meanwhile.

    Shoppers come first, and no more than so many wait: Overloaded for more."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "pictures", initializer=_step_back)
        self._waiting = 0

    async def do(self, work: Callable[..., Made], *args: Any) -> Made:
        if self._waiting >= _WAITING_MAX:
            raise Overloaded
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
        finally:
            self._waiting -= 1


def _step_back() -> None:
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
