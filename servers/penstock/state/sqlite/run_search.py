"""Finding runs of a tenant, newest first."""

import sqlite3

from penstock.state.sqlite.run_rows import LAST_SEQUENCE
from penstock.state.stores import Page, RunQuery
from penstock.v1.run_log_pb2 import RunRecord
from penstock.v1.run_pb2 import Run, RunState

# Runs whose labels are looked at for one page: labels that few runs have give short pages, not a stalled event loop.
_MAX_LOOKED_AT = 5000


def find_runs(connection: sqlite3.Connection, query: RunQuery) -> Page[Run]:
    """Returns one page of runs, without plan, input and output."""
    conditions, parameters = _conditions(query)
    rows = connection.execute(
        "SELECT number, head, summary, "
        f"{LAST_SEQUENCE} FROM runs JOIN specs ON specs.run = number WHERE {' AND '.join(conditions)} "
        "ORDER BY number DESC",
        parameters,
    )
    found: list[Run] = []
    size = 0
    place = 0
    try:
        for looked_at, (number, head, summary, last_sequence) in enumerate(rows):
            if len(found) == query.limit or size >= query.max_bytes or looked_at == _MAX_LOOKED_AT:
                return Page(found, place.to_bytes(8, "big"))
            place = number
            run = RunRecord.FromString(summary + head).run
            if any(run.labels.get(key) != value for key, value in query.labels.items()):
                continue
            run.last_sequence = run.durable_sequence = last_sequence
            found.append(run)
            size += run.ByteSize()
    finally:
        rows.close()
    return Page(found, None)


def _conditions(query: RunQuery) -> tuple[list[str], list[str | int]]:
    conditions = ["tenant = ?"]
    parameters: list[str | int] = [query.tenant]

    def add(condition: str, value: str | int) -> None:
        conditions.append(condition)
        parameters.append(value)

    if query.before:
        add("number < ?", query.before)
    if query.session_id:
        add("session_id <> '' AND session_id = ?", query.session_id)
    if query.states:
        # Numbers of an enum, so there is nothing to escape.
        conditions.append(f"state IN ({', '.join(str(int(state)) for state in query.states)})")
        if max(query.states) < RunState.RUN_STATE_SUCCEEDED:
            conditions.append("state < 4")  # said so, SQLite takes the index of unfinished runs
    if query.created_from_us is not None:
        add("created_us >= ?", query.created_from_us)
    if query.created_until_us is not None:
        add("created_us < ?", query.created_until_us)
    return conditions, parameters
