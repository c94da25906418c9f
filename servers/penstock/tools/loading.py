"""Loading tools by name: from "module:attr" to functions, with every mistake reported at once."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.loading.named_object import resolve
from penstock.tools.declaration import ToolOptions, is_declared, options_of
from penstock.tools.signature import Signature, UnusableSignature
from penstock.wire.ids import ID_RULE, is_id


class ToolsNotLoaded(ValueError):
    """Some tools can't be had as they are named; the text lists each with how to mend it."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Represents a tool that is ready to be called."""

    name: str
    description: str
    function: Callable[..., Any]
    signature: Signature
    options: ToolOptions


def load_tools(specs: Iterable[str]) -> Mapping[str, Tool]:
    """Returns the tools that the specs name, by name, in the order of their names.

    Raises:
        ToolsNotLoaded: anything wrong with any of them.
    """
    tools: dict[str, Tool] = {}
    origins: dict[str, str] = {}
    mistakes: list[str] = []
    for spec in specs:
        try:
            loaded = [_tool_of(function) for function in _functions_of(resolve(spec, "text_tools:TOOLS"))]
        except ValueError as error:
            mistakes.append(f"tool {spec!r}: {error}")
            continue
        for tool in loaded:
            if tool.name in tools:
                mistakes.append(
                    f"tool {spec!r}: the name {tool.name!r} is taken by {origins[tool.name]!r}; "
                    "give one of them another with @tool(name=…)"
                )
                continue
            tools[tool.name] = tool
            origins[tool.name] = spec
    if mistakes:
        raise ToolsNotLoaded("\n".join(mistakes))
    return dict(sorted(tools.items()))


def _functions_of(found: Any) -> list[Callable[..., Any]]:
    if isinstance(found, (list, tuple)):
        wrong = [item for item in found if not callable(item)]
        if wrong or not found:
            raise ValueError(f"it must list functions, but {f'holds {wrong[0]!r}' if wrong else 'is empty'}")
        return list(found)
    if inspect.isroutine(found) or is_declared(found):
        return [found]
    if inspect.isclass(found):
        raise ValueError(f"it is the class {found.__name__}; name an instance of it, so that its methods have a self")
    declared = [member for _, member in inspect.getmembers(found, is_declared)]
    if not declared:
        raise ValueError(
            f"it is an object of type {type(found).__name__}, neither a function nor something that holds functions "
            "declared with @tool"
        )
    return declared


def _tool_of(function: Callable[..., Any]) -> Tool:
    options = options_of(function)
    name = options.name or getattr(function, "__name__", "")
    if not is_id(name):
        raise ValueError(f"the name {name!r} is not {ID_RULE}; give it one with @tool(name=…)")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ValueError(f"{name} is a generator; a tool returns one value")
    try:
        signature = Signature(function)
    except UnusableSignature as error:
        raise ValueError(f"{name}: {error}") from error
    return Tool(name, inspect.getdoc(function) or "", function, signature, options)
