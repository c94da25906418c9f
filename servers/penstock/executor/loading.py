"""Loading agents by name: from "module:attr" to functions, with every mistake reported at once."""

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.executor.agent_context import AgentContext
from penstock.loading.named_object import resolve
from penstock.wire.ids import ID_RULE, is_id

AgentFunction = Callable[[str, AgentContext], AsyncGenerator[Any, None]]
_HOW: Final = 'write it as "async def NAME(task, context): … yield text"'


class AgentsNotLoaded(ValueError):
    """Some agents can't be had as they are named; the text lists each with how to mend it."""


@dataclass(frozen=True, slots=True)
class Agent:
    """Represents an agent that is ready to run; the description is the first paragraph of its docstring."""

    name: str
    description: str
    function: AgentFunction


def load_agents(specs: Mapping[str, str]) -> Mapping[str, Agent]:
    """Returns the agents that the specs name, by name, in the order of their names.

    Raises:
        AgentsNotLoaded: anything wrong with any of them.
    """
    agents: dict[str, Agent] = {}
    mistakes: list[str] = []
    for name, spec in sorted(specs.items()):
        try:
            agents[name] = _agent_of(name, resolve(spec, "echo:echo"))
        except ValueError as error:
            mistakes.append(f"agent {name!r} ({spec}): {error}")
    if mistakes:
        raise AgentsNotLoaded("\n".join(mistakes))
    return agents


def _agent_of(name: str, found: Any) -> Agent:
    if not is_id(name):
        raise ValueError(f"the name must be {ID_RULE}")
    if not inspect.isasyncgenfunction(found):
        raise ValueError(f"it is {_what(found)}, not an async generator function; {_HOW}")
    try:
        inspect.signature(found).bind("task", "context")
    except TypeError as error:
        raise ValueError(f"it can't be called with a task and a context ({error}); {_HOW}") from error
    description = (inspect.getdoc(found) or "").partition("\n\n")[0]
    return Agent(name, " ".join(description.split()), found)


def _what(found: Any) -> str:
    if inspect.iscoroutinefunction(found):
        return "a coroutine function, which answers once"
    if inspect.isgeneratorfunction(found):
        return "a generator function without async"
    return "a function without yield" if inspect.isroutine(found) else f"an object of type {type(found).__name__}"
