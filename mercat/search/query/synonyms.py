"""Other ways to say the same: `shipped/synonyms.txt`, and the shop's own beside its index.

`tv = television` are the same: a question for either finds both. `tv, lcd tv` is near: it tells what kind of
thing is meant, and is looked for where little is found. A line may end in dates, `from 2026-11-20 until
2026-11-30`; `!` before it takes one out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path

from mercat.search.query import analyze as text
from mercat.search.ranking.embeddings import SHIPPED

FILE = "synonyms.txt"
PHRASE_MAX = 4
WAYS_MAX = 6
_SIGNS = frozenset(text.stems("inch inches"))
_DATES = re.compile(r"\s+(from|until)\s+(\d{4}-\d\d-\d\d)")
Phrase = tuple[str, ...]


@dataclass
class Synonyms:
    ways: dict[Phrase, dict[Phrase, bool]] = field(default_factory=dict[Phrase, dict[Phrase, bool]])

    def of(self, stems: list[str]) -> dict[Phrase, bool]:
        """The same question with one phrase said otherwise, longer phrases first; True: it means the same."""
        plain = without_units(stems)
        found: dict[Phrase, bool] = {tuple(plain): True, **self.of(plain)} if plain != stems else {}
        for length in range(min(PHRASE_MAX, len(stems)), 0, -1):
            for start in range(len(stems) - length + 1):
                for other, same in self.ways.get(tuple(stems[start : start + length]), {}).items():
                    way = tuple(dict.fromkeys((*stems[:start], *other, *stems[start + length :])))
                    found[way] = found.get(way, False) or same
        found.pop(tuple(stems), None)
        return dict(islice(sorted(found.items(), key=lambda each: not each[1]), WAYS_MAX))


def without_units(stems: list[str]) -> list[str]:
    """27 inch is 27", and a sign is no word."""
    return [
        stem
        for at, stem in enumerate(stems)
        if not (at and stem in _SIGNS and stems[at - 1].isdigit() and len(stems) > 2)
    ]


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in (line.split("#")[0].strip() for line in lines) if line]


def _pairs(line: str, today: date) -> Iterator[tuple[Phrase, Phrase, bool]]:
    dates: dict[str, str] = dict(_DATES.findall(line))
    if not dates.get("from", "") <= today.isoformat() <= dates.get("until", "9999"):
        return
    line = _DATES.sub("", line)
    both = "=" in line
    said, _, also = line.partition("=" if both else ",")
    one, other = tuple(text.stems(said)), tuple(text.stems(also))
    if one and other:
        yield one, other, both
        if both:
            yield other, one, both


def read(own: Path, today: date) -> Synonyms:
    """What is shipped, and what the shop's own file adds to it or takes out."""
    ways: dict[Phrase, dict[Phrase, bool]] = {}
    for line in [*_lines(SHIPPED / FILE), *_lines(own)]:
        for one, other, same in _pairs(line.removeprefix("!"), today):
            if line.startswith("!"):
                ways.get(one, {}).pop(other, None)
            else:
                ways.setdefault(one, {})[other] = same
    return Synonyms(ways)
