"""The stages of `make check` and `make test`, fast to slow, each with its time.

    .venv/bin/python scripts/stages.py check            # all checks, in order, up to the first that fails
    .venv/bin/python scripts/stages.py test             # all tests
    .venv/bin/python scripts/stages.py lint types       # these alone, as the hooks of pre-commit do

The lists below are the only ones: make, CI and pre-commit take their stages from here.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".venv" / "bin"
BY_FILE = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
BY_TEST = ["-n", "4", "--dist", "loadgroup", "--no-loadscope-reorder"]
"""Each test wherever there is room, journeys in one process (tests/conftest.py). A third of their time they
wait for engines."""
ALONE = ["faults"]
"""Tests that time how soon what they kill is back."""
BROWSER = ["browser"]
"""Tests that need Chromium: `make test-browser`."""
FAST = ["tidy", "unit"]
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}
"""Tests start some hundred processes: each would compile all modules anew, for two seconds, where the machine
keeps none of what was compiled."""


def tool(name: str, *arguments: str) -> list[str]:
    """Return the command of a tool that lives in .venv."""
    return [str(BIN / name), *arguments]


def rest() -> list[str]:
    """List the folders of tests that are neither fast nor run alone nor need a browser.

    Journeys are the longest that one process does, so they come first."""
    folders = {path.parent.relative_to(ROOT / "tests").parts[0] for path in ROOT.glob("tests/*/**/test_*.py")}
    return sorted(folders - {*FAST, *ALONE, *BROWSER}, key=lambda folder: (folder != "journeys", folder))


def tests(*folders: str) -> list[str]:
    """Name folders of tests as pytest takes them."""
    return [f"tests/{folder}" for folder in folders]


CHECK = {
    "lock": tool("uv", "lock", "--check"),
    "format": tool("ruff", "format", "--check", "."),
    "lint": tool("ruff", "check", "."),
    "imports": tool("pytest", "-q", "tests/tidy/test_layers.py"),
    "docs": tool("python", "-m", "mercat.lab.docs", "--check"),
    "wheel": tool("python", "scripts/check_wheel.py"),
    "vulnerabilities": tool("python", "scripts/check_vulnerabilities.py"),
    "types": tool("pyright"),
}
TEST = {
    "fast tests": tool("pytest", "-q", *BY_FILE, *tests(*FAST)),
    "tests": tool("pytest", *BY_TEST, *tests(*rest())),
    "tests alone": tool("pytest", *tests(*ALONE)),
}
BEYOND = "scale and not long"
SCALE = {
    "tests beyond one machine": tool("pytest", "-m", BEYOND, "-rs", *BY_FILE, *tests(*ALONE, *rest())),
}
LONG = {
    "long tests": tool("pytest", "-m", "long", "-rs", "--timeout", "1800", *tests(*rest(), *ALONE)),
}
BROWSERS = {
    "tests in a browser": tool("pytest", *tests(*BROWSER)),
}
COVERAGE = {
    "coverage": tool("pytest", "-q", *BY_FILE, "--cov", *tests("unit", "contract")),
}
STAGES = CHECK | TEST | SCALE | LONG | BROWSERS | COVERAGE


def run(name: str) -> int:
    """Run a stage and print its time; return its exit code."""
    began = time.monotonic()
    code = subprocess.call(STAGES[name], cwd=ROOT, env={**os.environ, **ENVIRONMENT})
    passed = "passed" if code == 0 else f"FAILED with exit code {code}"
    sys.stderr.write(f"== {name}: {passed} after {time.monotonic() - began:.1f} s\n")
    return code


def main(names: list[str]) -> int:
    """Run the stages named, up to the first that fails; return its exit code."""
    groups = {
        "check": list(CHECK),
        "test": list(TEST),
        "scale": list(SCALE),
        "long": list(LONG),
        "browser": list(BROWSERS),
    }
    for name in [stage for given in names for stage in groups.get(given, [given])]:
        if code := run(name):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
