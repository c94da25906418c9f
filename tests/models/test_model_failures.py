"""What model servers do wrong becomes an outcome with a reason, and no secret in its text."""

import pytest

from penstock.client import Client, Transcript, errors
from penstock.wire.status import from_status
from tests.models.conftest import KEY
from tests.models.model_mesh import ModelMesh
from tests.models.model_process import ModelProcess
from tests.models.reading import failure, of_kind, read


@pytest.mark.parametrize(
    ("behaviour", "kind", "reason", "retry_after"),
    [
        ("unauthenticated", errors.FailedPrecondition, "MODEL_UNAUTHENTICATED", None),
        ("forbidden", errors.FailedPrecondition, "MODEL_UNAUTHENTICATED", None),
        ("unknown", errors.NotFound, "MODEL_NOT_FOUND", None),
        ("limited", errors.ResourceExhausted, "MODEL_RATE_LIMITED", 7.0),
        ("spent", errors.ResourceExhausted, "MODEL_QUOTA_EXHAUSTED", None),
        ("too_long", errors.InvalidArgument, "MODEL_REQUEST_REFUSED", None),
        ("breaks", errors.Unavailable, "MODEL_UNAVAILABLE", 1.0),
        ("overloaded", errors.Unavailable, "MODEL_UNAVAILABLE", 3.0),
        ("unwell_midway", errors.Unavailable, "MODEL_UNAVAILABLE", 1.0),
        ("cut", errors.Unavailable, "MODEL_STREAM_CUT", 1.0),
        ("unfinished", errors.Unavailable, "MODEL_STREAM_CUT", 1.0),
        ("empty", errors.Internal, "MODEL_GARBLED", None),
        ("no_json", errors.Internal, "MODEL_GARBLED", None),
        ("wrong_shape", errors.Internal, "MODEL_GARBLED", None),
        ("web_page", errors.Internal, "MODEL_GARBLED", None),
        ("whole", errors.Internal, "MODEL_GARBLED", None),
        ("half_a_character", errors.Internal, "MODEL_GARBLED", None),
        ("ends_with abort", errors.Unavailable, "MODEL_STREAM_CUT", 1.0),
        ("ends_with insufficient_system_resource", errors.Unavailable, "MODEL_STREAM_CUT", 1.0),
        ("ends_with MAX_TOKENS", errors.ResourceExhausted, "MODEL_OUTPUT_TRUNCATED", None),
        ("begins_with_no_word", errors.Unavailable, "MODEL_STREAM_CUT", 1.0),
        ("only_thinks", errors.Internal, "MODEL_ANSWER_EMPTY", None),
        ("for_ever_limited", errors.ResourceExhausted, "MODEL_RATE_LIMITED", 86_400.0),
        ("moved_away", errors.Unavailable, "MODEL_UNAVAILABLE", 1.0),
        ("truncated", errors.ResourceExhausted, "MODEL_OUTPUT_TRUNCATED", None),
        ("filtered", errors.FailedPrecondition, "MODEL_REFUSED", None),
    ],
)
async def test_a_failure_has_a_reason_and_holds_no_secret(
    client: Client,
    mesh: ModelMesh,
    behaviour: str,
    kind: type[errors.PenstockError],
    reason: str,
    retry_after: float | None,
) -> None:
    """Each way to fail has a status and reason of its own, the server's wish when to come back, and the request id."""
    error = await failure(client, behaviour)
    assert (type(error), error.reason, error.retry_after) == (kind, reason, retry_after)
    assert error.metadata["request_id"].startswith("req-")
    assert "4711" not in error.message
    assert KEY not in mesh.logs()


async def test_half_a_stream_is_no_answer(client: Client) -> None:
    """A socket closed in the middle of a chunk fails the step; the tokens seen before stay in the log."""
    seen = await read(client, "cut")
    assert Transcript().consume_all(seen).text == "half a "
    assert from_status(seen[-1].run_finished.error).reason == "MODEL_STREAM_CUT"
    assert not of_kind(seen, "turn_finished")


async def test_a_stream_without_a_finish_reason_is_never_a_short_success(client: Client) -> None:
    """A stream that ends neatly, [DONE] and all, but never said that the answer is finished, fails the step."""
    seen = await read(client, "unfinished")
    assert Transcript().consume_all(seen).text == "half a sentence"
    assert from_status(seen[-1].run_finished.error).reason == "MODEL_STREAM_CUT"


async def test_a_refused_request_says_why_in_the_servers_words_but_for_the_key(client: Client) -> None:
    """Who sent too much reads how much fits, and what looks like a key is hidden."""
    error = await failure(client, "too_long")
    assert "maximum context length is 8192 tokens" in error.message
    assert "********" in error.message


async def test_a_server_that_says_nothing_is_left_when_time_is_up(client: Client, model_server: ModelProcess) -> None:
    """No byte ever comes: the run ends at its own timeout, and the socket is closed."""
    error = await failure(client, "hangs in time", timeout=4.0)
    assert isinstance(error, errors.DeadlineExceeded)
    await model_server.wait_closed((await model_server.seen("hangs"))[-1]["number"])


async def test_only_the_steps_policy_repeats_a_request(client: Client, model_server: ModelProcess) -> None:
    """A failing server gets one request without a retry policy, and with one as many as it says."""
    before = len(await model_server.seen("breaks"))
    await failure(client, "breaks")
    assert len(await model_server.seen("breaks")) == before + 1
    policy = {"max_attempts": 3, "initial_backoff": "0.01s"}
    step = {"step_id": "main", "agent": {"agent": "model"}, "retry": policy}
    await failure(client, "breaks", agent="", plan={"steps": [step]})
    assert len(await model_server.seen("breaks")) == before + 4
