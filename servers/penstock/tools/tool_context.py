"""`ToolContext`: what a tool may know about the call it serves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Represents the call that a tool serves; a parameter annotated so is filled in and is no part of the schema.

    `idempotency_key` is the same for every repeat of the same call: pass it on to systems that recognise repeats.
    Fields are empty where the call belongs to no run.
    """

    idempotency_key: str = ""
    run_id: str = ""
    step_id: str = ""
    call_id: str = ""
    tenant: str = ""
    user: str = ""
    request_id: str = ""
