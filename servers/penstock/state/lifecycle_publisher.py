"""The publishing of runs' starts and ends, from the outbox to a topic."""

import json
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from penstock.state.lifecycle import LifecycleNews, LifecycleOutbox
from penstock.state.topic_store import REPLY_PREFIX, TopicStore
from penstock.v1.event_pb2 import TopicEvent
from penstock.v1.run_pb2 import Run, RunState
from penstock.wire.ids import ID_RULE, is_id

_AT_ONCE: Final = 200
_TYPES: Final = {
    RunState.RUN_STATE_RUNNING: "run.started",
    RunState.RUN_STATE_SUCCEEDED: "run.succeeded",
    RunState.RUN_STATE_FAILED: "run.failed",
    RunState.RUN_STATE_CANCELLED: "run.cancelled",
}
# What a run that has only started does not have yet.
_OF_THE_END: Final = ("finish_time", "usage", "error", "last_sequence", "durable_sequence", "generation")


class LifecyclePublisher:
    """Publishes what the outbox holds, each under an id of its own, and only then clears it.

    So one that is killed in between publishes again what the topic then leaves out.

    Raises ValueError for a topic that nobody could subscribe to, or that is only there while somebody does.
    """

    def __init__(self, outbox: LifecycleOutbox, topics: TopicStore, topic: str) -> None:
        if not is_id(topic) or topic.startswith(REPLY_PREFIX):
            raise ValueError(
                f"lifecycle_topic {topic!r} can't be published to: it must be {ID_RULE}, and not begin with "
                f"{REPLY_PREFIX!r}"
            )
        self._outbox = outbox
        self._topics = topics
        self._topic = topic

    async def publish(self) -> bool:
        """Publishes a bounded piece; True: there is more to do. Where that fails, it raises after the others' turn."""
        pending = await self._outbox.pending(_AT_ONCE)
        by_tenant: dict[str, list[LifecycleNews]] = {}
        for news in pending:
            by_tenant.setdefault(news.tenant, []).append(news)
        failures: list[Exception] = []
        for tenant, of_tenant in by_tenant.items():
            try:
                await self._topics.publish(tenant, self._topic, [_event(news) for news in of_tenant])
                await self._outbox.clear(of_tenant)
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return len(pending) == _AT_ONCE


def _event(news: LifecycleNews) -> TopicEvent:
    run = Run()
    run.CopyFrom(news.run)
    run.state = news.state
    for field in ("plan", "input", "output"):
        run.ClearField(field)
    if news.state == RunState.RUN_STATE_RUNNING:
        for field in _OF_THE_END:
            run.ClearField(field)
    return TopicEvent(
        event_id=f"{run.run_id}:{RunState.Name(news.state).removeprefix('RUN_STATE_')}",
        type=_TYPES[news.state],
        payload_json=json.dumps({"run": _as_dict(run)}, ensure_ascii=False),
    )


def _as_dict(run: Run) -> dict[str, Any]:
    try:
        return MessageToDict(run, preserving_proto_field_name=True)
    except TypeError:  # a detail of a type that is not known here; code and message tell the most
        run.error.ClearField("details")
        return MessageToDict(run, preserving_proto_field_name=True)
