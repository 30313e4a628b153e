"""The stages of `make check` and `make test`, fast to slow, each with its time.

    .venv/bin/python scripts/stages.py check            # all checks, in order, up to the first that fails
    .venv/bin/python scripts/stages.py test             # all tests
    .venv/bin/python scripts/stages.py lint types       # these alone, as the hooks of pre-commit do

The lists below are the only ones: make, CI and pre-commit take their stages from here.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

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
FAST_TESTS_TOO = {"imports", "docs"}
"""Checks that are tests as well (tests/tidy): where the fast tests run, they say it."""
BESIDE = "types"
"""Takes one core for as long as all other checks and half of the fast tests: it begins first and is told when
they are done."""


class Beside:
    """A stage that runs while others do. What it says, and how it ended, is told once it is waited for."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  - as long as the process writes
        self._began = time.monotonic()
        self._process = start(name, self._said)

    def end(self) -> int:
        """Wait for it, and print what it said; return its exit code."""
        code = self._process.wait()
        self._said.seek(0)
        sys.stdout.buffer.write(self._said.read())
        sys.stdout.flush()
        return told(self._name, code, self._began)

    def kill(self) -> None:
        """End it early: something else has failed."""
        self._process.kill()
        self._process.wait()


def start(name: str, said: IO[bytes] | None = None) -> "subprocess.Popen[bytes]":
    """Start a stage; what it says goes into a file, or where all is said."""
    environment = {**os.environ, **ENVIRONMENT}
    return subprocess.Popen(STAGES[name], cwd=ROOT, env=environment, stdout=said, stderr=said)


def run(name: str) -> int:
    """Run a stage and print its time; return its exit code."""
    began = time.monotonic()
    return told(name, start(name).wait(), began)


def told(name: str, code: int, began: float) -> int:
    """Print how a stage ended and how long after it began; return its exit code."""
    passed = "passed" if code == 0 else f"FAILED with exit code {code}"
    sys.stderr.write(f"== {name}: {passed} after {time.monotonic() - began:.1f} s\n")
    return code


def planned(names: list[str]) -> list[str]:
    """List the stages of these names, which may be groups.

    Where the fast tests run, checks that they make are left out, and what runs beside is waited for after."""
    groups = {
        "check": list(CHECK),
        "test": list(TEST),
        "scale": list(SCALE),
        "long": list(LONG),
        "browser": list(BROWSERS),
    }
    stages = [stage for given in names for stage in groups.get(given, [given])]
    if "fast tests" not in stages:
        return stages
    after = {BESIDE} & {*stages}
    rest = [stage for stage in stages if stage not in FAST_TESTS_TOO | after]
    at = rest.index("fast tests") + 1
    return [*rest[:at], *after, *rest[at:]]


def main(names: list[str]) -> int:
    """Run the stages named, up to the first that fails; return its exit code."""
    stages = planned(names)
    beside = Beside(BESIDE) if BESIDE in stages else None
    for name in stages:
        code = beside.end() if beside and name == BESIDE else run(name)
        if code:
            if beside:
                beside.kill()
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
