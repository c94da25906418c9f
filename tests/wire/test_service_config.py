"""The service config follows from what the proto declares of each method."""

import json
from typing import Any

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions

from penstock.wire.service_config import service_config

SERVICE = "penstock.config_test.Service"
EMPTY = ".google.protobuf.StringValue"


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """The config of a service with a method of every idempotency level, unary and streaming."""
    file = FileDescriptorProto(name="penstock/config_test.proto", package="penstock.config_test", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    service = file.service.add(name="Service")
    for level, name in [
        (MethodOptions.IDEMPOTENCY_UNKNOWN, "Change"),
        (MethodOptions.IDEMPOTENT, "Put"),
        (MethodOptions.NO_SIDE_EFFECTS, "Get"),
    ]:
        for streaming in (False, True):
            method = service.method.add(
                name=f"Stream{name}" if streaming else name,
                input_type=EMPTY,
                output_type=EMPTY,
                server_streaming=streaming,
            )
            method.options.idempotency_level = level
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return json.loads(service_config(SERVICE))


def test_only_what_may_be_repeated_is_retried(config: dict[str, Any]) -> None:
    (repeated,) = config["methodConfig"]
    assert {name["method"] for name in repeated["name"]} == {"Put", "Get", "StreamGet", "StreamPut"}
    assert {name["service"] for name in repeated["name"]} == {SERVICE}
    assert repeated["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert config["retryThrottling"] == {"maxTokens": 10, "tokenRatio": 0.1}


def test_there_is_no_timeout_and_no_hedging(config: dict[str, Any]) -> None:
    (repeated,) = config["methodConfig"]
    assert set(repeated) == {"name", "retryPolicy"}


def test_calls_are_spread_over_healthy_peers(config: dict[str, Any]) -> None:
    (balancing,) = config["loadBalancingConfig"]
    assert balancing["outlier_detection_experimental"]["childPolicy"] == [{"round_robin": {}}]
    assert config["healthCheckConfig"] == {"serviceName": SERVICE}


def test_a_service_nobody_imported_is_refused() -> None:
    with pytest.raises(ValueError, match="import its generated module first"):
        service_config("no.such.Service")
