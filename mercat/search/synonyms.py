"""Other ways to say the same: `shipped/synonyms.txt`, and the shop's own beside its index.

A line says what is said and what it also is, `tv, lcd tv`; `=` between them makes it go both ways. A line of
the shop's own may end in dates, `from 2026-11-20 until 2026-11-30`; `!` before it takes a shipped one out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from mercat.search import text
from mercat.search.meaning import SHIPPED

FILE = "synonyms.txt"
PHRASE_MAX = 4
WAYS_MAX = 6
_DATES = re.compile(r"\s+(from|until)\s+(\d{4}-\d\d-\d\d)")
Phrase = tuple[str, ...]


@dataclass
class Synonyms:
    ways: dict[Phrase, list[Phrase]] = field(default_factory=dict[Phrase, list[Phrase]])

    def of(self, stems: list[str]) -> list[Phrase]:
        """The same question with one phrase said otherwise; longer phrases first."""
        found: dict[Phrase, None] = {}
        for length in range(min(PHRASE_MAX, len(stems)), 0, -1):
            for start in range(len(stems) - length + 1):
                for other in self.ways.get(tuple(stems[start : start + length]), ()):
                    way = (*stems[:start], *other, *stems[start + length :])
                    found[tuple(dict.fromkeys(way))] = None
        found.pop(tuple(stems), None)
        return list(found)[:WAYS_MAX]


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in (line.split("#")[0].strip() for line in lines) if line]


def _pairs(line: str, today: date) -> Iterator[tuple[Phrase, Phrase]]:
    dates: dict[str, str] = dict(_DATES.findall(line))
    if not dates.get("from", "") <= today.isoformat() <= dates.get("until", "9999"):
        return
    line = _DATES.sub("", line)
    both = "=" in line
    said, _, also = line.partition("=" if both else ",")
    one, other = tuple(text.stems(said)), tuple(text.stems(also))
    if one and other:
        yield one, other
        if both:
            yield other, one


def read(own: Path, today: date) -> Synonyms:
    """What is shipped, and what the shop's own file adds to it or takes out."""
    ways: dict[Phrase, list[Phrase]] = {}
    for line in [*_lines(SHIPPED / FILE), *_lines(own)]:
        for one, other in _pairs(line.removeprefix("!"), today):
            known = ways.setdefault(one, [])
            if line.startswith("!"):
                ways[one] = [each for each in known if each != other]
            elif other not in known:
                known.append(other)
    return Synonyms(ways)
