"""What a run is given, from what was typed; anything that can't be read is wrong usage."""

import sys
from pathlib import Path

import typer

from penstock.cli.amounts import seconds_in
from penstock.client import Plan, load_plan
from penstock.wire.errors import InvalidArgument


def input_parts(task: str | None, file: str | None) -> list[str]:
    """Returns the parts of the input: the task, then the file's text."""
    if task is None and file is None:
        raise typer.BadParameter("say what to do: give a TASK, or --file PATH (`-` for stdin)")
    return [part for part in (task, None if file is None else _text_in(file)) if part is not None]


def plan_in(path: Path) -> Plan:
    """Reads a plan, and names each mistake in it by its path."""
    try:
        return load_plan(path)
    except InvalidArgument as error:
        faults = "".join(f"\n  {fault.field}: {fault.description}" for fault in error.violations)
        raise typer.BadParameter(f"{path} is no plan:{faults}", param_hint="--plan") from None


def timeout_of(text: str | None, option: str = "--timeout") -> float | None:
    """Reads a duration, in seconds."""
    try:
        return None if text is None else seconds_in(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def labels_of(pairs: list[str], option: str = "--label") -> dict[str, str]:
    """Reads `k=v` pairs."""
    labels: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise typer.BadParameter(f"{pair!r} is not of the form K=V", param_hint=option)
        if key in labels:
            raise typer.BadParameter(f"{key!r} is given twice", param_hint=option)
        labels[key] = value
    return labels


def _text_in(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode()
    except OSError as error:
        raise typer.BadParameter(f"{file} can't be read: {error.strerror or error}", param_hint="--file") from None
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file} is not UTF-8 at byte {error.start}", param_hint="--file") from None
