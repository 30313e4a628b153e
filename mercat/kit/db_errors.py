"""Which errors of PostgreSQL's client mean what, and what a caller is told then."""

from collections.abc import Generator
from contextlib import contextmanager

import asyncpg

from mercat.kit.patches import ArgumentError
from mercat.kit.refusals import Unavailable

WRONG_VALUE = (asyncpg.DataError, ArgumentError)
"""A value that PostgreSQL (SQLSTATE 22), or the client before it, cannot take. Stands before AWAY in `except`
clauses: one of its classes is a subclass of one of those."""

AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,  # its disk is full, its memory, its connections
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,  # it is being handed over to another server
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that died in the middle of something
    OSError,
    TimeoutError,
)
"""The database is away (SQLSTATE 08, 53, 57, 58, 25006, or no answer): what was asked may have
happened, or not."""


def unavailable(error: BaseException) -> Unavailable:
    """Make the refusal that a caller gets, with the error as its cause."""
    away = Unavailable()
    away.__cause__ = error
    return away


@contextmanager
def unavailable_where_away() -> Generator[None]:
    """Raise Unavailable where the database is away."""
    try:
        yield
    except WRONG_VALUE:
        raise
    except AWAY as error:
        raise unavailable(error) from error
