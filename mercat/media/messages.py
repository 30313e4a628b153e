"""What media is asked and what it answers."""

from typing import Annotated

from msgspec import Meta, Struct

from mercat.ids import MediaId
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.text import PROSE

ALT_MAX = 500
FILE_NAME_MAX = 60
"""Of an uploaded file, as it is shown again."""
Alt = Annotated[str, Meta(max_length=ALT_MAX, pattern=PROSE)]


class Medium(Struct, frozen=True):
    """A picture of the shop's own. The address never shows another."""

    media_id: MediaId
    url: str
    width: int
    height: int
    alt: str = ""


class Picture(Struct, frozen=True):
    """The bytes of a picture, and their media type. `exact`: it is what was asked for, and no stand-in."""

    content: bytes
    media_type: str
    exact: bool = True


class GivenPicture(Struct, frozen=True):
    """A file that somebody uploads as a picture."""

    name: str
    content: bytes


class NotTaken(Struct, frozen=True):
    """A file that is no picture we can show, and why."""

    name: str
    reason: str


class ProductPictures(Struct, frozen=True):
    """The pictures of a product that is listed: what is there already with what each shows, in their order,
    and files behind them."""

    alts: dict[MediaId, Alt]
    given: list[GivenPicture]


class TakenPictures(Struct, frozen=True):
    """What became of files that were given as pictures."""

    media: list[Medium]
    not_taken: list[NotTaken]


class NotAPicture(Invalid):
    """This is no picture that we can show: send a JPEG, PNG, WebP, AVIF or GIF."""


class PictureGone(NotFound):
    """A picture that you sent is not here any more: send it again."""
