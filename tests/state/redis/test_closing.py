"""A store that is closed while calls are under way: each is told, soon, that nobody knows what came of it."""

import asyncio
import time
from pathlib import Path

import pytest

from penstock.state.open_store import open_store
from penstock.state.settings import StateSettings
from penstock.v1.event_pb2 import TopicEvent
from penstock.v1.limit_pb2 import RateLimit, TakeRequest
from penstock.v1.ownership_pb2 import SendSignalRequest
from penstock.v1.run_pb2 import Signal
from penstock.v1.session_pb2 import AppendMessagesRequest
from penstock.v1.state_pb2 import SetValueRequest
from penstock.wire.errors import Unavailable
from tests.state.entries import OWNER, TENANT, append_entry, message, record_entry, token
from tests.stores.server import ValkeyServer, serving


async def test_calls_under_way_when_the_store_closes_are_told_at_once(tmp_path: Path) -> None:
    """They don't hang, and none takes it for its own caller's going."""
    server = ValkeyServer(tmp_path)
    with serving(server):
        try:
            async with open_store(StateSettings(url=server.url)) as store:
                await store.ownership.renew(OWNER, 60_000_000)
                await store.runs.record(record_entry("run", session="s"))
                server.stall()
                limit = RateLimit(name="calls", rate=1, burst=1, amount=1)
                cancel = Signal(cancel=Signal.Cancel(reason="enough"))
                under_way = {
                    "value": store.values.set(SetValueRequest(tenant=TENANT, key="k")),
                    "publish": store.topics.publish(TENANT, "t", [TopicEvent(event_id="x", type="x")]),
                    "take": store.limits.take(TakeRequest(tenant=TENANT, limits=[limit])),
                    "record": store.runs.record(record_entry("another")),
                    "record in a session": store.runs.record(record_entry("queued", session="s", owner="")),
                    "append": store.runs.append(append_entry("run", token())),
                    "messages": store.sessions.append(
                        AppendMessagesRequest(tenant=TENANT, session_id="s", messages=[message("m")])
                    ),
                    "signal": store.ownership.signal(
                        SendSignalRequest(tenant=TENANT, run_id="run", signal_id="1", signal=cancel)
                    ),
                    "lease": store.ownership.renew(OWNER, 60_000_000),
                    "claim": store.ownership.claim(OWNER, "claim", 1, 30.0),
                }
                calls = {name: asyncio.ensure_future(call) for name, call in under_way.items()}
                for _ in range(5):  # turns of the loop, after which what can be sent has left
                    await asyncio.sleep(0)
                closing = time.monotonic()
            assert time.monotonic() - closing < 20  # and not as long as a claim waits, or for ever
            for _ in range(5):  # turns of the loop, after which all have heard
                await asyncio.sleep(0)
            for name, call in calls.items():
                assert call.done(), name
                assert not call.cancelled(), name
                with pytest.raises(Unavailable):
                    await call
        finally:
            server.resume()
