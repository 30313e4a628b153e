"""The addresses of pictures: `/media/HASH.jpg`, and `/media/HASH-400.webp` at most 400 wide."""

import re
from typing import NamedTuple

UPLOAD_BYTES_MAX = 12_000_000
WIDTHS = (96, 192, 400, 800, 1_200, 1_600)
"""In which a picture is shown: a bounded list, so that nobody can ask for ever new ones."""
TYPES = {"avif": "image/avif", "webp": "image/webp", "jpg": "image/jpeg", "png": "image/png"}
_SHOWN_IN = ("avif", "webp", "jpg")
_PREFIX = "/media/"
_NAME = re.compile(r"([0-9a-f]{32})(?:-([0-9]{2,4}))?\.(avif|webp|jpg|png)")


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
