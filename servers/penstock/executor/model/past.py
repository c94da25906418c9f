"""A session's messages as the conversation that the model goes on with."""

from collections.abc import Iterable

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, SystemPromptPart, TextPart, UserPromptPart

from penstock.executor.history import Message


def conversation(history: Iterable[Message]) -> list[ModelMessage]:
    """Returns what was said by user and model; the note of a run that gave no answer stands in its place.

    Without it two messages of the user would follow each other, which the templates of some models refuse, and the
    model would answer the one that was cancelled, too.
    """
    said: list[ModelMessage] = []
    for message in history:
        if message.text:
            match message.role:
                case "system":
                    said.append(ModelRequest(parts=[SystemPromptPart(message.text)]))
                case "user":
                    said.append(ModelRequest(parts=[UserPromptPart(message.text)]))
                case "assistant":
                    said.append(ModelResponse(parts=[TextPart(message.text)]))
                case "note":
                    said.append(ModelResponse(parts=[TextPart(f"(no answer: {message.text})")]))
    return said
