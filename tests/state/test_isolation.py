"""Tenants: whatever names they choose, none reaches what belongs to another, nor chooses where its own things lie."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from urllib.parse import parse_qs, urlsplit

import pytest

from penstock.v1 import run_log_pb2, session_pb2, state_pb2
from penstock.v1.event_pb2 import PublishRequest, TopicEvent
from penstock.v1.limit_pb2 import RateLimit, TakeRequest
from penstock.v1.ownership_pb2 import SignalOutcome
from penstock.v1.run_log_pb2 import AppendOutcome, RecordOutcome
from penstock.v1.run_pb2 import RunState
from tests.state import entries as e
from tests.state.house import House
from tests.stores.kinds import Kind

# Run together in any way, a name of one and a name of another read alike.
TENANTS = ("a", "a:b", "a:b:c", "a.b", "a-b", "A", "0", "a" * 128)
KEYS = (
    *("b:c", "c", ":c", "{b}", "{b}c", "}{", "{", "}", "*", "b*", "?", "[a-z]", "%", "_", "\\", "'", '"', "\x00", "\n"),
    *("b\x00c", " ", "é", "ключ", "\U0001f600", "../b", "penstock:", "k" * 1024, "{" * 1024, "é" * 512),
)
IDS = ("b:c", "c", ":c", "b", ":", "-", "s", "r", "run", "x" * 128)


async def values_of(house: House, tenant: str, prefix: str = "") -> dict[str, bytes]:
    """All values of a tenant."""
    found: dict[str, bytes] = {}
    token = ""
    while True:
        request = state_pb2.ListValuesRequest(tenant=tenant, prefix=prefix, page_size=1000, page_token=token)
        page = await house.values.ListValues(request)
        found |= {value.key: value.data for value in page.values}
        token = page.next_page_token
        if not token:
            return found


async def test_no_key_reaches_another_tenant_s_value(house: House) -> None:
    """Every tenant has every key for itself: to read, to list, to swap and to delete."""
    for tenant, key in product(TENANTS, KEYS):
        data = f"{tenant}|{key}".encode()
        request = state_pb2.CompareAndSetValueRequest(tenant=tenant, key=key, data=data, must_not_exist=True)
        assert (await house.values.CompareAndSetValue(request)).applied
    for tenant in TENANTS:
        assert await values_of(house, tenant) == {key: f"{tenant}|{key}".encode() for key in KEYS}
        for prefix in ("{", "b", "*", "é", ":"):
            begins_so = {key for key in KEYS if key.startswith(prefix)}
            assert set(await values_of(house, tenant, prefix)) == begins_so
    gone = TENANTS[0]
    for key in KEYS:
        assert (await house.values.DeleteValue(state_pb2.DeleteValueRequest(tenant=gone, key=key))).deleted
    assert await values_of(house, gone) == {}
    for tenant in TENANTS[1:]:
        assert len(await values_of(house, tenant)) == len(KEYS)


async def test_no_id_reaches_another_tenant_s_session(house: House) -> None:
    """Messages, free data and the delete of a session stay with its tenant."""
    for tenant, session in product(TENANTS, IDS):
        about = {"tenant": tenant, "session_id": session}
        append = session_pb2.AppendMessagesRequest(messages=[e.message("m", f"{tenant}|{session}")], **about)
        assert list((await house.sessions.AppendMessages(append)).indexes) == [0]
        update = session_pb2.UpdateSessionRequest(data_json="1", expected_version=0, **about)
        assert (await house.sessions.UpdateSession(update)).applied
    for session in IDS:
        await house.sessions.DropSession(session_pb2.DropSessionRequest(tenant=TENANTS[0], session_id=session))
    for tenant, session in product(TENANTS, IDS):
        request = session_pb2.ReadMessagesRequest(tenant=tenant, session_id=session)
        texts = [message.content[0].text for message in (await house.sessions.ReadMessages(request)).messages]
        assert texts == ([] if tenant == TENANTS[0] else [f"{tenant}|{session}"])


async def test_no_id_reaches_another_tenant_s_run(house: House) -> None:
    """Logs, records, lists, signals and sessions' turns stay with their tenant."""
    await e.lease(house)
    for tenant, run_id in product(TENANTS, IDS):
        entry = e.record_entry(run_id, tenant=tenant, session=f"{run_id[:100]}.s", text=f"{tenant}|{run_id}")
        assert (await e.record(house, entry)).outcome == RecordOutcome.RECORD_OUTCOME_STARTED
    ended = TENANTS[0]
    for run_id in IDS:
        await e.append_as_owner(house, run_id, e.run_finished(RunState.RUN_STATE_FAILED), tenant=ended)
    for tenant, run_id in product(TENANTS, IDS):
        record = await e.run_record(house, run_id, tenant)
        assert record.run.input[0].text == f"{tenant}|{run_id}"
        assert (record.run.state == RunState.RUN_STATE_RUNNING) == (tenant != ended)
        result = await e.append_events(house, run_id, e.token(f"{tenant}"), tenant=tenant)
        refused = AppendOutcome.APPEND_OUTCOME_RUN_FINISHED
        assert result.outcome == (refused if tenant == ended else AppendOutcome.APPEND_OUTCOME_APPENDED)
    for tenant in TENANTS[1:]:
        page = await house.log.FindRuns(run_log_pb2.FindRunsRequest(tenant=tenant, page_size=1000))
        assert [run.run_id for run in page.runs] == list(reversed(IDS))
        for run_id in IDS:
            events = await e.read_log(house, run_id, tenant=tenant)
            assert [event.token.text for event in events if event.HasField("token")] == [tenant]


