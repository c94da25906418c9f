"""A run that has just ended, put together from what its reader knows already."""

from penstock.v1.run_log_pb2 import TailBatch
from penstock.v1.run_pb2 import RUN_STATE_SUCCEEDED, Run


def ended_run(started: Run, news: TailBatch | None) -> Run | None:
    """Returns the run as it ended; None where `news`, the last of its log, don't tell all that came since it started.

    This spares most waiting calls from asking the state layer for what they have just been told.
    """
    if news is None or news.run.state < RUN_STATE_SUCCEEDED:
        return None
    run = Run(input=started.input)
    if started.HasField("plan"):
        run.plan.CopyFrom(started.plan)
    run.MergeFrom(news.run)
    if run.state == RUN_STATE_SUCCEEDED:
        named = news.events[-1].run_finished.output_step_id if news.events else ""
        ends = [event.step_finished for event in news.events if named and event.step_id == named]
        if not ends:
            return None
        run.output.extend(ends[-1].output)
    return run
