"""The addresses of pictures: `/media/HASHxTINT.jpg`, and `/media/HASHxTINT-400.webp` at most 400 wide.

The tint is the picture in nine colours. It is part of the name, so that whoever has the address of a picture
can show something of it at once, without asking anybody."""

import re
import struct
import zlib
from base64 import b64encode
from functools import lru_cache
from typing import NamedTuple

UPLOAD_BYTES_MAX = 12_000_000
WIDTHS = (96, 192, 400, 800, 1_200, 1_600)
"""In which a picture is shown: a bounded list, so that nobody can ask for ever new ones."""
TYPES = {"avif": "image/avif", "webp": "image/webp", "jpg": "image/jpeg", "png": "image/png"}
_SHOWN_IN = ("avif", "webp", "jpg")
_PREFIX = "/media/"
_TINT_LETTERS = 27
_PNG = b"\x89PNG\r\n\x1a\n"
_NAME = re.compile(r"([0-9a-f]{32}(?:x[0-9a-f]{27})?)(?:-([0-9]{2,4}))?\.(avif|webp|jpg|png)")


class PictureName(NamedTuple):
    """The name of a picture's file; `width`: of one of its sizes."""

    stem: str
    kind: str
    width: int = 0

    def __str__(self) -> str:
        return f"{self.stem}-{self.width}.{self.kind}" if self.width else f"{self.stem}.{self.kind}"


def read_name(name: str) -> PictureName | None:
    """Read a name; None where no picture could have it."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    width = int(found[2] or 0)
    if width and (width not in WIDTHS or found[3] not in _SHOWN_IN):
        return None
    return PictureName(found[1], found[3], width)


@lru_cache(maxsize=10_000)
def tint_of(url: str) -> str:
    """Draw the nine colours of a picture of the shop's own as a `data:` address; "" where there are none."""
    name = read_name(url.removeprefix(_PREFIX)) if url.startswith(_PREFIX) else None
    _, _, tint = name.stem.partition("x") if name else ("", "", "")
    if not tint:
        return ""
    lines = (tint[n : n + 9] for n in range(0, _TINT_LETTERS, 9))
    pixels = b"".join(b"\0" + bytes.fromhex("".join(2 * each for each in line)) for line in lines)
    size = struct.pack(">IIBBBBB", 3, 3, 8, 2, 0, 0, 0)
    parts = (_chunk(b"IHDR", size), _chunk(b"IDAT", zlib.compress(pixels, 9)), _chunk(b"IEND", b""))
    return "data:image/png;base64," + b64encode(b"".join((_PNG, *parts))).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def files_of(name: str) -> list[str]:
    """List the names of all files that a picture can have: its sizes, and last itself."""
    known = read_name(name)
    stem = known.stem if known else name
    return [str(PictureName(stem, kind, width)) for kind in _SHOWN_IN for width in WIDTHS] + [name]


def url_of(name: str) -> str:
    return _PREFIX + name


def sizes_of(url: str, widest: int) -> list[tuple[str, list[tuple[int, str]]]]:
    """List by media type, the best first, the widths of a picture and their addresses, up to twice `widest`
    for fine screens; nothing for a picture that is not our own."""
    name = read_name(url.removeprefix(_PREFIX)) if url.startswith(_PREFIX) else None
    if name is None or name.width:
        return []
    widths = [width for width in WIDTHS if width <= 2 * widest and 4 * width >= widest] or [WIDTHS[0]]
    return [
        (TYPES[kind], [(width, url_of(str(PictureName(name.stem, kind, width)))) for width in widths])
        for kind in _SHOWN_IN
    ]
