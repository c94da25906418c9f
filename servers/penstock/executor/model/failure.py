"""How requests to a model fail, as errors of ours; the one table of what model servers do wrong.

401, 403                        FailedPrecondition  MODEL_UNAUTHENTICATED    the mesh's key, not the caller's
402, 429 for a used-up quota    ResourceExhausted   MODEL_QUOTA_EXHAUSTED    waiting does not help
404                             NotFound            MODEL_NOT_FOUND
429                             ResourceExhausted   MODEL_RATE_LIMITED       with the server's Retry-After
other 4xx                       InvalidArgument     MODEL_REQUEST_REFUSED    such as a conversation that is too long
5xx, no connection              Unavailable         MODEL_UNAVAILABLE
what can't be read              Internal            MODEL_GARBLED
no word, also when asked again  Internal            MODEL_ANSWER_EMPTY       such as reasoning alone
the stream broke off            Unavailable         MODEL_STREAM_CUT         also where it ends without a finish reason
any other finish reason         Unavailable         MODEL_STREAM_CUT         such as vLLM's "abort"; see `ending.py`
finish reason "length"          ResourceExhausted   MODEL_OUTPUT_TRUNCATED   half an answer is none
finish reason "content_filter"  FailedPrecondition  MODEL_REFUSED
too many rounds of tool calls   ResourceExhausted   MODEL_TURNS_EXHAUSTED
"""

from typing import Final

from pydantic_ai.exceptions import (
    ContentFilterError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
)

from penstock.executor.model.credentials import KEY_VARIABLE, without_key
from penstock.wire.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PenstockError,
    ResourceExhausted,
    Unavailable,
)

_LONGEST_QUOTE: Final = 300
# Seconds; servers that mean milliseconds, or a point in time, ask for years.
_LONGEST_WAIT: Final = 24 * 3600.0
_LONGEST_WORD: Final = 40
# 408 (timed out) and 425 (too early) ask for another try.
_CLIENT_ERRORS: Final = frozenset(range(400, 500)) - {408, 425}


def failure_of(error: Exception, model: str, *, answering: bool) -> PenstockError:
    """Returns what a failed request comes to; `answering` says that the answer had begun."""
    if isinstance(error, ModelAPIError):
        return _refused(error, model) or _broken(error, model, answering=answering)
    if isinstance(error, ContentFilterError):
        return refused_to_answer(model)
    return Internal(f"the answer of the model {model} can't be read", reason="MODEL_GARBLED")


def refused_to_answer(model: str) -> PenstockError:
    """Makes the failure of an answer that a content filter withheld."""
    return FailedPrecondition(f"a content filter withheld the answer of the model {model}", reason="MODEL_REFUSED")


def truncated(model: str) -> PenstockError:
    """Makes the failure of an answer that is longer than its server or the model's memory allows."""
    text = f"the answer of the model {model} was cut at its limit of tokens; the tokens so far are in the run's log"
    return ResourceExhausted(text, reason="MODEL_OUTPUT_TRUNCATED")


def stopped_early(model: str, word: str) -> PenstockError:
    """Makes the failure of an answer that its server ended for a reason of its own."""
    text = f"the model server ended the answer of the model {model} early: {without_key(word)[:_LONGEST_WORD]!r}"
    return Unavailable(text, reason="MODEL_STREAM_CUT")


def said_nothing(model: str) -> PenstockError:
    """Makes the failure of a model that neither answers nor asks for a tool."""
    text = f"the model {model} ended its turn without a word of an answer, also when asked again"
    return Internal(text, reason="MODEL_ANSWER_EMPTY")


def turns_exhausted(model: str) -> PenstockError:
    """Makes the failure of a model that goes on asking for tools."""
    text = f"the model {model} asked for tools once more after model.max_turns requests"
    return ResourceExhausted(text, reason="MODEL_TURNS_EXHAUSTED")


def _refused(error: ModelAPIError, model: str) -> PenstockError | None:
    """Returns the failure that a server names, before its answer or within; None when it names none."""
    status = f"HTTP {error.status_code}" if isinstance(error, ModelHTTPError) else "within its answer"
    if isinstance(error, ModelAuthenticationError):
        text = f"the model server does not accept this mesh's key ({status}); who runs the mesh sets {KEY_VARIABLE}"
        return FailedPrecondition(text, reason="MODEL_UNAUTHENTICATED")
    if isinstance(error, ModelNotFoundError):
        text = f"the model server has no model {model!r} ({status}), or its URL is another: most end in /v1"
        return NotFound(text, reason="MODEL_NOT_FOUND", metadata={"model": model})
    if isinstance(error, ModelQuotaExceededError):
        return ResourceExhausted(f"the quota for the model {model} is used up", reason="MODEL_QUOTA_EXHAUSTED")
    if isinstance(error, ModelRateLimitError):
        text = f"the model server takes no more requests for {model} now ({status})"
        return ResourceExhausted(text, reason="MODEL_RATE_LIMITED", retry_after=_wait(error))
    rejected = isinstance(error, ModelHTTPError) and error.status_code in _CLIENT_ERRORS
    if isinstance(error, ModelRequestRejectedError) or rejected:
        # The server's words say what is wrong with the caller's own request, such as how long it may be.
        text = f"the model server refused the request ({status}): {_words_of(error)}"
        return InvalidArgument(text, reason="MODEL_REQUEST_REFUSED")
    return None


def _broken(error: ModelAPIError, model: str, *, answering: bool) -> PenstockError:
    if isinstance(error.__cause__, ValueError):  # of a decoder
        return Internal(f"the answer of the model {model} can't be read", reason="MODEL_GARBLED")
    wait = _wait(error)
    if isinstance(error, ModelHTTPError):
        text = f"the model server failed ({error.status_code})"
        return Unavailable(text, reason="MODEL_UNAVAILABLE", retry_after=wait)
    # What is no failed connection is an end without a finish reason, also of an answer that had no word yet.
    if not error.in_stream and (answering or not isinstance(error, ModelConnectionError)):
        text = f"the answer of the model {model} broke off before its end"
        return Unavailable(text, reason="MODEL_STREAM_CUT")
    if isinstance(error, ModelConnectionError):
        return Unavailable("the model server can't be reached", reason="MODEL_UNAVAILABLE")
    return Unavailable("the model server failed within its answer", reason="MODEL_UNAVAILABLE", retry_after=wait)


def _wait(error: ModelAPIError) -> float:
    return min(error.retry_after or 1.0, _LONGEST_WAIT)


def _words_of(error: ModelAPIError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    words = body.get("message")
    return without_key(words)[:_LONGEST_QUOTE] if isinstance(words, str) and words else "it does not say why"
