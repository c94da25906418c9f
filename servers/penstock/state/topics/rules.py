"""What requests about topics must keep to."""

from typing import Final

from penstock.state.topic_store import OWN_GROUP_PREFIX, dead_topic
from penstock.state.violations import MAX_BATCH, MAX_METADATA_BYTES, MAX_VALUE_BYTES, Violations
from penstock.v1.event_pb2 import AcknowledgeRequest, PublishRequest, SubscribeRequest, TopicEvent
from penstock.wire.ids import ID_RULE, is_id
from penstock.wire.rules.fields import parse_json

MOST_UNACKNOWLEDGED: Final = 1000
DEFAULT_UNACKNOWLEDGED: Final = 64
DEFAULT_VISIBILITY: Final = 30.0
_SHORTEST_VISIBILITY: Final = 1.0
_LONGEST_VISIBILITY: Final = 12 * 3600.0
_LONGEST_NAME: Final = 128
_LONGEST_EVENT_ID: Final = 256
_LONGEST_REASON: Final = 1024
_LAST_POSITION: Final = 2**63 - 1


def check_publish(request: PublishRequest) -> None:
    """Raises InvalidArgument when events can't be published as they are."""
    violations = Violations()
    violations.id("tenant", request.tenant)
    violations.id("topic", request.topic)
    violations.count("events", len(request.events), least=1)
    violations.raise_any()
    for position, event in enumerate(request.events):
        _check_event(violations, f"events[{position}]", event)
    violations.raise_any()


def check_subscribe(request: SubscribeRequest) -> tuple[int, float]:
    """Returns how many events may be unacknowledged and for how many seconds; raises InvalidArgument."""
    violations = Violations()
    _check_names(violations, request.tenant, request.topic)
    violations.id("group", request.group, optional=True)
    if request.group and len(dead_topic(request.topic, request.group)) > _LONGEST_NAME:
        most = _LONGEST_NAME - len(dead_topic("", ""))
        violations.add("group", f"is too long: together with the topic's name it may have {most} characters")
    violations.id("member", request.member, optional=True)
    if request.from_position > _LAST_POSITION:
        violations.add("from_position", "is beyond any position that a topic can have")
    if request.max_unacknowledged > MOST_UNACKNOWLEDGED:
        violations.add("max_unacknowledged", f"must be 1 to {MOST_UNACKNOWLEDGED}, or 0 for {DEFAULT_UNACKNOWLEDGED}")
    visibility = DEFAULT_VISIBILITY
    if request.HasField("visibility_timeout"):
        visibility = violations.duration(
            "visibility_timeout", request.visibility_timeout, _SHORTEST_VISIBILITY, _LONGEST_VISIBILITY
        )
    violations.raise_any()
    return request.max_unacknowledged or DEFAULT_UNACKNOWLEDGED, visibility


def check_acknowledge(request: AcknowledgeRequest) -> None:
    """Raises InvalidArgument when answers can't be taken as they are."""
    violations = Violations()
    _check_names(violations, request.tenant, request.topic)
    violations.id("group", request.group.removeprefix(OWN_GROUP_PREFIX))
    if len(request.positions) + len(request.failed) > MAX_BATCH:
        violations.add("positions", f"are, with those that failed, more than {MAX_BATCH}")
    if any(not 1 <= position <= _LAST_POSITION for position in request.positions):
        violations.add("positions", "must each be 1 or more, and one that a topic can have")
    for index, failed in enumerate(request.failed):
        if not 1 <= failed.position <= _LAST_POSITION:
            violations.add(f"failed[{index}].position", "must be 1 or more, and one that a topic can have")
        if len(failed.reason) > _LONGEST_REASON:
            violations.add(f"failed[{index}].reason", f"has more than {_LONGEST_REASON} characters")
    violations.raise_any()


def _check_names(violations: Violations, tenant: str, topic: str) -> None:
    violations.id("tenant", tenant)
    violations.id("topic", topic)


def _check_event(violations: Violations, where: str, event: TopicEvent) -> None:
    if not (event.event_id and len(event.event_id) <= _LONGEST_EVENT_ID and _is_long_id(event.event_id)):
        violations.add(f"{where}.event_id", f"must be {ID_RULE.replace('128', str(_LONGEST_EVENT_ID))}")
    violations.id(f"{where}.type", event.type)
    violations.id(f"{where}.correlation_id", event.correlation_id, optional=True)
    violations.id(f"{where}.reply_topic", event.reply_topic, optional=True)
    if event.HasField("deadline_time"):
        violations.time(f"{where}.deadline_time", event.deadline_time)
    if event.HasField("time"):
        violations.add(f"{where}.time", "is the store's to give; leave it empty")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in event.metadata.items())
    violations.size(f"{where}.metadata", size, MAX_METADATA_BYTES)
    size = len(event.payload_json.encode())
    violations.size(f"{where}.payload_json", size, MAX_VALUE_BYTES)
    if size <= MAX_VALUE_BYTES and (wrong := _wrong_json(event.payload_json)):
        violations.add(f"{where}.payload_json", wrong)


def _is_long_id(text: str) -> bool:
    return all(is_id(text[start : start + _LONGEST_NAME]) for start in range(0, len(text), _LONGEST_NAME))


def _wrong_json(text: str) -> str:
    """Tells what is wrong with JSON text; empty: nothing."""
    try:
        parse_json(text)
    except ValueError as error:
        return str(error)
    return ""
