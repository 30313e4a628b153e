"""Build the wheel, install it into a clean environment, and run `mercat --version` from there.

Everything comes from uv's cache where it can, so that this works without a network.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = ROOT / ".venv" / "bin" / "uv"


def uv(*arguments: str) -> None:
    """Run uv from its cache alone, or with the registry where the cache does not have everything."""
    command = [str(UV), *arguments, "--quiet"]
    if subprocess.run([*command, "--offline"], cwd=ROOT, capture_output=True, check=False).returncode:
        subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mercat-wheel-") as folder:
        there = Path(folder)
        uv("export", "--frozen", "--no-dev", "--no-emit-project", "--output-file", f"{there}/needs.txt")
        uv("build", "--wheel", "--out-dir", str(there / "dist"), ".")
        (wheel,) = (there / "dist").glob("*.whl")
        uv("venv", "--python", sys.executable, str(there / "clean"))
        into = ["pip", "install", "--python", str(there / "clean"), "--no-deps"]
        uv(*into, "--requirements", f"{there}/needs.txt")
        uv(*into, str(wheel))
        subprocess.run([there / "clean" / "bin" / "mercat", "--version"], cwd=there, check=True)


if __name__ == "__main__":
    main()
