"""What follows for a room when another server has it than the one that took its last write."""

from penstock.state.redis.identity import ServerIdentity, may_have_lost
from penstock.state.redis.room_step import Step
from penstock.state.redis.run_indexes import RunIndexes


def renew(step: Step, indexes: RunIndexes) -> None:
    """Gives each run that goes on a new generation if what was acknowledged may be lost.

    Runs that had ended keep theirs: writes are lost from the end, so whatever stands there is whole.
    """
    before = ServerIdentity.from_bytes(step.state.identity)
    for run in list(step.state.runs.values()):
        edited = step.edit(run)
        head = edited.head
        if may_have_lost(before, step.state.server, replicated=run.replicated()):
            head.record.run.generation = max(head.record.run.generation + 1, step.generation)
            edited.bases.append((head.record.run.generation, edited.readable))
            step.tell_renewed(edited)
            if head.record.owner_instance_id:
                # The lost end of its log may have been the run's, of which its owner was told.
                edited.doubted_us = step.now_us
                step.indexes.append(indexes.doubted(edited))
        # What the replicas had confirmed is to be asked again: the mark may be older than what they have.
        step.replicate = step.replicate or edited.durable is not None
        step.write_head(edited)
    step.touch()
