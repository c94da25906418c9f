"""A call about to leave, in grpc's form and in ours."""

import grpc

from penstock.wire.call import Call, Kind, Side


def leaving(kind: Kind, details: grpc.aio.ClientCallDetails) -> Call:
    """Makes the call that concerns see of grpc's details."""
    # grpc.aio hands the method over as bytes, though its types say str.
    method = details.method.decode() if isinstance(details.method, bytes) else details.method
    return Call(
        method=method,
        kind=kind,
        side=Side.CLIENT,
        metadata=[(key, value) for key, value in details.metadata or ()],
        timeout=details.timeout,
        wait_for_ready=details.wait_for_ready,
    )


def changed(details: grpc.aio.ClientCallDetails, call: Call) -> grpc.aio.ClientCallDetails:
    """Makes grpc's details of what the concerns have left of a call."""
    return grpc.aio.ClientCallDetails(
        details.method, call.timeout, grpc.aio.Metadata(*call.metadata), details.credentials, call.wait_for_ready
    )
