"""What the README tells a newcomer to type does what it says."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_api_is_asked_as_the_readme_says(open_shop):
    [block] = [each for each in re.findall(r"```sh\n(.*?)```", README.read_text(), re.S) if "curl" in each]
    typed = [
        line.replace("localhost:8000", f"{open_shop.host}:{open_shop.port}") for line in block.splitlines()
    ]
    run = subprocess.run(
        ["bash", "-e", "-o", "pipefail"],
        input="\necho\n".join(typed),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found, cart = [json.loads(line) for line in run.stdout.splitlines() if line]
    assert found["results"]
    assert all(each["price"] <= 200 for each in found["results"])
    assert cart["items"] == []
