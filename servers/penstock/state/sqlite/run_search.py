"""Finding runs of a tenant, newest first: what one index gives in order is checked against all other conditions.

`place` is where a page ends: the time of its last run, and that run's number among those of the same microsecond.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from heapq import merge
from typing import Final, NamedTuple

from penstock.state.sqlite.run_rows import LAST_SEQUENCE
from penstock.state.stores import Page, RunQuery
from penstock.v1.run_log_pb2 import RunRecord
from penstock.v1.run_pb2 import Run
from penstock.wire.errors import InvalidArgument

# Entries of the index that are looked at for one page: what few runs have gives short pages, not a stalled event loop.
MAX_LOOKED_AT: Final = 5000
_NUMBER_BITS: Final = 64

_ROW: Final = f"SELECT summary, head, {LAST_SEQUENCE} FROM runs JOIN specs ON specs.run = number WHERE number = ?"


class _Entry(NamedTuple):
    """Represents an entry of an index, and whether its run fulfils the other conditions."""

    created_us: int
    number: int
    fits: bool


def find_runs(connection: sqlite3.Connection, query: RunQuery) -> Page[Run]:
    """Returns one page of runs, without plan, input and output."""
    if max(divmod(query.before, 1 << _NUMBER_BITS)) >= 1 << (_NUMBER_BITS - 1):
        raise InvalidArgument.of([("page_token", "is not one of this list; begin anew without it")])
    found: list[Run] = []
    size = 0
    place = 0
    with ExitStack() as cursors:
        for looked_at, entry in enumerate(_entries(connection, query, cursors)):
            if len(found) == query.limit or size >= query.max_bytes or looked_at == MAX_LOOKED_AT:
                return Page(found, place.to_bytes(2 * _NUMBER_BITS // 8, "big"))
            place = entry.created_us << _NUMBER_BITS | entry.number
            if not entry.fits:
                continue
            row = connection.execute(_ROW, (entry.number,)).fetchone()
            if row is None:
                continue  # deleted just now
            summary, head, last_sequence = row
            run = RunRecord.FromString(summary + head).run
            run.last_sequence = run.durable_sequence = last_sequence
            found.append(run)
            size += run.ByteSize()
    return Page(found, None)


def note_labels(
    connection: sqlite3.Connection, tenant: str, number: int, created_us: int, labels: Mapping[str, str]
) -> None:
    """Has a new run found by its labels."""
    rows = ((tenant, key, value, created_us, number) for key, value in labels.items())
    connection.executemany("INSERT INTO run_labels VALUES (?, ?, ?, ?, ?)", rows)


def _entries(connection: sqlite3.Connection, query: RunQuery, cursors: ExitStack) -> Iterator[_Entry]:
    """Yields the entries of an index that has few for these conditions, newest first."""
    if query.session_id:
        of_session = "runs.tenant = ? AND runs.session_id = ? AND runs.session_id <> ''"
        return _scan(connection, query, cursors, "runs", of_session, [query.session_id])
    if query.labels:
        key, value = next(iter(query.labels.items()))
        labelled = "run_labels AS entries CROSS JOIN runs ON runs.number = entries.number"
        with_label = "entries.tenant = ? AND entries.key = ? AND entries.value = ?"
        return _scan(connection, query, cursors, labelled, with_label, [key, value])
    if query.states:
        in_state = "runs.tenant = ? AND runs.state = ?"
        states = {int(state) for state in query.states}
        return merge(*(_scan(connection, query, cursors, "runs", in_state, [state]) for state in states), reverse=True)
    return _scan(connection, query, cursors, "runs", "runs.tenant = ?", [])


def _scan(
    connection: sqlite3.Connection,
    query: RunQuery,
    cursors: ExitStack,
    table: str,
    condition: str,
    values: list[str | int],
) -> Iterator[_Entry]:
    entries = "entries" if " AS entries " in table else "runs"
    fits, fitting = _others(query)
    parameters = [*fitting, query.tenant, *values]
    if query.created_from_us is not None:
        condition += f" AND {entries}.created_us >= ?"
        parameters.append(query.created_from_us)
    if query.created_until_us is not None:
        condition += f" AND {entries}.created_us < ?"
        parameters.append(query.created_until_us)
    if query.before:
        condition += f" AND ({entries}.created_us, {entries}.number) < (?, ?)"
        parameters += divmod(query.before, 1 << _NUMBER_BITS)
    rows = connection.execute(
        f"SELECT {entries}.created_us, {entries}.number, {fits} FROM {table} WHERE {condition} "
        f"ORDER BY {entries}.created_us DESC, {entries}.number DESC",
        parameters,
    )
    return map(_Entry._make, cursors.enter_context(closing(rows)))


def _others(query: RunQuery) -> tuple[str, list[str | int]]:
    """Returns a condition that tells of each entry whether its run fulfils all that its index does not say."""
    conditions = ["1"]
    parameters: list[str | int] = []
    if query.states:
        # Numbers of an enum, so there is nothing to escape.
        conditions.append(f"runs.state IN ({', '.join(str(int(state)) for state in query.states)})")
    for label in query.labels.items():
        conditions.append(
            "EXISTS (SELECT 1 FROM run_labels WHERE tenant = runs.tenant AND key = ? AND value = ? "
            "AND created_us = runs.created_us AND number = runs.number)"
        )
        parameters += label
    return " AND ".join(conditions), parameters
