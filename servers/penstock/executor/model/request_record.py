"""`RequestRecord`: what telemetry learns of a request to a model, by OpenTelemetry's GenAI names; never its text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from penstock.executor.model.ending import end_word
from penstock.wire.metering import Histogram
from penstock.wire.tracing import fail, tracer

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from pydantic_ai.messages import ModelResponse

# The bounds of buckets are those that the conventions advise.
_TOKENS: Final = Histogram(
    "gen_ai.client.token.usage", "{token}", "Tokens used by a request to a model.", [4**power for power in range(14)]
)
_DURATION: Final = Histogram(
    "gen_ai.client.operation.duration",
    "s",
    "Time that a request to a model took, to the end of its answer.",
    [0.01 * 2**power for power in range(14)],
)
_FIRST_CHUNK: Final = Histogram(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    "Time from a request to a model to the first piece of its answer.",
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0],
)


class RequestRecord:
    """Follows one request from its start to its end, which `end` must be called at."""

    def __init__(self, model: str, provider: str) -> None:
        self._labels = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
        }
        self._ended_by: str | None = "cancelled"
        self._chunks = False
        # Not made current: the answer is handed on while it comes, and what others do meanwhile is no part of it.
        self._span = _chat_span(model, self._labels)
        self._started = time.perf_counter()

    def chunk(self) -> None:
        """Notes that a piece of the answer came."""
        if not self._chunks:
            self._chunks = True
            _FIRST_CHUNK.record(time.perf_counter() - self._started, self._labels)

    def finished(self, response: ModelResponse) -> None:
        """Notes the whole answer."""
        self._ended_by = None
        if response.model_name:
            self._labels["gen_ai.response.model"] = response.model_name
        used = {"input": response.usage.input_tokens, "output": response.usage.output_tokens}
        for kind, tokens in used.items():
            if tokens:
                _TOKENS.record(tokens, {**self._labels, "gen_ai.token.type": kind})
        if self._span is not None:
            for kind, tokens in used.items():
                self._span.set_attribute(f"gen_ai.usage.{kind}_tokens", tokens)
            self._span.set_attribute("gen_ai.response.model", response.model_name or "")
            if word := end_word(response):
                self._span.set_attribute("gen_ai.response.finish_reasons", [word])

    def failed(self, error_type: str) -> None:
        """Notes why there is no answer, or none that counts."""
        self._ended_by = error_type

    def end(self) -> None:
        """Notes the end; one that is neither finished nor failed was cancelled."""
        if self._ended_by is not None:
            self._labels["error.type"] = self._ended_by
        _DURATION.record(time.perf_counter() - self._started, self._labels)
        if self._span is not None:
            if self._ended_by is not None:
                fail(self._span, self._ended_by)
            self._span.end()


def _chat_span(model: str, attributes: dict[str, str]) -> Span | None:
    recording = tracer()
    if recording is None:
        return None
    from opentelemetry.trace import SpanKind

    return recording.start_span(f"chat {model}", kind=SpanKind.CLIENT, attributes=attributes)
