"""`resolve`: from "module:attr", as a configuration names an agent or a tool, to the object."""

import importlib
import re
import traceback
from pathlib import Path
from typing import Any, Final

_SPEC: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def resolve(spec: str, example: str) -> Any:
    """Imports the module that a spec names, and returns what stands there under the name after the colon.

    Raises:
        ValueError: it can't be had; the text says why, where, and how to mend it.
    """
    if not _SPEC.fullmatch(spec):
        raise ValueError(f'name it as "module:attr", with Python names on both sides, for example "{example}"')
    module, _, path = spec.partition(":")
    found: Any = _imported(module)
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise ValueError(f"{error}; is the name after the colon right?") from error
    return found


def _imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and not f"{module}.".startswith(f"{error.name}."):
            text = f"{module} was found, but not what it imports: {error}{_place(error)}"
            raise ValueError(text) from error
        raise ValueError(f"{error}; is its directory on the import path (--app-dir)?") from error
    except (Exception, SystemExit) as error:  # a script without its `if __name__ …` may want to end the process
        raise ValueError(f"importing it raised {type(error).__name__}: {error}{_place(error)}") from error


def _place(error: BaseException) -> str:
    """Says where in whose code an import failed; of a SyntaxError the text does."""
    if isinstance(error, SyntaxError):
        return ""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    # The first is ours; without another one the module itself never ran.
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if len(frames) > 1 else ""
