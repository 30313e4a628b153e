"""What media is asked and what it answers."""

from typing import Annotated

from msgspec import Meta, Struct

from mercat.ids import MediaId
from mercat.kit.refusals import Invalid

ALT_MAX = 500
Alt = Annotated[str, Meta(max_length=ALT_MAX)]


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


class NotAPicture(Invalid):
    """This is no picture that we can show: send a JPEG, PNG, WebP, AVIF or GIF."""
