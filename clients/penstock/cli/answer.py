"""Which of all that a run says is its answer."""

from penstock.cli.run_text import content_text
from penstock.client import Run, RunEvent, Transcript
from penstock.client.render import Anew, Shown
from penstock.v1.run_event_pb2 import StepOutcome


class Answer:
    """Follows the text of the plan's last step, which is the answer, through a transcript.

    Of a step that is read from its midst on, what it said before is not known here, and so never missed.
    """

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.step_id = ""
        self.many_steps = False
        self._seen_whole: set[str] = set()

    def begin(self, run: Run) -> None:
        """Takes in what the run is to do."""
        self.step_id = run.plan.steps[-1].step_id if run.plan.steps else ""
        self.many_steps = len(run.plan.steps) > 1

    def take(self, event: RunEvent) -> Shown | Anew | None:
        """Takes in the next event, and returns what it means for a viewer."""
        if event.HasField("step_started") and event.attempt <= 1:
            self._seen_whole.add(event.step_id)
        return self.transcript.consume(event)

    def has(self, piece: Shown | Anew) -> bool:
        """Tells whether a piece of text, or its loss, is the answer's."""
        return piece.step_id == self.step_id and not (isinstance(piece, Shown) and piece.reasoning)

    def unsaid(self, event: RunEvent) -> str:
        """Returns the output that this event brings if it was not said before: a tool's, or one that an agent names."""
        finished = event.step_finished
        if event.step_id != self.step_id or finished.outcome != StepOutcome.STEP_OUTCOME_SUCCEEDED:
            return ""
        output = content_text(finished.output)
        said = self.transcript.text_of(event.step_id)
        said_before = event.step_id not in self._seen_whole and all(part.text for part in finished.output)
        return "" if said_before or output.strip() == said.strip() else output
