"""Writes docs/api.md anew: `python -m mercat.web`."""

from pathlib import Path

from mercat.web.openapi import markdown
from mercat.web.routes import PREFIX, TABLE

if __name__ == "__main__":
    Path(__file__).parents[2].joinpath("docs", "api.md").write_text(markdown(TABLE, PREFIX))
