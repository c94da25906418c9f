"""Layers put together in one process, or one process a layer."""

import asyncio
import socket
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from penstock.server.assemble import NotStarted, open_mesh
from penstock.server.host import NotListening
from penstock.v1 import gateway_pb2, gateway_pb2_grpc, run_pb2, state_pb2, state_pb2_grpc

from .conftest import Configure, Connect

ECHO = {"agents": ["echo=agents_for_server:echo"], "tools": ["tools_for_server:double"]}
SERVING = health_pb2.HealthCheckResponse.SERVING


async def test_one_process_runs_a_task_from_the_door_to_its_last_token(configure: Configure, connect: Connect) -> None:
    """A run started at the public port comes back as its own gapless events; GetStatus shows five layers serving."""
    async with asyncio.timeout(20), open_mesh(configure(**ECHO)) as mesh:
        gateway = gateway_pb2_grpc.GatewayServiceStub(connect(mesh.address))
        spec = run_pb2.RunSpec(agent="echo", input=[run_pb2.Content(text="hello")])
        events = [
            event
            async for response in gateway.StreamRun(gateway_pb2.StreamRunRequest(spec=spec))
            for event in response.events
        ]
        status = await gateway.GetStatus(gateway_pb2.GetStatusRequest())
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert "".join(event.token.text for event in events) == "hello"
    assert [layer.layer for layer in status.layers] == ["gateway", "orchestrator", "executor", "tools", "state"]
    assert all(layer.serving and layer.address == "in-process" and layer.version for layer in status.layers)
    assert list(status.feature_flags) == ["reflection"]


async def test_one_process_shows_strangers_nothing_but_the_gateway(configure: Configure, connect: Connect) -> None:
    """The inner layers of a whole mesh can't be called from outside."""
    async with asyncio.timeout(20), open_mesh(configure()) as mesh:
        state = state_pb2_grpc.StateServiceStub(connect(mesh.address))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await state.GetValue(state_pb2.GetValueRequest(tenant="t", key="k"))
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_an_inner_listener_serves_the_other_layers(configure: Configure, connect: Connect) -> None:
    """`--inner-listen` opens the layers behind a gateway to other processes."""
    async with asyncio.timeout(20), open_mesh(configure(inner_listen="127.0.0.1:0")) as mesh:
        door, inner = mesh.listeners
        state = state_pb2_grpc.StateServiceStub(connect(inner.address))
        answer = await state.GetValue(state_pb2.GetValueRequest(tenant="t", key="k"))
        assert not answer.HasField("value")
        assert door.layers == ("gateway",)


async def test_a_taken_port_is_named_and_everything_started_before_is_stopped(configure: Configure) -> None:
    """The store is free again after a start that failed at its last step."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NotListening, match=rf"{address}: Address already in use.*--listen"):
            async with asyncio.timeout(20), open_mesh(configure(listen=address)):
                pytest.fail("two servers can't have one port")
    async with asyncio.timeout(20), open_mesh(configure()) as mesh:
        assert not mesh.readiness["state"].reason


@pytest.mark.parametrize(
    ("flags", "layer"),
    [
        ({"agents": ["echo=agents_for_server:nothing"]}, "executor"),
        ({"tools": ["no_such_module:double"]}, "tools"),
        ({"workflows": ["no/such/file.yaml"]}, "orchestrator"),
        ({"state": "cassandra://db"}, "state"),
    ],
)
async def test_what_only_a_layer_can_know_is_wrong_is_told_as_a_mistake_of_configuration(
    configure: Configure, flags: dict[str, object], layer: str
) -> None:
    """The error names the layer, is no crash, and leaves nothing behind that a next start would meet."""
    with pytest.raises(NotStarted, match=f"the {layer} layer can't start") as caught:
        async with asyncio.timeout(20), open_mesh(configure(**flags)):
            pytest.fail("it must not start")
    assert caught.value.by_configuration
    async with asyncio.timeout(20), open_mesh(configure()):
        pass


async def test_a_store_that_another_process_has_is_a_failure_that_says_so(configure: Configure) -> None:
    """Two meshes don't share one embedded store."""
    async with asyncio.timeout(20), open_mesh(configure()):
        with pytest.raises(NotStarted, match="the state layer can't start") as caught:
            async with open_mesh(configure()):
                pytest.fail("it must not start")
    assert not caught.value.by_configuration


async def test_a_listener_can_be_a_socket_in_the_file_system(
    configure: Configure, connect: Connect, tmp_path: Path
) -> None:
    """`unix:/path` works for both ends."""
    async with asyncio.timeout(20), open_mesh(configure(layers="tools", listen=f"unix:{tmp_path}/s")) as mesh:
        health = health_pb2_grpc.HealthStub(connect(mesh.address))
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_and_describes_what_a_listener_serves(
    configure: Configure, connect: Connect, version: str
) -> None:
    """Both versions of the protocol name the services and give the files that describe them, itself included."""
    name = f"grpc.reflection.{version}.ServerReflection"
    async with asyncio.timeout(20), open_mesh(configure(layers="tools")) as mesh:
        ask = connect(mesh.address).stream_stream(
            f"/{name}/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        symbols = ["penstock.v1.ToolRunnerService", "grpc.health.v1.Health", name]
        requests = [reflection_pb2.ServerReflectionRequest(list_services="*")]
        requests += [reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol) for symbol in symbols]
        listed, *described = [response async for response in ask(iter(requests))]
    assert {service.name for service in listed.list_services_response.service} == {
        "penstock.v1.ToolRunnerService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    for symbol, answer in zip(symbols, described, strict=True):
        files = [FileDescriptorProto.FromString(file) for file in answer.file_descriptor_response.file_descriptor_proto]
        assert symbol in {f"{file.package}.{service.name}" for file in files for service in file.service}


async def test_reflection_can_be_turned_off(configure: Configure, connect: Connect) -> None:
    """Without the feature there is no such service."""
    async with asyncio.timeout(20), open_mesh(configure(layers="tools", features__reflection=False)) as mesh:
        ask = connect(mesh.address).stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(iter([b""])).read()
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_bytes_that_are_no_message_are_refused_at_a_real_port(configure: Configure, connect: Connect) -> None:
    """Malformed protobuf gets INVALID_ARGUMENT from an assembled server, and the server lives on."""
    async with asyncio.timeout(20), open_mesh(configure(layers="tools")) as mesh:
        channel = connect(mesh.address)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/penstock.v1.ToolRunnerService/CallTool")(b"\xff\xff")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())).status == SERVING
