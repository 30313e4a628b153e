"""Look up the known vulnerabilities of what Mercat depends on.

Where the database cannot be reached this says so and passes: a check that fails without a network would be
switched off by whoever works without one. It never takes longer than a minute.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".venv" / "bin"
_PATIENCE_S = 60


def main() -> int:
    """Return 1 where something is known to be vulnerable, else 0."""
    with tempfile.NamedTemporaryFile("r", suffix=".txt") as needs:
        exported = [BIN / "uv", "export", "--frozen", "--offline", "--quiet", "--no-dev", "--no-emit-project"]
        subprocess.run([*exported, "--output-file", needs.name], cwd=ROOT, check=True)
        audit = [BIN / "pip-audit", "--vulnerability-service", "osv", "--disable-pip", "--no-deps"]
        try:
            done = subprocess.run(
                [*audit, "--progress-spinner", "off", "--timeout", "10", "--requirement", needs.name],
                capture_output=True,
                text=True,
                timeout=_PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return not_asked(f"no answer within {_PATIENCE_S} s")
    if done.returncode == 0 or "known vulnerabilit" in done.stderr:
        sys.stdout.write(done.stdout + done.stderr)
        return done.returncode
    return not_asked(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no reason given")


def not_asked(why: str) -> int:
    """Say that nothing was looked up, and pass."""
    sys.stdout.write(
        f"The database of vulnerabilities cannot be reached, so nothing was looked up: {why[:300]}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
