"""Server reflection, in both versions that clients ask for."""

from collections.abc import Sequence
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.json_format import MessageToJson
from google.protobuf.json_format import Parse as ParseJson
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

V1: Final = "grpc.reflection.v1.ServerReflection"
V1ALPHA: Final = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name
HEALTH: Final = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

_V1_FILE: Final = "grpc/reflection/v1/reflection.proto"


def add_reflection(services: Sequence[str], server: grpc.aio.Server) -> None:
    """Lets tools such as grpcurl and `buf curl` list and describe the services of a server, health included."""
    _describe_v1()
    servicer = ReflectionServicer([*services, HEALTH, V1, V1ALPHA])
    # grpcio-reflection knows v1alpha only; v1 is the same messages under another name.
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}) for name in (V1, V1ALPHA)]
    )


def _describe_v1() -> None:
    """Puts the description of v1 into the pool, so that the service can describe itself."""
    pool: Any = descriptor_pool.Default()  # its type information lacks what it can do
    try:
        pool.FindServiceByName(V1)
    except KeyError:
        file = FileDescriptorProto()
        reflection_pb2.DESCRIPTOR.CopyToProto(file)
        renamed = MessageToJson(file).replace(reflection_pb2.DESCRIPTOR.package, V1.rpartition(".")[0])
        file = ParseJson(renamed, FileDescriptorProto())
        file.name = _V1_FILE
        pool.AddSerializedFile(file.SerializeToString())
