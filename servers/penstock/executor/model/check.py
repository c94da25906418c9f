"""What is wrong with a model's settings in this environment, found without importing what is slow to import."""

from importlib.util import find_spec
from typing import Final

from penstock.executor.model.credentials import KEY_VARIABLE, api_key
from penstock.executor.model.settings import ModelSettings

_NEEDED: Final = ("pydantic_ai", "openai")

# By its packages: the name penstock belongs to another project on PyPI.
_EXTRA: Final = "'pydantic-ai-slim[openai]>=2.68'"


class ModelNotUsable(ValueError):
    """The agent `model` can't be served; the text says how to mend it."""


def check_model(settings: ModelSettings) -> None:
    """Raises ModelNotUsable where the extra is not installed, no server is named, or the key can't be sent."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ModelNotUsable(
            f"--model needs {' and '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed (the extra `models`): pip install {_EXTRA}"
        )
    key = api_key()
    if not (key.isascii() and key.isprintable()):
        raise ModelNotUsable(f"{KEY_VARIABLE} has a character that no key has, such as a line break; set it anew")
    if settings.url is None and not key:
        raise ModelNotUsable(
            f"--model {settings.name} has no server; add --model-url http://HOST:PORT/v1 for one of yours "
            f"(vLLM, llama.cpp, Ollama), or set {KEY_VARIABLE} for OpenAI's own"
        )
