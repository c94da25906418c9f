"""One reader's place in one run's log."""

from collections.abc import Callable, Sequence

from penstock.state.stores import LogState, RunLog, RunStore
from penstock.v1.run_log_pb2 import TailBatch, TailInclude
from penstock.wire.errors import DataLoss, InvalidArgument, NotFound, OutOfRange

_EVENTS = TailInclude.TAIL_INCLUDE_EVENTS
_LIFECYCLE = TailInclude.TAIL_INCLUDE_LIFECYCLE
_SIGNALS = TailInclude.TAIL_INCLUDE_SIGNALS


class Tail:
    """Reads on in a log as far as its credit goes.

    `credit` is in bytes and may fall below 0 by one event; `closed` once the log was read to its end.
    """

    # A process may have a thousand of them.
    __slots__ = (
        "_after",
        "_events",
        "_greets",
        "_introduced",
        "_lifecycle_only",
        "_log",
        "_run_id",
        "_signals",
        "_signals_sent",
        "closed",
        "credit",
        "has_more",
        "tail_id",
    )

    def __init__(
        self, log: RunLog, run_id: str, tail_id: int, after: int, include: Sequence[TailInclude], credit: int
    ) -> None:
        wanted = set(include) - {TailInclude.TAIL_INCLUDE_UNSPECIFIED} or {_EVENTS}
        self.tail_id = tail_id
        self.credit = credit
        self.closed = False
        self.has_more = False
        self._log = log
        self._run_id = run_id
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

    async def collect(self, max_bytes: int, batch: TailBatch) -> bool:
        """Puts what there is into an empty batch, about `max_bytes` of events at most; False: there is nothing.

        `has_more` then says whether there is more that the credit covers.

        Raises:
            OutOfRange: what comes next was trimmed.
            DataLoss: the end of the history was lost meanwhile.
            NotFound: the run is gone.
        """
        state = await self._state()
        self.check_kept(state)
        batch.tail_id = self.tail_id
        batch.generation = self._log.generation
        batch.durable_sequence = state.last_sequence
        if self._events and self.credit > 0 and self._after < state.last_sequence:
            piece = await self._log.read(
                self._after,
                state.last_sequence,
                lifecycle_only=self._lifecycle_only,
                max_bytes=min(self.credit, max_bytes),
            )
            if state.finished:
                self.check_kept(await self._log.state())  # it may have been trimmed while it was read
            if piece.packed:
                batch.MergeFromString(piece.packed)
            else:
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
            return False
        if not self._introduced:
            self._introduced = True
            self._greets = False
            batch.run.CopyFrom(await self._log.run())
        return True

    async def _state(self) -> LogState:
        try:
            return await self._log.state()
        except DataLoss as lost:
            newest, common = lost.generation, lost.last_common_sequence
            raise _lost(self._run_id, self._log.generation, self._after, newest, common) from None

    def check_kept(self, state: LogState) -> None:
        """Raises OutOfRange when what comes next is not kept any more."""
        if self._events and self._after + 1 < state.first_sequence:
            raise OutOfRange(
                f"the log of run {self._run_id} is kept from sequence {state.first_sequence} on, "
                f"and the cursor is at {self._after}",
                run_id=self._run_id,
                first_sequence=state.first_sequence,
            )


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
        OutOfRange: what follows the cursor was trimmed.
    """
    log = await runs.open_log(tenant, run_id)
    if log is None:
        raise NotFound.named("run", run_id)
    if generation not in (0, log.generation):
        raise _lost(run_id, generation, after, log.generation, await log.last_common_sequence(generation))
    state = await log.state()
    if after > state.last_sequence:
        raise InvalidArgument.of([("after_sequence", f"is {after}, beyond the log's end at {state.last_sequence}")])
    tail = Tail(log, run_id, tail_id, after, include, credit)
    tail.check_kept(state)
    return tail


def _lost(run_id: str, generation: int, after: int, newest: int, common: int) -> DataLoss:
    # What the cursor has not come to, its reader is still to be shown.
    common = min(after, common)
    return DataLoss(
        f"the history of run {run_id} is of generation {newest}, the cursor of {generation}; "
        f"they agree up to sequence {common}",
        run_id=run_id,
        last_common_sequence=common,
        generation=newest,
    )
