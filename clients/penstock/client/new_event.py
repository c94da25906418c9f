"""An event, as Python says it, made into the contract's."""

import json
from collections.abc import Mapping
from typing import Any

from penstock.v1.event_pb2 import TopicEvent
from penstock.wire.errors import InvalidArgument
from penstock.wire.ids import random_id


def new_event(
    payload: Any, *, type: str = "event", event_id: str = "", metadata: Mapping[str, str] | None = None
) -> TopicEvent:
    """Makes an event whose payload is anything that JSON can say, under an id of its own where none is given.

        client.publish_events("orders", [new_event({"id": n}, event_id=f"order-{n}") for n in range(100)])

    Raises:
        InvalidArgument: the payload is nothing that JSON can say.
    """
    try:
        payload_json = json.dumps(payload, ensure_ascii=False, allow_nan=False)
        payload_json.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument.of([("payload", f"can't be written as JSON: {error}")]) from error
    return TopicEvent(event_id=event_id or random_id("event"), type=type, payload_json=payload_json, metadata=metadata)
