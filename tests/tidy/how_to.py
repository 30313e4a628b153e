"""Follows a page of docs/how-to: its blocks are applied to a copy of the repository, as a reader would.

A block stands under a line that begins with its file in backticks, `NNNN` of which is the next number in its
folder. `(new)` after the name makes the file, a
block of `diff` changes it: lines that begin with a space or a minus must stand there together, once, and
those that begin with a plus take the place of the minuses. Other blocks (`sh`) are for people.
"""

import re
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r"^`([^`\n]+)`( \(new\))?[^\n]*\n\n```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Step(NamedTuple):
    """A file, and what a page does to it."""

    file: str
    new: bool
    language: str
    block: str


def steps(page: str) -> list[Step]:
    """Read the steps of a page."""
    return [Step(file, bool(new), language, block) for file, new, language, block in _BLOCK.findall(page)]


def changed(before: str, diff: str) -> str:
    """Apply a diff without line numbers. ValueError where its lines do not stand there together, once."""
    old = "".join(f"{line[1:]}\n" for line in diff.splitlines() if not line.startswith("+"))
    new = "".join(f"{line[1:]}\n" for line in diff.splitlines() if not line.startswith("-"))
    if before.count(old) != 1:
        raise ValueError(f"{before.count(old)} places have these lines:\n{old}")
    return before.replace(old, new)


def follow(page: str, root: Path) -> set[str]:
    """Carry out a page in a copy of the repository, and name the files it touched."""
    touched: set[str] = set()
    for step in steps(page):
        path = root / step.file
        if "NNNN" in path.name:
            path = path.with_name(path.name.replace("NNNN", f"{len([*path.parent.glob('*.sql')]) + 1:04}"))
        if step.new:
            assert not path.exists(), f"{step.file} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.block)
        elif step.language == "diff":
            path.write_text(changed(path.read_text(), step.block))
        else:
            raise ValueError(f"{step.file}: say (new), or show a diff")
        touched.add(step.file)
    return touched
