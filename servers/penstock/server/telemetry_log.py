"""What exporters say, in measure: a collector that is away must not fill the log."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LOGGER: Final = logging.getLogger("penstock.telemetry")
_THEIRS: Final = logging.getLogger("opentelemetry")

# Says which headers it can't read, and quotes them with the credentials that they hold.
_QUOTES_SECRETS: Final = "opentelemetry.util.re"

# Seconds before the same place in an exporter is heard again.
PAUSE: Final = 60.0


class InMeasure(logging.Handler):
    """Passes on one line a minute from each place, without tracebacks, and says how many were left out."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._heard: dict[tuple[str, int], float] = {}
        self._left_out: dict[tuple[str, int], int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        place = (record.pathname, record.lineno)
        now = time.monotonic()
        if now - self._heard.get(place, -PAUSE) < PAUSE:
            self._left_out[place] = self._left_out.get(place, 0) + 1
            return
        self._heard[place] = now
        left_out = self._left_out.pop(place, 0)
        error = record.exc_info[1] if record.exc_info else None
        because = f": {type(error).__name__}" if error is not None else ""
        more = f" (and {left_out} like it since the last one)" if left_out else ""
        quotes = record.name == _QUOTES_SECRETS
        text = str(record.msg).partition("%")[0].rstrip(": ") if quotes else record.getMessage()
        _LOGGER.log(record.levelno, "exporting: %s%s%s", text, because, more)


@contextmanager
def quiet_exporters() -> Iterator[None]:
    """Lets OpenTelemetry's own loggers speak through ours for a block."""
    handler, before = InMeasure(), _THEIRS.propagate
    _THEIRS.addHandler(handler)
    _THEIRS.propagate = False
    try:
        yield
    finally:
        _THEIRS.removeHandler(handler)
        _THEIRS.propagate = before
