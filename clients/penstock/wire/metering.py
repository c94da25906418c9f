"""Metrics, recorded through OpenTelemetry's API where somebody collects them, and free of cost where nobody does.

_DURATION = Histogram("penstock.run.duration", "s", "Time from a run's creation to its end.", LONG_SECONDS)
_DURATION.record(12.5, {"penstock.run.state": "succeeded"})
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from penstock.wire.tracing import SCOPE, scope_version

if TYPE_CHECKING:
    from opentelemetry import metrics

# Attributes make one time series for each combination of values, so only values of small, fixed sets belong in them.
Labels = Mapping[str, str | bool | int | float]

CALL_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Bounds of buckets for calls, as the semantic conventions for rpc advise."""

LONG_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""Bounds of buckets for runs, agents and tools."""

COUNTS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
SIZES: Final = (256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304)
"""Bounds of buckets for bytes."""

_known: tuple[object, metrics.Meter | None] = (None, None)


def meter() -> metrics.Meter | None:
    """Returns the meter of the program's provider; None while nobody collects metrics."""
    api = sys.modules.get("opentelemetry.metrics")
    if api is None:
        return None
    find = getattr(api, "get_meter_provider", None)
    if find is None:  # another thread is importing it just now
        return None
    known, found = _known
    # As in `tracer`: the short way to see that nobody collects.
    if known is not None and getattr(getattr(api, "_internal", None), "_METER_PROVIDER", known) is None:
        return None
    provider = find()
    return found if provider is known else _remember(api, provider)


def _remember(api: Any, provider: Any) -> metrics.Meter | None:
    global _known
    found: metrics.Meter | None = None
    # Until a program sets its provider there is a proxy, which is no provider of the API's public kinds.
    if not (type(provider).__name__ == "_ProxyMeterProvider" or isinstance(provider, api.NoOpMeterProvider)):
        made = provider.get_meter(SCOPE, scope_version())
        found = None if isinstance(made, api.NoOpMeter) else made
    _known = (provider, found)
    return found


_Made = TypeVar("_Made")


class _Instrument(ABC, Generic[_Made]):
    """Makes the API's own instrument when there is first something to record, and anew for another provider."""

    def __init__(self, name: str, unit: str, description: str) -> None:
        self.name = name
        self._unit = unit
        self._description = description
        self._bound: tuple[metrics.Meter | None, _Made | None] = (None, None)

    def _get(self) -> _Made | None:
        current = meter()
        if current is None:
            return None
        known, made = self._bound
        if current is not known:
            made = self._make(current)
            self._bound = (current, made)
        return made

    @abstractmethod
    def _make(self, meter: metrics.Meter) -> _Made: ...


class Histogram(_Instrument["metrics.Histogram"]):
    """Represents the distribution of a value, whose count also says how often it happened."""

    def __init__(self, name: str, unit: str, description: str, bounds: Sequence[float]) -> None:
        super().__init__(name, unit, description)
        self._bounds = bounds

    def record(self, value: float, labels: Labels) -> None:
        """Notes one value; does nothing while nobody collects."""
        if (made := self._get()) is not None:
            made.record(value, labels)

    def _make(self, meter: metrics.Meter) -> metrics.Histogram:
        return meter.create_histogram(
            self.name, self._unit, self._description, explicit_bucket_boundaries_advisory=self._bounds
        )


class Counter(_Instrument["metrics.Counter"]):
    """Represents how often something has happened."""

    def add(self, amount: int, labels: Labels) -> None:
        """Counts; does nothing while nobody collects."""
        if (made := self._get()) is not None:
            made.add(amount, labels)

    def _make(self, meter: metrics.Meter) -> metrics.Counter:
        return meter.create_counter(self.name, self._unit, self._description)


class Level(_Instrument["metrics.UpDownCounter"]):
    """Represents how many of something there are now."""

    def add(self, amount: int, labels: Labels) -> None:
        """Adds, or takes away a negative amount; does nothing while nobody collects."""
        if (made := self._get()) is not None:
            made.add(amount, labels)

    def _make(self, meter: metrics.Meter) -> metrics.UpDownCounter:
        return meter.create_up_down_counter(self.name, self._unit, self._description)
