"""What the word means with which a model server ends an answer: only few say that the answer is whole."""

from typing import Final

from pydantic_ai.messages import ModelResponse

from penstock.executor.model.failure import refused_to_answer, stopped_early, truncated

# Beside OpenAI's words those of servers that say the same in their own.
_WHOLE: Final = frozenset(
    {"stop", "tool_calls", "tool_call", "tool_use", "function_call"}
    | {"eos", "eos_token", "end_turn", "stop_sequence", "complete"}
)
_TRUNCATED: Final = frozenset({"length", "max_tokens", "model_length"})
_FILTERED: Final = "content_filter"


def end_word(response: ModelResponse) -> str:
    """Returns the server's own word, and pydantic-ai's where it keeps none; empty when there is neither."""
    return str((response.provider_details or {}).get("finish_reason") or response.finish_reason or "")


def check_end(response: ModelResponse, model: str) -> None:
    """Raises a PenstockError for an answer that is not whole, such as one that vLLM ends with "abort"."""
    word = end_word(response)
    if response.finish_reason == _FILTERED or word == _FILTERED:
        raise refused_to_answer(model)
    if word.lower() in _TRUNCATED:
        raise truncated(model)
    if word.lower() not in _WHOLE:
        raise stopped_early(model, word)
