"""Synonyms: `shipped/synonyms.txt`, and the shop's own file beside its index.

`tv = television` are equivalent: a query for either finds both. `tv, lcd tv` are related: that tells what
kind of thing is meant, and is looked for where little is found. A line may end in dates, `from 2026-11-20
until 2026-11-30`; `!` before it removes a line that is shipped."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path

from mercat.search.query import analyze
from mercat.search.ranking.embeddings import SHIPPED

FILE = "synonyms.txt"
_PHRASE_WORDS_MAX = 4
_REWRITINGS_MAX = 6
_UNITS = frozenset(analyze.stems("inch inches"))
_DATES = re.compile(r"\s+(from|until)\s+(\d{4}-\d\d-\d\d)")
Stems = tuple[str, ...]
"""Stems in a row."""


@dataclass
class Synonyms:
    """For each phrase what else it means; True where both are equivalent."""

    phrases: dict[Stems, dict[Stems, bool]] = field(default_factory=dict[Stems, dict[Stems, bool]])

    def rewritings(self, stems: list[str]) -> dict[Stems, bool]:
        """Rewrite a query with one phrase replaced, longer phrases first; True where it means the same."""
        plain = without_units(stems)
        found: dict[Stems, bool] = {tuple(plain): True, **self.rewritings(plain)} if plain != stems else {}
        for length in range(min(_PHRASE_WORDS_MAX, len(stems)), 0, -1):
            for start in range(len(stems) - length + 1):
                for other, same in self.phrases.get(tuple(stems[start : start + length]), {}).items():
                    rewritten = tuple(dict.fromkeys((*stems[:start], *other, *stems[start + length :])))
                    found[rewritten] = found.get(rewritten, False) or same
        found.pop(tuple(stems), None)
        return dict(islice(sorted(found.items(), key=lambda each: not each[1]), _REWRITINGS_MAX))


def without_units(stems: list[str]) -> list[str]:
    """Leave out "inch" behind a number: titles write 27", and a sign is not indexed."""
    return [
        stem
        for at, stem in enumerate(stems)
        if not (at and stem in _UNITS and stems[at - 1].isdigit() and len(stems) > 2)
    ]


def load_synonyms(own: Path, today: date) -> Synonyms:
    """Read what is shipped, and what the shop's own file adds to it or removes."""
    phrases: dict[Stems, dict[Stems, bool]] = {}
    for line in [*_lines(SHIPPED / FILE), *_lines(own)]:
        for one, other, same in _pairs(line.removeprefix("!"), today):
            if line.startswith("!"):
                phrases.get(one, {}).pop(other, None)
            else:
                phrases.setdefault(one, {})[other] = same
    return Synonyms(phrases)


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in (line.split("#")[0].strip() for line in lines) if line]


def _pairs(line: str, today: date) -> Iterator[tuple[Stems, Stems, bool]]:
    dates: dict[str, str] = dict(_DATES.findall(line))
    if not dates.get("from", "") <= today.isoformat() <= dates.get("until", "9999"):
        return
    line = _DATES.sub("", line)
    equivalent = "=" in line
    left, _, right = line.partition("=" if equivalent else ",")
    one, other = tuple(analyze.stems(left)), tuple(analyze.stems(right))
    if one and other:
        yield one, other, equivalent
        if equivalent:
            yield other, one, equivalent
