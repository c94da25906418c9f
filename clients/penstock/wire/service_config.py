"""The gRPC service config of a service: how calls are balanced, which are retried, and when a peer is left out."""

import json
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

# Any status but OK counts against a peer, so it takes a third of its calls failing to be left out for a while.
_BALANCING = {
    "outlier_detection_experimental": {
        "interval": "1s",
        "baseEjectionTime": "2s",
        "maxEjectionPercent": 50,
        "failurePercentageEjection": {
            "threshold": 30,
            "enforcementPercentage": 100,
            "minimumHosts": 2,
            "requestVolume": 5,
        },
        "childPolicy": [{"round_robin": {}}],
    }
}

# Ten failures without a success between stop all retries: a peer that is down is not helped by more calls.
_THROTTLING = {"maxTokens": 10, "tokenRatio": 0.1}

# UNAVAILABLE alone says that the call may not have been heard.
_RETRYING = {
    "maxAttempts": 4,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def service_config(service: str, *more: str) -> str:
    """Returns the service config, as JSON, for the service of this full name, and more that the same peers serve.

    The health of the first is what decides which peers get calls. There is no timeout in it, because gRPC fires those
    1-2 s early: give each call its own. Raises ValueError for a service whose generated module has not been imported.
    """
    config: dict[str, Any] = {
        "loadBalancingConfig": [_BALANCING],
        "healthCheckConfig": {"serviceName": service},
        "retryThrottling": _THROTTLING,
    }
    services = (service, *more)
    if repeatable := [{"service": one, "method": name} for one in services for name in _repeatable(one)]:
        config["methodConfig"] = [{"name": repeatable, "retryPolicy": _RETRYING}]
    return json.dumps(config)


def _repeatable(service: str) -> list[str]:
    try:
        descriptor = descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        raise ValueError(f"no service {service!r} is known; import its generated module first") from None
    return [method.name for method in descriptor.methods if _may_repeat(method)]


def _may_repeat(method: MethodDescriptor) -> bool:
    level = method.GetOptions().idempotency_level
    if level == MethodOptions.NO_SIDE_EFFECTS:
        return True
    # gRPC repeats a call only until its first answer came. A stream of requests may have had half its effect by then.
    return level == MethodOptions.IDEMPOTENT and not method.client_streaming
