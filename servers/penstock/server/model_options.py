"""The configuration of the agent `model`: the table [model], and what is wrong with it as a whole."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from penstock.executor.model.settings import AGENT_NAME, ModelSettings
from penstock.server import value_types as kinds
from penstock.server.option import Mistake, Option, Path

_EXAMPLE: Final = "write for example http://127.0.0.1:11434/v1"


def http_url(value: Any) -> str:
    """Reads where an HTTP API begins."""
    try:
        parts = urlsplit(kinds.text(value))
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise ValueError(f"is no http URL ({error}); {_EXAMPLE}") from None
    if not usable or parts.query or parts.fragment:
        raise ValueError(f"is no http URL of an API; {_EXAMPLE}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a name or password in it; give the key as OPENAI_API_KEY in the environment")
    return str(value).rstrip("/")


_turns: Final = kinds.number(1, whole=True)
_temperature: Final = kinds.number(0, 2)

MODEL_OPTIONS: Final = (
    Option(("model", "name"), None, kinds.text, kinds.text),
    Option(("model", "url"), None, http_url, http_url),
    Option(("model", "instructions"), None, kinds.text, kinds.text),
    Option(
        ("model", "max_turns"),
        ModelSettings("").max_turns,
        _turns,
        kinds.from_text(int, "a whole number", _turns),
    ),
    Option(("model", "temperature"), None, _temperature, kinds.from_text(float, "a number", _temperature)),
)


def model_settings(values: Mapping[Path, Any]) -> ModelSettings | None:
    """Returns the model's settings; None where no model is named."""
    chosen = {option.path[1]: values[option.path] for option in MODEL_OPTIONS}
    return ModelSettings(**chosen) if chosen["name"] is not None else None


def model_mistakes(values: Mapping[Path, Any], origins: Mapping[Path, str]) -> Iterator[Mistake]:
    """Names what contradicts itself: settings of a model without its name, and a second agent of the same name."""
    if values["model", "name"] is None:
        # A default that was printed and read again contradicts nothing.
        given = [option for option in MODEL_OPTIONS if values[option.path] != option.default]
        if given:
            text = f"is given, but no model to go with {'it' if len(given) == 1 else 'them'}; add --model NAME"
            yield Mistake(", ".join(option.key for option in given), origins.get(given[0].path, ""), text)
    elif AGENT_NAME in values["agents",]:
        origin = origins.get(("agents", AGENT_NAME), "")
        text = "is the name of the agent that --model makes; give yours another name"
        yield Mistake(f"agents.{AGENT_NAME}", origin, text)
