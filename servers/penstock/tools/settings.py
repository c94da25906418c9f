"""The settings of the tools layer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToolsSettings:
    """Represents the configuration of the tools layer."""

    # Where the tools are, each as "module:attr": a function, a list of functions, or an object with functions declared
    # by `@tool`. Default: none.
    tools: tuple[str, ...] = ()

    # Most synchronous tools that run at once, each in a thread of its own. Default: 32.
    max_threads: int = 32

    # Seconds that a cancelled tool gets to clean up before its caller stops waiting for it. Default: 2.
    stop_grace: float = 2.0
