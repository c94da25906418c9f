"""What an agent yields, as events of its attempt, and as its output."""

import json
from collections.abc import Sequence
from typing import Any, Final

from penstock.executor.contents import to_content
from penstock.executor.events import Custom, Output, Progress, Reasoning, TurnFinished, Usage
from penstock.v1 import run_event_pb2, run_pb2
from penstock.v1.run_event_pb2 import RunEvent
from penstock.wire.ids import ID_RULE, is_id

# A character takes at most 4 bytes, so a token event stays under 64 KiB.
MAX_TOKEN_CHARACTERS: Final = 16 * 1024
MAX_PAYLOAD_BYTES: Final = 1024 * 1024


class WrongYield(TypeError):
    """An agent yielded what is no text and no event; the text tells its author what."""


class OutputTooLarge(Exception):
    """The output is larger than one event can carry."""


class Transcript:
    """Turns what an agent yields into events, and keeps the text for its output."""

    def __init__(self, step_id: str, attempt: int) -> None:
        self._step_id = step_id
        self._attempt = attempt
        self._texts: list[str] = []
        self._characters = 0
        self._turn = 0
        self._chosen: Output | None = None

    def take(self, item: Any) -> Sequence[RunEvent]:
        """Returns the events that something yielded comes to; none for an empty text.

        Raises:
            WrongYield: it is of a wrong type, or has a value that can't be recorded.
        """
        try:
            return self._events(item)
        except (TypeError, ValueError, RecursionError) as error:
            if isinstance(error, WrongYield):
                raise
            raise WrongYield(f"the agent yielded a {type(item).__name__} that can't be recorded: {error}") from error

    def output(self) -> list[run_pb2.Content]:
        """Returns the step's output: what was yielded as such, else the text.

        Raises:
            OutputTooLarge: it is over 1 MiB.
        """
        if self._chosen is None and self._characters > MAX_PAYLOAD_BYTES:
            raise OutputTooLarge
        content = to_content("".join(self._texts) if self._chosen is None else self._chosen.value)
        if content.ByteSize() > MAX_PAYLOAD_BYTES:
            raise OutputTooLarge
        return [content]

    def _events(self, item: Any) -> Sequence[RunEvent]:
        if isinstance(item, str):
            self._keep(item)
            return [self._token(piece) for piece in _pieces(item)]
        match item:
            case Reasoning(text):
                return [self._event(token=run_event_pb2.Token(reasoning=piece)) for piece in _pieces(text)]
            case Progress(message, fraction):
                if len(message) > MAX_TOKEN_CHARACTERS:
                    raise ValueError(f"its message has {len(message)} characters; the limit is {MAX_TOKEN_CHARACTERS}")
                part = None if fraction is None else min(1.0, max(0.0, fraction))
                return [self._event(progress=run_event_pb2.Progress(message=message, fraction=part))]
            case Usage():
                return [self._event(usage=_usage(item))]
            case Custom(name, payload):
                return [self._event(custom=_custom(name, payload))]
            case TurnFinished():
                self._turn += 1
                return [self._event(turn_finished=run_event_pb2.TurnFinished(turn=self._turn))]
            case Output(value):
                to_content(value)
                self._chosen = item
                return []
        raise WrongYield(
            f"the agent yielded a {type(item).__name__}; yield str for text, or an event of penstock.executor"
        )

    def _event(self, **kind: Any) -> RunEvent:
        return RunEvent(step_id=self._step_id, attempt=self._attempt, **kind)

    def _token(self, text: str) -> RunEvent:
        # Setting the field costs half as much as passing a message to the constructor, and tokens are what is frequent.
        event = RunEvent(step_id=self._step_id, attempt=self._attempt)
        event.token.text = text
        return event

    def _keep(self, text: str) -> None:
        self._characters += len(text)
        if self._characters <= MAX_PAYLOAD_BYTES:
            self._texts.append(text)
        else:
            # Too much for an output by now; the tokens go on, as the agent may still yield an Output of its own.
            self._texts.clear()


def _pieces(text: str) -> Sequence[str]:
    if len(text) <= MAX_TOKEN_CHARACTERS:
        return (text,) if text else ()
    return [text[at : at + MAX_TOKEN_CHARACTERS] for at in range(0, len(text), MAX_TOKEN_CHARACTERS)]


def _usage(used: Usage) -> run_pb2.Usage:
    return run_pb2.Usage(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cached_input_tokens=used.cached_input_tokens,
        reasoning_tokens=used.reasoning_tokens,
        model_requests=used.model_requests,
    )


def _custom(name: str, payload: Any) -> run_event_pb2.Custom:
    if not is_id(name):
        raise ValueError(f"its name {name!r} is not {ID_RULE}")
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if len(text.encode()) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"its payload is over {MAX_PAYLOAD_BYTES} bytes")
    return run_event_pb2.Custom(name=name, payload_json=text)
