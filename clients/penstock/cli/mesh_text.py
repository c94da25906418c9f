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
    """Lays out layers in the order a call passes them, and below them what there is to say of each.

    What all layers have in common stands once, below the table, and so does what the screen is too narrow for.
    """
    width = screen_width()
    columns = {
        "LAYER": [layer.layer for layer in layers],
        "CONDITION": ["serving" if layer.serving else "NOT SERVING" for layer in layers],
        "WHERE": [line(layer.address) for layer in layers],
        "LATENCY": [of_duration(layer.latency) if layer.HasField("latency") else "-" for layer in layers],
        "VERSION": [line(layer.version) or "-" for layer in layers],
        "INSTANCE": [line(layer.instance_id) or "-" for layer in layers],
    }
    below = []
    if len(layers) > 1 and len(same := set(columns["INSTANCE"])) == 1 and "-" not in same:
        below.append(f"all in one process: {same.pop()}")
        del columns["INSTANCE"]
    for name in ("INSTANCE", "WHERE"):
        if name in columns and not _fits(columns, width, indent):
            values = zip(columns["LAYER"], columns.pop(name), strict=True)
            below += [f"{layer}: {name.lower()} {value}" for layer, value in values if value != "-"]
    below += [f"{layer.layer}: {line(layer.reason, None)}" for layer in layers if layer.reason]
    laid_out = table(tuple(columns), list(zip(*columns.values(), strict=True)), width, indent)
    return "\n".join([laid_out, *(wrapped(text, width, indent) for text in below)])


def _fits(columns: dict[str, list[str]], width: int | None, indent: str) -> bool:
    wide = [max(map(columns_of, (name, *cells))) for name, cells in columns.items()]
    return width is None or len(indent) + sum(wide) + len(GAP) * (len(wide) - 1) <= width


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
