"""What a model's response is in events of ours."""

from pydantic_ai.messages import (
    AgentStreamEvent,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)

from penstock.executor.events import Reasoning, Usage


def said(event: AgentStreamEvent) -> str | Reasoning | None:
    """Returns the text or reasoning that an event brings; None when it brings neither.

    Raises:
        UnicodeEncodeError: the text is no Unicode: half of a character that JSON escapes write in two.
    """
    match event:
        # The first piece comes with the start of its part.
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            text.encode()
            return text or None
        case (
            PartStartEvent(part=ThinkingPart(content=text))
            | PartDeltaEvent(delta=ThinkingPartDelta(content_delta=text))
        ):
            if text:
                text.encode()
                return Reasoning(text)
    return None


def used(response: ModelResponse) -> Usage:
    """Returns what one response took; zeros where the server does not say."""
    count = response.usage
    return Usage(
        input_tokens=count.input_tokens,
        output_tokens=count.output_tokens,
        cached_input_tokens=count.cache_read_tokens,
        reasoning_tokens=count.details.get("reasoning_tokens", 0),
        model_requests=1,
    )
