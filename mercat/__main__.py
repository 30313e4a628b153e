"""`python -m mercat` is the command `mercat`."""

from mercat.cli.main import main

main()
