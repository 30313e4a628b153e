"""When two names of sellers look alike: decisions without IO.

A name is brought to a skeleton of what is seen of it: confusable letters (Unicode Technical Standard 39, 4),
case, spaces and what has no width make no difference. Names with one skeleton are the same name.
"""

import json
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_MARK = "\u200e"
_OF_THE_SHOP = ("Mercat",)
"""Nobody sells under the shop's own name."""


def skeleton(name: str) -> str:
    """Return what is left of a name when everything is taken away that the eye does not tell apart."""
    seen = unicodedata.normalize("NFKD", name)
    seen = "".join(each for each in seen if unicodedata.category(each) not in ("Cf", "Cc", "Zs", "Zl", "Zp"))
    folded = unicodedata.normalize("NFKD", _plain(seen).casefold())
    # A capital I became an l above, and a small i did not: in a name both are one letter.
    return "".join(_plain(folded).split()).replace("i", "l").replace("\u0131", "l")


def is_the_shops(name: str) -> bool:
    """Say whether a name looks like the shop's own."""
    return skeleton(name) in {skeleton(own) for own in _OF_THE_SHOP}


def _plain(text: str) -> str:
    prototypes = _prototypes()
    return "".join(prototypes.get(each, each) for each in text)


@cache
def _prototypes() -> Mapping[str, str]:
    """Read of each confusable letter the one that stands for all of its kind.

    The data links every letter of a kind with that one, so that it has many links. Of two that have one link
    each it is a text of several letters (`rn` stands for m), or the first in Unicode's order."""
    read = files("confusable_homoglyphs").joinpath("confusables.json").read_text(encoding="utf-8")
    links: dict[str, list[dict[str, str]]] = json.loads(read)
    found: dict[str, str] = {}
    for letter, others in links.items():
        if len(letter) == len(others) == 1 and (other := others[0]["c"].replace(_MARK, "")):
            stands = len(links.get(other, ())) > 1 or len(other) > 1 or other < letter
            found[letter] = other if stands else letter
    return found
