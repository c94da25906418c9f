"""Failed calls, as the client's caller gets them."""

import pytest

from penstock.client import Client, errors
from penstock.client.asking import UNREACHABLE, Asked
from penstock.wire.context import RequestContext, from_metadata, use_context


async def test_what_is_not_there_is_named_with_what_looks_like_it(client: Client) -> None:
    """By every way of asking, with the request that was refused."""
    with pytest.raises(errors.NotFound, match="'count'") as missing:
        await client.create_run("1", agent="coumt")
    assert missing.value.metadata["request_id"].startswith("req-")
    with pytest.raises(errors.NotFound, match="run-x"):
        await client.get_run("run-x")
    with pytest.raises(errors.NotFound, match="run-x"):
        await anext(client.attach_run("run-x"))


async def test_all_that_is_wrong_with_a_spec_comes_back_field_by_field(client: Client) -> None:
    """The client's own checks leave the rest to the server, which tells all at once."""
    with pytest.raises(errors.InvalidArgument) as refused:
        await client.create_run(" ", agent="count", timeout=-1, labels={"bad key": ""})
    assert {"spec.input", "spec.timeout"} <= {violation.field for violation in refused.value.violations}


async def test_a_cursor_of_another_history_gets_the_last_common_event(client: Client) -> None:
    """Never other content under a number already seen."""
    run = await client.execute_run("2", agent="count")
    with pytest.raises(errors.DataLoss) as lost:
        await anext(client.attach_run(run.run_id, after_sequence=3, generation=run.generation + 1))
    assert lost.value.metadata["run_id"] == run.run_id
    assert lost.value.last_common_sequence <= 3


async def test_where_nothing_answers_the_error_names_the_address() -> None:
    """The reason tells it from a server that refuses."""
    async with Client("127.0.0.1:1") as nowhere:
        for call in (nowhere.get_run("x"), nowhere.get_status(), anext(nowhere.stream_run("x"))):
            with pytest.raises(errors.Unavailable, match=r"127\.0\.0\.1:1") as away:
                await call
            assert away.value.reason == UNREACHABLE
            assert away.value.metadata["request_id"].startswith("req-")


@pytest.mark.parametrize("address", ["", "localhost", "localhost:http", "1.2.3.4:70000"])
def test_what_can_be_no_address_is_refused_when_the_client_is_made(address: str) -> None:
    """Before anything is called."""
    with pytest.raises(ValueError, match="host:port"):
        Client(address)


def test_a_call_made_for_a_request_joins_its_trace_and_has_an_id_of_its_own() -> None:
    """An agent's service that calls a mesh is seen in one trace."""
    around = RequestContext("req-outer", tenant="acme", user="ann")
    with use_context(around):
        first, second = Asked.anew("a:1"), Asked.anew("a:1")
    context = from_metadata(first.metadata)
    assert context.trace_id == around.trace_id
    assert len({first.request_id, second.request_id, "req-outer"}) == 3
    assert (context.tenant, context.user) == ("", "")
