"""`python -m mercat.lab.watch`: write the files; with `--check` exit with 1 where one is stale."""

import sys

from mercat.lab.watch.files import DEPLOY, files


def main() -> int:
    """Write the files, or with --check compare them; return the exit code."""
    made = files()
    paths = {name: DEPLOY / name for name in made}
    stale = [name for name, path in paths.items() if not path.exists() or path.read_text() != made[name]]
    if "--check" in sys.argv:
        for name in stale:
            sys.stderr.write(f"deploy/{name} is not current: run .venv/bin/python -m mercat.lab.watch\n")
        return 1 if stale else 0
    for name in stale:
        paths[name].parent.mkdir(parents=True, exist_ok=True)
        paths[name].write_text(made[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
