"""What traces and metrics say of requests to a model, by OpenTelemetry's names for generative AI."""

from dataclasses import dataclass

import pytest
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.usage import RequestUsage

from penstock.executor.model.request_record import RequestRecord
from tests.models.model_mesh import ModelMesh
from tests.telemetry.collector import Collector, Seen
from tests.telemetry.recording import recording


@dataclass(frozen=True, slots=True)
class Traced:
    """Represents a mesh with a model, and the collector that it exports to."""

    mesh: ModelMesh
    collector: Collector

    async def chats(self, task: str) -> list[Seen]:
        """Runs the model, and returns the spans of requests to it once the one of their agent has come, too."""
        async with self.mesh.client() as client:
            run = await client.execute_run(task, agent="model")

        def agents(spans: list[Seen]) -> list[Seen]:
            return [span for span in spans if span.facts.get("penstock.run_id") == run.run_id and _is_agent(span)]

        spans = await self.collector.until(agents)
        (agent,) = agents(spans)
        return [span for span in spans if span.parent_id == agent.span_id and span.name.startswith("chat ")]


def _is_agent(span: Seen) -> bool:
    return span.name == "invoke_agent model"


@pytest.fixture
def traced(mesh: ModelMesh, collector: Collector) -> Traced:
    """Gives the mesh with the collector of its spans."""
    return Traced(mesh, collector)


async def test_each_request_is_a_span_under_its_agent_without_a_word_of_its_text(traced: Traced) -> None:
    """Two turns are two CLIENT spans with model, tokens and finish reason; a failed one has its reason."""
    chats = await traced.chats("adds up")
    assert [chat.label for chat in chats] == ["client chat tiny", "client chat tiny"]
    facts = chats[0].facts
    assert facts["gen_ai.operation.name"] == "chat"
    assert facts["gen_ai.provider.name"] == "openai-compatible"
    assert (facts["gen_ai.request.model"], facts["gen_ai.response.model"]) == ("tiny", "tiny-0613")
    assert (facts["gen_ai.usage.input_tokens"], facts["gen_ai.usage.output_tokens"]) == (12, 7)
    assert [reason.string_value for reason in facts["gen_ai.response.finish_reasons"].values] == ["tool_calls"]
    assert not any(chat.failed for chat in chats)

    (limited,) = await traced.chats("limited")
    assert limited.failed
    assert limited.facts["error.type"] == "MODEL_RATE_LIMITED"
    told = "\n".join(f"{span.name} {span.facts}" for span in traced.collector.spans)
    assert "adds up" not in told
    assert "Let me add" not in told


def test_a_request_is_counted_with_its_time_its_first_chunk_and_its_tokens() -> None:
    """The three metrics of the conventions get one value a request, tokens by their kind."""
    with recording() as recorded:
        record = RequestRecord("tiny", "openai-compatible")
        record.chunk()
        record.chunk()
        record.finished(
            ModelResponse(
                parts=[TextPart("secret")],
                model_name="tiny-0613",
                usage=RequestUsage(input_tokens=12, output_tokens=7),
                finish_reason="stop",
            )
        )
        record.end()
        tokens = {
            point.attributes["gen_ai.token.type"]: point.sum for point in recorded.points("gen_ai.client.token.usage")
        }
        (duration,) = recorded.points("gen_ai.client.operation.duration")
        (first,) = recorded.points("gen_ai.client.operation.time_to_first_chunk")
        (span,) = recorded.spans
    assert tokens == {"input": 12, "output": 7}
    assert (duration.count, first.count) == (1, 1)
    assert duration.attributes["gen_ai.request.model"] == "tiny"
    assert "error.type" not in duration.attributes
    assert span.attributes is not None
    assert span.attributes["gen_ai.response.finish_reasons"] == ("stop",)


def test_a_request_that_nobody_finished_was_cancelled() -> None:
    """A run that is cancelled in the middle of an answer leaves a duration and a span that say so."""
    with recording() as recorded:
        RequestRecord("tiny", "openai-compatible").end()
        (duration,) = recorded.points("gen_ai.client.operation.duration")
        (span,) = recorded.spans
    assert duration.attributes["error.type"] == "cancelled"
    assert span.attributes is not None
    assert span.attributes["error.type"] == "cancelled"
