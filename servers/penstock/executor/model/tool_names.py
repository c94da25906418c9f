"""Tools' names as models may say them: at most 64 of `[A-Za-z0-9_-]`, where the mesh also has dots and colons."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from penstock.wire.ids import digest

_LONGEST: Final = 64
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9_-]")
_MARK_LENGTH: Final = 8


def model_names(names: Iterable[str]) -> Mapping[str, str]:
    """Returns the mesh's name for each name that the model gets; one that fits stays as it is."""
    names = sorted(set(names))
    spoken = {name: _FOREIGN.sub("_", name) for name in names}
    counts = Counter(spoken.values())
    return {_unique(name, spoken[name], counts[spoken[name]]): name for name in names}


def _unique(name: str, spoken: str, count: int) -> str:
    if len(spoken) <= _LONGEST and (count == 1 or spoken == name):
        return spoken
    # Made from the name alone, so that the model meets the same one in every attempt.
    mark = digest(name).hex()[:_MARK_LENGTH]
    return f"{spoken[: _LONGEST - _MARK_LENGTH - 1]}_{mark}"
