"""The transcript of a run shows exactly one attempt of each step, whatever was lost on the way."""

from dataclasses import dataclass, field

from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from penstock.client import RunEvent, Transcript
from penstock.client.render import Anew, Shown
from penstock.v1.run_event_pb2 import Rewind, StepStarted, Token, TurnFinished


@dataclass
class Step:
    """What a step has said that stays, and what its attempt has said since."""

    stays: str = ""
    since: str = ""
    attempt: int = 1
    since_sequence: int = 1


@dataclass
class Writer:
    """Writes a log as a mesh does, and keeps beside it what each step's surviving attempts say."""

    events: list[RunEvent] = field(default_factory=list)
    steps: dict[str, Step] = field(default_factory=dict)

    def write(self, step_id: str, action: str, word: str) -> None:
        """Writes what happens next in a step."""
        if step_id not in self.steps:
            self.steps[step_id] = Step(since_sequence=len(self.events) + 2)
            self._add(step_id, step_started=StepStarted(agent="a"))
        step = self.steps[step_id]
        if action == "say":
            self._add(step_id, token=Token(text=word))
            step.since += word
        elif action == "think":
            self._add(step_id, token=Token(reasoning=word))
        elif action == "turn":
            self._add(step_id, turn_finished=TurnFinished(turn=1))
            step.stays, step.since, step.since_sequence = step.stays + step.since, "", len(self.events) + 1
        else:
            self._add(step_id, rewind=Rewind(from_sequence=step.since_sequence, cause=Status(message="lost")))
            step.attempt += 1
            self._add(step_id, step_started=StepStarted(agent="a"))
            step.since, step.since_sequence = "", len(self.events) + 1

    def _add(self, step_id: str, **event: object) -> None:
        attempt, sequence = self.steps[step_id].attempt, len(self.events) + 1
        self.events.append(RunEvent(sequence=sequence, step_id=step_id, attempt=attempt, **event))  # type: ignore[arg-type]  # one of many


ACTIONS = st.tuples(
    st.sampled_from(["one", "two", "three"]),
    st.sampled_from(["say", "say", "say", "think", "turn", "lose"]),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=3),
)


@given(st.lists(ACTIONS, max_size=60))
def test_any_interleaving_of_attempts_with_rewinds_shows_the_surviving_attempts(
    actions: list[tuple[str, str, str]],
) -> None:
    """Steps side by side, turns that were finished and attempts that were lost, in any order."""
    writer = Writer()
    for action in actions:
        writer.write(*action)
    transcript = Transcript().consume_all(writer.events)
    assert {s: transcript.text_of(s) for s in transcript.step_ids} == {
        step_id: step.stays + step.since for step_id, step in writer.steps.items()
    }
    assert transcript.text == "".join(step.stays + step.since for step in writer.steps.values())


@given(st.lists(ACTIONS, max_size=60))
def test_what_a_viewer_is_told_to_show_adds_up_to_the_transcript(actions: list[tuple[str, str, str]]) -> None:
    """Shown pieces append, and a rewind replaces what was shown by what is kept."""
    writer = Writer()
    for action in actions:
        writer.write(*action)
    transcript, screen = Transcript(), dict[str, str]()
    for event in writer.events:
        match transcript.consume(event):
            case Shown(step_id, text, reasoning=False):
                screen[step_id] = screen.get(step_id, "") + text
            case Anew(step_id=step_id, kept=kept):
                screen[step_id] = kept
    assert screen == {s: transcript.text_of(s) for s in screen}
    assert {s for s in transcript.step_ids if transcript.text_of(s)} <= set(screen)


def test_tokens_of_a_lost_attempt_that_come_late_are_not_shown() -> None:
    """The log refuses them, and a reader does not depend on that."""
    writer = Writer()
    writer.write("one", "say", "lost")
    writer.write("one", "lose", "")
    transcript = Transcript().consume_all(writer.events)
    late = RunEvent(sequence=9, step_id="one", attempt=1, token=Token(text="late"))
    assert transcript.consume(late) is None
    assert transcript.text == ""


def test_a_rewind_says_which_attempt_was_lost_why_and_what_stays() -> None:
    """So a terminal can print it anew, and say so."""
    writer = Writer()
    for action, word in (("say", "kept "), ("turn", ""), ("say", "lost"), ("lose", "")):
        writer.write("one", action, word)
    transcript = Transcript()
    told = [meaning for event in writer.events if isinstance(meaning := transcript.consume(event), Anew)]
    assert told == [Anew("one", attempt=1, dropped=1, kept="kept ", cause="lost")]
