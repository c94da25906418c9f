"""How log records are written: as text for people, or as one JSON object a line for machines."""

import json
import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

# What every record has; anything else was given by `extra=`.
_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# Already in the message of a call, so that the text form does not say them twice.
_IN_MESSAGE: Final = frozenset({"method", "code", "duration_ms", "kind"})


def set_up_logs(form: str, level: str) -> None:
    """Sends all logs to standard error, in the form `text` or `json`, from the given level up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonForm() if form == "json" else TextForm())
    # Of libraries, what they say for debugging themselves is left out: grpc alone speaks up at every call.
    others = max(logging.INFO, logging.getLevelNamesMapping()[level.upper()])
    logging.basicConfig(level=others, handlers=[handler], force=True)
    logging.getLogger("penstock").setLevel(level.upper())
    if level != "debug":
        for talkative in ("httpx", "httpx2"):  # a line for every request, without its id
            logging.getLogger(talkative).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    # Nobody prints these, and every record would look them up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class TextForm(logging.Formatter):
    """Writes a line with time (UTC), level, message and what else is known; tracebacks follow."""

    def format(self, record: logging.LogRecord) -> str:
        time = f"{_clock(int(record.created))}.{int(record.msecs):03}"
        facts = "".join(
            [f" {key}={_plain(value)}" for key, value in _facts(record).items() if value and key not in _IN_MESSAGE]
        )
        line = f"{time} {record.levelname.lower():7} {_plain(record.getMessage())}{' ' + facts if facts else ''}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonForm(logging.Formatter):
    """Writes one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


@lru_cache(maxsize=2)
def _clock(second: int) -> str:
    # Lines come many to a second, and writing the time down would be a tenth of what each costs.
    return datetime.fromtimestamp(second, UTC).strftime("%H:%M:%S")


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _USUAL}


def _plain(value: object) -> str:
    # A line break in what a caller sent must not look like a line of its own.
    text = str(value)
    return text.replace("\n", "\\n").replace("\r", "\\r") if "\n" in text or "\r" in text else text
