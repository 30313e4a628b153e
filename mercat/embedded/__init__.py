"""The engines of one machine, and the processes of a shop on it. Nothing else knows that they are embedded.

Home("data").running()                      the shop that runs there, or None
with connected(Home("data")) as shop: …     that shop, else engines for as long as the block runs
with temporary() as home, engines(home) …   engines that leave nothing behind, for tests and benchmarks
Supervisor(home, [Program(…), …]).run()     a whole shop until somebody stops it
ready(), Readiness()                        what a worker says to its supervisor, once or again and again
"""

from mercat.embedded.engines import connected, engines
from mercat.embedded.home import Connection, Home, Trouble, moved_in, record_moved_in, temporary
from mercat.embedded.postgres import programs
from mercat.embedded.readiness import Readiness, handed_listener, ready
from mercat.embedded.supervisor import RELOAD, Program, Supervisor

__all__ = [
    "RELOAD",
    "Connection",
    "Home",
    "Program",
    "Readiness",
    "Supervisor",
    "Trouble",
    "connected",
    "engines",
    "handed_listener",
    "moved_in",
    "programs",
    "ready",
    "record_moved_in",
    "temporary",
]
