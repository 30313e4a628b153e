"""Every page of docs/how-to is followed in a throw-away copy, and what it builds works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tidy import how_to

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "how-to"
PAGES = sorted({page.stem for page in FOLDER.glob("*.md")} - {"README"})
FILES_MAX = {
    "add-a-delivery-rule": 2,
    "add-a-field-of-a-product": 7,
    "add-a-letter": 3,
    "add-a-limit": 2,
    "add-a-migration": 3,
    "add-a-page": 4,
    "add-a-payment-provider": 5,
    "add-a-promotion-kind": 2,
    "add-a-route": 4,
    "add-a-service": 8,
    "add-a-setting": 3,
    "add-an-event": 4,
    "add-an-import-format": 2,
}
"""Files that a page may touch, its test included."""
HOUSE_RULES = ["tests/tidy/test_layers.py", "tests/unit/test_verb_tables.py"]
"""Tests of the repository that hold for what the pages build, too."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """Copy what the pages change, and follow all of them there."""
    root = tmp_path_factory.mktemp("how-to")
    ignored = shutil.ignore_patterns("__pycache__", "shipped")
    for name in ("mercat", "tests", "docs"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    (root / "mercat" / "search" / "shipped").symlink_to(ROOT / "mercat" / "search" / "shipped")
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.fixture(scope="module")
def followed(copy) -> dict[str, set[str]]:
    return {page: how_to.follow((FOLDER / f"{page}.md").read_text(), copy) for page in PAGES}


def run(copy: Path, *command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6_000:]


def test_every_usual_change_has_a_page():
    assert {*PAGES} == FILES_MAX.keys()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_touches_few_files(followed, page):
    text = (FOLDER / f"{page}.md").read_text()
    files = {file for file in followed[page] if not file.startswith("docs/")}
    said = re.search(r"^(\d+) files?", text, re.MULTILINE)
    assert said
    assert int(said[1]) == len(files) <= FILES_MAX[page], sorted(files)


def test_what_the_pages_build_is_in_style(copy, followed):
    python = sorted({file for files in followed.values() for file in files if file.endswith(".py")})
    ruff = str(Path(sys.executable).with_name("ruff"))
    run(copy, ruff, "check", "--no-cache", *python)
    run(copy, ruff, "format", "--check", "--no-cache", *python)


def test_what_the_pages_build_works(copy, followed):
    tests = sorted({file for files in followed.values() for file in files if file.startswith("tests/")})
    run(copy, sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests, *HOUSE_RULES)


def test_a_page_that_is_out_of_date_is_noticed(tmp_path):
    (tmp_path / "a.py").write_text("one = 1\ntwo = 2\n")
    page = "`a.py`:\n\n```diff\n one = 1\n-two = 2\n+two = 3\n```\n"
    assert how_to.follow(page, tmp_path) == {"a.py"}
    assert (tmp_path / "a.py").read_text() == "one = 1\ntwo = 3\n"
    with pytest.raises(ValueError, match="0 places"):
        how_to.follow(page, tmp_path)
