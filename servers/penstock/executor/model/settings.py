"""The settings of the agent `model`."""

from dataclasses import dataclass
from typing import Final

# The agent that serves the model.
AGENT_NAME: Final = "model"

OPENAI_URL: Final = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Represents the configuration of the agent `model`; the key is none of it, see `credentials.py`."""

    # The model, as its server calls it.
    name: str

    # Where the server's API begins, as in http://127.0.0.1:11434/v1. Default: None, OpenAI itself.
    url: str | None = None

    # What the model is told before every conversation (its system prompt). Default: None, nothing.
    instructions: str | None = None

    # Most requests to the model in one attempt of a step; each round of tool calls takes one. Default: 20.
    max_turns: int = 20

    # How freely it chooses its words, from 0 to 2. Default: None, as the server does.
    temperature: float | None = None
