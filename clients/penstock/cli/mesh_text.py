"""The mesh as text: its layers with their checks, and what it has by name."""

from collections.abc import Sequence

from penstock.cli.amounts import of_duration
from penstock.cli.table import GAP, USUAL_WIDTH, columns_of, cut_at_word, screen_width, table, wrapped
from penstock.cli.terminal import line
from penstock.v1.gateway_pb2 import CheckStatus, GetStatusResponse, LayerStatus


def status_text(status: GetStatusResponse) -> str:
    """Writes the mesh's condition: a line on the service, a table of layers, and what failed, once."""
    who = " ".join(line(part) for part in (status.service_name, status.environment, status.version) if part)
    failed = [
        wrapped(f"{layer.layer}: check {line(check.name)} did not pass: {line(check.detail, None)}", screen_width())
        for layer in status.layers
        for check in layer.checks
        if not check.passed and not _told(check, layer)
    ]
    flags = [wrapped(f"flags on: {', '.join(status.feature_flags)}", screen_width())] if status.feature_flags else []
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
    reasons = [f"{layer.layer}: {line(layer.reason, None)}" for layer in layers if layer.reason]
    return "\n".join([laid_out, *(wrapped(reason, screen_width(), indent) for reason in reasons)])


def names_table(entries: Sequence[tuple[str, str]], things: str) -> str:
    """Lays out names and what they stand for."""
    if not entries:
        return f"no {things}"
    width = screen_width()
    names = [line(name) for name, _ in entries]
    room = max((width or USUAL_WIDTH) - max(map(columns_of, ("NAME", *names))) - len(GAP), 1)
    rows = [(name, cut_at_word(line(what, None), room)) for name, (_, what) in zip(names, entries, strict=True)]
    return table(("NAME", "WHAT IT DOES"), rows, width)


def _told(check: CheckStatus, layer: LayerStatus) -> bool:
    # A layer's reason is mostly made of its failed checks.
    return (check.detail or check.name) in layer.reason
