"""Names of sellers: decisions without IO."""

import json
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

from mercat.kit.refusals import Invalid
from mercat.kit.text import is_line, normal_text
from mercat.sellers.messages import SELLER_NAME_MAX

_MARKS = str.maketrans("", "", "™®©℠℗")
_OUR_WORDS = (
    *("official", "support", "team", "staff", "admin", "help", "helpdesk"),
    *("customer", "service", "care", "security", "the"),
)
_SAME = str.maketrans({"0": "o", "1": "l", "i": "l"})


def checked_name(name: str) -> str:
    """Bring a name into normal form, each run of white space one space; Invalid where none is left."""
    name = " ".join(normal_text(name).split())
    if not is_line(name):
        raise Invalid("A name has no control characters.", pointer="/name")
    if not 1 <= len(name) <= SELLER_NAME_MAX:
        raise Invalid(f"A seller's name has 1 to {SELLER_NAME_MAX} characters.", pointer="/name")
    return name


def look_of(name: str) -> str | None:
    """Reduce a name to what it has in common with names that look alike: case, spaces, signs, what has no
    width, and letters of other scripts that look like Latin ones. None where it has no letters.

    Source: Unicode Technical Standard 39, confusables."""
    unmarked = name.translate(_MARKS)
    latin = "".join(_latin(each) for each in unicodedata.normalize("NFKC", unmarked))
    bare = (each for each in unicodedata.normalize("NFKD", latin.casefold()) if each.isalnum())
    return "".join(bare).translate(_SAME).replace("rn", "m").replace("vv", "w") or None


def is_the_shops(name: str, shop_name: str) -> bool:
    """Say whether a name looks like the shop's own, alone or with what only the shop's people would call
    themselves: "Mercat Support"."""
    words = [word for word in name.split() if look_of(word) not in set(map(look_of, _OUR_WORDS))]
    return look_of("".join(words) or name) == look_of(shop_name)


def _latin(letter: str) -> str:
    return letter if letter.isascii() else _look_alikes().get(letter, letter)


@cache
def _look_alikes() -> dict[str, str]:
    """Map letters to the letter or digit of ASCII that they look like."""
    data = files("confusable_homoglyphs").joinpath("confusables.json").read_text()
    known: dict[str, list[dict[str, Any]]] = json.loads(data)
    found: dict[str, str] = {}
    for letter, alikes in known.items():
        if len(letter) == 1 and not letter.isascii():
            for alike in alikes:
                if alike["c"].isascii() and alike["c"].isalnum():
                    found[letter] = alike["c"]
                    break
    return found
