"""Sessions through the gateway."""

from __future__ import annotations

import grpc.aio
import pytest

from penstock.v1.gateway_pb2 import DeleteSessionRequest, GetSessionRequest, ListMessagesRequest
from penstock.v1.run_pb2 import Content
from penstock.v1.session_pb2 import MESSAGE_ROLE_USER, AppendMessagesRequest, SessionMessage
from penstock.wire import errors
from penstock.wire.status import from_rpc_error
from tests.gateway.house import House


async def tell(house: House, session_id: str, count: int) -> None:
    await house.sessions.AppendMessages(
        AppendMessagesRequest(
            tenant="acme",
            session_id=session_id,
            messages=[
                SessionMessage(message_id=f"m{n}", role=MESSAGE_ROLE_USER, content=[Content(text=f"message {n}")])
                for n in range(count)
            ],
        )
    )


@pytest.mark.parametrize("newest_first", [False, True])
async def test_following_the_tokens_gives_every_message_once_in_order(house: House, newest_first: bool) -> None:
    """Pages of any size join without gap or repetition, in both directions."""
    await tell(house, "chat", 10)
    expected = [f"m{n}" for n in range(10)]
    for page_size in (1, 3, 5, 10, 1000):
        listed: list[str] = []
        token = ""
        for _ in range(20):
            page = await house.gateway.ListMessages(
                ListMessagesRequest(session_id="chat", page_size=page_size, page_token=token, newest_first=newest_first)
            )
            assert len(page.messages) <= page_size
            listed += [message.message_id for message in page.messages]
            token = page.next_page_token
            if not token:
                break
        else:
            pytest.fail("the pages never end")
        assert listed == (expected[::-1] if newest_first else expected)


async def test_a_token_of_another_session_is_refused(house: House) -> None:
    """Pages of two conversations can't be mixed up."""
    await tell(house, "chat", 3)
    await tell(house, "talk", 3)
    page = await house.gateway.ListMessages(ListMessagesRequest(session_id="chat", page_size=1))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.gateway.ListMessages(ListMessagesRequest(session_id="talk", page_token=page.next_page_token))
    error = from_rpc_error(caught.value)
    assert isinstance(error, errors.InvalidArgument)
    assert [violation.field for violation in error.violations] == ["page_token"]


async def test_a_session_is_told_as_it_stands(house: House) -> None:
    """GetSession shows the indexes and the run that is going on."""
    await house.recorder.record("run-1", session_id="chat")
    session = (await house.gateway.GetSession(GetSessionRequest(session_id="chat"))).session
    assert (session.session_id, session.active_run_id, session.next_index) == ("chat", "run-1", 1)


async def test_a_session_that_does_not_exist_is_told_with_those_that_look_like_it(house: House) -> None:
    """GetSession and ListMessages both name it, and sessions of recent runs that are like it."""
    await house.recorder.record("run-1", session_id="chat-with-anna")
    for call in (
        house.gateway.GetSession(GetSessionRequest(session_id="chat-with-ana")),
        house.gateway.ListMessages(ListMessagesRequest(session_id="chat-with-ana")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        error = from_rpc_error(caught.value)
        assert isinstance(error, errors.NotFound)
        assert error.reason == "SESSION_NOT_FOUND"
        assert "'chat-with-anna'" in error.message


async def test_a_session_with_a_run_that_goes_on_is_not_deleted(house: House) -> None:
    """Deleting waits for nothing and breaks nothing: busy is FAILED_PRECONDITION, later it works, then it is gone."""
    await house.recorder.record("run-1", session_id="chat")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.gateway.DeleteSession(DeleteSessionRequest(session_id="chat"))
    error = from_rpc_error(caught.value)
    assert isinstance(error, errors.FailedPrecondition)
    assert error.reason == "SESSION_BUSY"
    await house.recorder.finish("run-1")
    assert (await house.gateway.DeleteSession(DeleteSessionRequest(session_id="chat"))).deleted
    assert not (await house.gateway.DeleteSession(DeleteSessionRequest(session_id="chat"))).deleted
