"""What is changed of other people's libraries, and why it still holds."""

import subprocess
import sys


def test_a_process_that_ends_frees_no_struct_types():
    text = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count())); import mercat.kit.codec"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 10_000  # handlers run last first: this one after ours
