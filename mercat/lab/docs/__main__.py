"""`python -m mercat.lab.docs`: write the generated pages; with `--check` exit with 1 where one is stale."""

import sys

from mercat.lab.docs import DOCS, pages


def main() -> int:
    """Write the pages, or with --check compare them; return the exit code."""
    stale = [name for name, text in pages().items() if (DOCS / name).read_text() != text]
    if "--check" in sys.argv:
        for name in stale:
            sys.stderr.write(f"docs/{name} is not current: run .venv/bin/python -m mercat.lab.docs\n")
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(pages()[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