async def test_an_unknown_tenant_sees_nothing(house: House) -> None:
    """It is answered as if nothing were there."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", session="s", labels={"l": "1"}))
    other = "other"
    names = [run_log_pb2.RunName(tenant=other, run_id="run-1")]
    assert not (await house.log.ReadRuns(run_log_pb2.ReadRunsRequest(runs=names))).records
    for conditions in ({}, {"session_id": "s"}, {"labels": {"l": "1"}}, {"states": [RunState.RUN_STATE_RUNNING]}):
        request = run_log_pb2.FindRunsRequest(tenant=other, **conditions)  # type: ignore[arg-type] # passed through
        assert not (await house.log.FindRuns(request)).runs
    assert (await e.cancel(house, "run-1", tenant=other)).outcome == SignalOutcome.SIGNAL_OUTCOME_NOT_FOUND
    refused = await e.append_events(house, "run-1", e.token(), tenant=other)
    assert refused.outcome == AppendOutcome.APPEND_OUTCOME_NOT_FOUND
    session = session_pb2.ReadSessionRequest(tenant=other, session_id="s")
    assert not (await house.sessions.ReadSession(session)).HasField("session")


MARK = "Wasserzeichen"
_FORM = re.compile(rb"penstock:test-[0-9a-f]{32}:(\{[0-9a-f]{32}\}:)?[a-z-]+(:[0-9a-f]{32})?(:[a-z-]+)*")


@pytest.fixture
def all_keys(request: pytest.FixtureRequest, kind: Kind, url: str) -> Callable[[], set[bytes]]:
    """Reads the names of all keys of the store."""
    namespace = parse_qs(urlsplit(url).query)["namespace"][0].encode()
    server = request.getfixturevalue({"cluster": "valkey_cluster", "redis": "redis_server"}.get(kind.store, kind.store))
    return lambda: {key for key in server.all_keys() if namespace in key}


@pytest.mark.stores("valkey", "redis", "cluster")
async def test_no_text_of_a_user_is_part_of_a_key(house: House, all_keys: Callable[[], set[bytes]]) -> None:
    """Keys are made of hashes, and a tenant's slots have nothing to do with what it calls its things."""
    tags: dict[str, set[bytes]] = {}
    # What all tenants share is made with the first one's things, which are not counted for that.
    for tenant in (f"{MARK}.0", f"{MARK}.1", f"{MARK}.2"):
        before = _tags(all_keys())
        for key in (f"{{{MARK}}}a", f"{{{MARK}}}b", MARK):
            await house.values.SetValue(state_pb2.SetValueRequest(tenant=tenant, key=key, data=b"1"))
        about = {"tenant": tenant, "session_id": MARK}
        await house.sessions.AppendMessages(session_pb2.AppendMessagesRequest(messages=[e.message(MARK)], **about))
        await house.sessions.UpdateSession(session_pb2.UpdateSessionRequest(data_json="1", **about))
        tags[tenant] = _tags(all_keys()) - before
    _, one, two = tags.values()
    assert len(one) >= 4, "the values of one tenant share a slot, or a session does with them"
    assert len(one) == len(two)
    assert not one & two
    await e.lease(house, f"{MARK}.owner")
    entry = e.record_entry(
        f"{MARK}.run", session=f"{MARK}.s", tenant=f"{MARK}.1", owner=f"{MARK}.owner", labels={f"{MARK}.l": MARK}
    )
    await e.record(house, entry)
    await e.append_events(house, f"{MARK}.run", e.token(MARK), tenant=f"{MARK}.1", writer=f"{MARK}.writer")
    await e.cancel(house, f"{MARK}.run", f"{MARK}.signal", tenant=f"{MARK}.1")
    event = TopicEvent(event_id=f"{MARK}.e", type="said", payload_json="1")
    await house.events.Publish(PublishRequest(tenant=f"{MARK}.1", topic=f"{MARK}.topic", events=[event]))
    limit = RateLimit(name=f"{{{MARK}}}", rate=1, burst=1, amount=1)
    await house.limits.Take(TakeRequest(tenant=f"{MARK}.1", limits=[limit]))
    for key in all_keys():
        assert MARK.encode() not in key
        assert re.fullmatch(_FORM, key)


def _tags(keys: set[bytes]) -> set[bytes]:
    return {found[1] for key in keys if (found := re.search(rb"\{(.*?)\}", key))}
