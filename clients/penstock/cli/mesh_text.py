"""The mesh as text: its layers with their checks, and what it has by name."""

from collections.abc import Sequence

from penstock.cli.amounts import of_duration
from penstock.cli.table import screen_width, table
from penstock.cli.terminal import line
from penstock.v1.gateway_pb2 import GetStatusResponse, LayerStatus


def status_text(status: GetStatusResponse) -> str:
    """Writes the mesh's condition: a line on the service, a table of layers, and the checks that did not pass."""
    who = " ".join(line(part) for part in (status.service_name, status.environment, status.version) if part)
    failed = [
        f"{layer.layer}: check {line(check.name)} did not pass: {line(check.detail, 400)}"
        for layer in status.layers
        for check in layer.checks
        if not check.passed
    ]
    flags = [f"flags on: {', '.join(status.feature_flags)}"] if status.feature_flags else []
    return "\n".join([who, layers_text(status.layers), *flags, *failed])


def layers_text(layers: Sequence[LayerStatus], indent: str = "") -> str:
    """Lays out layers in the order a call passes them, and below them what there is to say of each."""
    rows = [
        (
            layer.layer,
            "serving" if layer.serving else "NOT SERVING",
            line(layer.address),
            of_duration(layer.latency) if layer.HasField("latency") else "-",
            line(layer.instance_id) or "-",
        )
        for layer in layers
    ]
    laid_out = table(("LAYER", "CONDITION", "WHERE", "LATENCY", "INSTANCE"), rows, screen_width(), indent)
    # Below the table, where no screen is too narrow for it.
    return "\n".join(
        [laid_out, *(f"{indent}{layer.layer}: {line(layer.reason, 400)}" for layer in layers if layer.reason)]
    )


def names_table(entries: Sequence[tuple[str, str]], things: str) -> str:
    """Lays out names and what they stand for."""
    rows = [(line(name), line(description, 400)) for name, description in entries]
    return table(("NAME", "WHAT IT DOES"), rows, screen_width()) if rows else f"no {things}"
