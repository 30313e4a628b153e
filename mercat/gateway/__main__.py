"""Writes docs/api.md anew: `python -m mercat.gateway`."""

from pathlib import Path

from mercat.gateway.openapi import markdown
from mercat.gateway.routes import PREFIX, TABLE

if __name__ == "__main__":
    Path(__file__).parents[2].joinpath("docs", "api.md").write_text(markdown(TABLE, PREFIX))
