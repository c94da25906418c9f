"""What a layer allows the calls that arrive at it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerRules:
    """Represents the bounds of one layer."""

    # The layer: gateway, orchestrator, executor, tools or state.
    layer: str

    # Most short calls in progress at once. Default: 1,000.
    concurrency: int = 1_000

    # Most streams and other long calls open at once. Default: 5,000.
    streams: int = 5_000

    # Seconds that a short call may take. Default: 30.
    timeout: float = 30.0
