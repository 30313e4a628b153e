"""Fetches pip's wheel, which runs without being installed, and prints what to run.

For a Python that has neither pip nor ensurepip, as Debian's has before `python3-venv` is installed.
"""

import os
import re
import sys
import urllib.parse
import urllib.request

index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
with urllib.request.urlopen(index) as page:
    links = re.findall(r'href="([^"]+/pip-([0-9.]+)-py3-none-any\.whl[^"]*)"', page.read().decode())
link, _ = max(links, key=lambda found: [int(part) for part in found[1].split(".")])
folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
wheel = os.path.join(folder, "pip.whl")
urllib.request.urlretrieve(urllib.parse.urljoin(index, link), wheel)
sys.stdout.write(f"{wheel}/pip")
