"""What a run has to show for itself."""

from penstock.v1.run_pb2 import Run


def text_of(run: Run) -> str:
    """Returns a run's output as text: its texts and JSON texts, one a line; empty for a run that has none.

    A run of `list_runs`, and that of a stream, may come without its output; `get_run` has it.
    """
    return "\n".join(part.text or part.json for part in run.output)
