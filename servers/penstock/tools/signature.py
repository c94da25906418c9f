"""A function's signature as a schema: JSON Schema for callers, validation for what they send."""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pydantic
from pydantic_core import to_jsonable_python

from penstock.tools.tool_context import ToolContext

_SHOWN_ERRORS: Final = 5
_REFUSED_KINDS: Final = {
    inspect.Parameter.POSITIONAL_ONLY: "is positional-only",
    inspect.Parameter.VAR_POSITIONAL: "takes any number of arguments",
    inspect.Parameter.VAR_KEYWORD: "takes any keyword",
}


class UnusableSignature(ValueError):
    """A function can't be a tool as it is written; the text says how to mend it."""


class InvalidArguments(Exception):
    """Arguments do not fit the tool; the text names each place and what is wrong there."""


class Signature:
    """Represents what a tool's function accepts, seen as one JSON object."""

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = _parameters_of(function)
        contexts = [name for name, parameter in parameters.items() if _is_context(parameter.annotation)]
        if len(contexts) > 1:
            raise UnusableSignature(f"the parameters {' and '.join(contexts)} are both ToolContext; keep one")
        self._context_name = contexts[0] if contexts else ""
        # Fields are numbered, with the parameter's name as alias: a parameter may be called "json", "schema" or "_x".
        self._names = {f"p{n}": name for n, name in enumerate(n for n in parameters if n != self._context_name)}
        fields: dict[str, Any] = {
            field: (_annotation_of(parameters[name]), pydantic.Field(_default_of(parameters[name]), alias=name))
            for field, name in self._names.items()
        }
        try:
            self._model = pydantic.create_model("Arguments", __config__=pydantic.ConfigDict(extra="forbid"), **fields)
            self.schema_json = json.dumps(self._model.model_json_schema(), ensure_ascii=False)
        except (pydantic.PydanticUserError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise UnusableSignature(
                f"its parameters have no JSON Schema ({reason}); use JSON types for them"
            ) from error

    def bind(self, arguments_json: str, context: ToolContext) -> dict[str, Any]:
        """Returns the keyword arguments for a call.

        Raises:
            InvalidArguments: text that is no JSON object, or an object that does not fit.
        """
        try:
            # The first reading refuses NaN and too deep nesting, which the second, typed one lets through.
            json.loads(arguments_json, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise InvalidArguments(f"the arguments are not JSON: {error}") from error
        try:
            model = self._model.model_validate_json(arguments_json)
        except pydantic.ValidationError as error:
            raise InvalidArguments(_readable(error)) from error
        values = {name: getattr(model, field) for field, name in self._names.items()}
        if self._context_name:
            values[self._context_name] = context
        return values


def to_json(value: Any) -> str:
    """Writes a result as JSON text.

    Raises:
        TypeError, ValueError, RecursionError: the value has no JSON form.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=to_jsonable_python)


def _parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        parameters = inspect.signature(function, eval_str=True).parameters
    except (NameError, TypeError, ValueError) as error:
        raise UnusableSignature(f"its signature can't be read ({error})") from error
    for name, parameter in parameters.items():
        if parameter.kind in _REFUSED_KINDS:
            raise UnusableSignature(
                f"the parameter {name!r} {_REFUSED_KINDS[parameter.kind]}; give every parameter a name and a type"
            )
    return parameters


def _is_context(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, ToolContext)


def _annotation_of(parameter: inspect.Parameter) -> Any:
    return Any if parameter.annotation is inspect.Parameter.empty else parameter.annotation


def _default_of(parameter: inspect.Parameter) -> Any:
    return ... if parameter.default is inspect.Parameter.empty else parameter.default


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _readable(error: pydantic.ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{_place(item['loc'])}: {item['msg']}" for item in found[:_SHOWN_ERRORS]]
    if len(found) > _SHOWN_ERRORS:
        lines.append(f"and {len(found) - _SHOWN_ERRORS} more")
    return "; ".join(lines)


def _place(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "arguments"
