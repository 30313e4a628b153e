"""How much processor time some plain work takes this Python, and where it is; an error where it is too old.

Not how long it takes: on a busy machine that says more of the others."""

import sys
import time
import timeit

WORK = """
held = {}
for number in range(300):
    held[number] = str(number)
    if number % 3:
        held[number] += "x"
sorted(held.values())
"""
assert sys.version_info >= (3, 11)
seconds = min(timeit.repeat(WORK, timer=time.process_time, number=50, repeat=20))
print(f"{seconds:.6f} {sys._base_executable}")  # type: ignore[attr-defined]  # noqa: T201
