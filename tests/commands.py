"""Runs `mercat` as its terminal would, in a process that has imported the shop already.

An interpreter of its own spends a second of CPU on imports. Here a server imports once, and each command is a
fork of it, with its own environment, output and exit code."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["mercat.app", "mercat.cli.main"])
_WITHIN_S = 60


def mercat(*arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    """What `mercat` with these arguments and settings says, and its exit code."""
    given = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        environment = {**os.environ, "COLUMNS": "120", **variables}
        command = _SERVER.Process(target=_run, args=(given, environment, out, err), daemon=True)
        command.start()
        command.join(_WITHIN_S)
        if command.exitcode is None:
            command.kill()
            raise TimeoutError(f"mercat {' '.join(given)}: {err.read_text()}")
        return subprocess.CompletedProcess(given, command.exitcode, out.read_text(), err.read_text())


def _run(arguments: list[str], environment: dict[str, str], out: Path, err: Path) -> None:
    for number, file in ((1, out), (2, err)):
        with file.open("wb") as opened:
            os.dup2(opened.fileno(), number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = ["mercat", *arguments]

    from mercat.cli.main import main

    main(arguments)
