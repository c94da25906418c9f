"""One reader's place in one run's log."""

from collections.abc import Callable, Sequence

from penstock.state.stores import RunLog, RunStore
from penstock.v1.run_log_pb2 import TailBatch, TailInclude
from penstock.wire.errors import DataLoss, InvalidArgument, NotFound

_EVENTS = TailInclude.TAIL_INCLUDE_EVENTS
_LIFECYCLE = TailInclude.TAIL_INCLUDE_LIFECYCLE
_SIGNALS = TailInclude.TAIL_INCLUDE_SIGNALS


class Tail:
    """Reads on in a log as far as its credit goes.

    `credit` is in bytes and may fall below 0 by one event; `closed` once the log was read to its end.
    """

    def __init__(self, log: RunLog, tail_id: int, after: int, include: Sequence[TailInclude], credit: int) -> None:
        wanted = set(include) - {TailInclude.TAIL_INCLUDE_UNSPECIFIED} or {_EVENTS}
        self.tail_id = tail_id
        self.credit = credit
        self.closed = False
        self.has_more = False
        self._log = log
        self._after = after
        self._events = _EVENTS in wanted or _LIFECYCLE in wanted
        self._lifecycle_only = _EVENTS not in wanted
        self._signals = _SIGNALS in wanted
        self._signals_sent = 0
        self._introduced = False
        # Who waits for the next thing to happen in a run's life hears with it what run it is, all others at once.
        self._greets = _LIFECYCLE not in wanted

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Has `wake` called when there may be news; returns what ends that."""
        return self._log.watch(wake, lifecycle_only=self._lifecycle_only)

    async def collect(self, max_bytes: int) -> TailBatch | None:
        """Returns what there is, at most about `max_bytes` of events; None: nothing.

        `has_more` then says whether there is more that the credit covers.
        """
        state = await self._log.state()
        batch = TailBatch(tail_id=self.tail_id, generation=self._log.generation, durable_sequence=state.last_sequence)
        if self._events and self.credit > 0 and self._after < state.last_sequence:
            piece = await self._log.read(
                self._after,
                state.last_sequence,
                lifecycle_only=self._lifecycle_only,
                max_bytes=min(self.credit, max_bytes),
            )
            batch.events.extend(piece.events)
            batch.used_bytes = piece.size
            self.credit -= piece.size
            self._after = piece.read_to
        if self._signals:
            batch.signals.extend(await self._log.signals(self._signals_sent))
            if batch.signals:
                self._signals_sent = batch.signals[-1].signal_number
        read_to_end = not self._events or self._after >= state.last_sequence
        self.closed = batch.closed = state.finished and read_to_end
        self.has_more = not read_to_end and self.credit > 0
        if not (batch.events or batch.signals or batch.closed or self._greets):
            return None
        if not self._introduced:
            self._introduced = True
            self._greets = False
            batch.run.CopyFrom(await self._log.run())
        return batch


async def open_tail(
    runs: RunStore,
    tenant: str,
    run_id: str,
    *,
    generation: int,
    after: int,
    include: Sequence[TailInclude],
    credit: int,
    tail_id: int = 0,
) -> Tail:
    """Opens a tail at a cursor.

    Raises:
        NotFound: there is no such run.
        DataLoss: the cursor belongs to a history of which the end was lost.
        InvalidArgument: the cursor lies beyond the end.
    """
    log = await runs.open_log(tenant, run_id)
    if log is None:
        raise NotFound.named("run", run_id)
    if generation not in (0, log.generation):
        common = min(after, await log.last_common_sequence(generation))
        raise DataLoss(
            f"the history of run {run_id} is of generation {log.generation}, the cursor of {generation}; "
            f"they agree up to sequence {common}",
            run_id=run_id,
            last_common_sequence=common,
            generation=log.generation,
        )
    last = (await log.state()).last_sequence
    if after > last:
        raise InvalidArgument.of([("after_sequence", f"is {after}, beyond the log's end at {last}")])
    return Tail(log, tail_id, after, include, credit)
