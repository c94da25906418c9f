"""Readiness: whether what a layer needs has answered lately."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import grpc

from penstock.wire.errors import PenstockError

_LOGGER: Final = logging.getLogger(__name__)

# Seconds between two rounds of checks, that one check may take, and for which a success counts.
INTERVAL: Final = 1.0
TIMEOUT: Final = 2.0
FRESH: Final = 5.0

Probe = Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Check:
    """Represents something that a layer needs; `probe` returns what it found, and raises when that is not good."""

    name: str
    probe: Probe
    timeout: float = TIMEOUT


@dataclass(frozen=True, slots=True)
class Finding:
    """Represents what a check found: `at` on the monotonic clock, `latency` in seconds."""

    passed: bool
    detail: str
    latency: float
    at: float


class Pulse:
    """Wakes everyone who waits, at every beat."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def beat(self) -> None:
        """Wakes those who wait now."""
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self) -> None:
        """Returns at the next beat."""
        await self._next.wait()


@dataclass(slots=True)
class Readiness:
    """Represents one layer's condition.

    UNCHECKED ── all checks passed ──> READY <── recovery / failure or silence ──> NOT READY;
    any ── drain ──> DRAINING, for good
    """

    layer: str
    services: tuple[str, ...]
    checks: tuple[Check, ...]
    pulse: Pulse
    findings: dict[str, Finding] = field(default_factory=dict)
    draining: bool = False
    _was: str | None = None

    @property
    def reason(self) -> str:
        """Why the layer is not ready; empty: it is."""
        if self.draining:
            return "draining: this process is shutting down"
        now = time.monotonic()
        wrong = []
        for check in self.checks:
            finding = self.findings.get(check.name)
            if finding is None:
                wrong.append(f"{check.name}: not checked yet")
            elif not finding.passed:
                wrong.append(f"{check.name}: {finding.detail}")
            elif now - finding.at > FRESH:
                wrong.append(f"{check.name}: no answer for {now - finding.at:.0f} s")
        return "; ".join(wrong)

    async def run(self) -> None:
        """Checks until cancelled: every second, and at once when something in this process has changed."""
        while True:
            await self.check_all()
            try:
                async with asyncio.timeout(INTERVAL):
                    await self.pulse.wait()
            except TimeoutError:
                continue

    async def check_all(self) -> None:
        """Makes one round of checks, all at once, and wakes those who watch if it changed anything."""
        async with asyncio.TaskGroup() as round_of_checks:
            for check in self.checks:
                round_of_checks.create_task(self._check(check))
        self.announce()

    def drain(self) -> None:
        """Makes the layer not ready for good."""
        self.draining = True
        self.announce()

    def announce(self) -> None:
        """Wakes those who watch, if the condition has changed since the last time."""
        reason = self.reason
        if (reason == "") != (self._was == "") or self._was is None:
            self._was = reason
            self.pulse.beat()

    async def _check(self, check: Check) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(check.timeout):
                detail, passed = await check.probe(), True
        except TimeoutError:
            detail, passed = f"no answer within {check.timeout:g} s", False
        except PenstockError as error:
            detail, passed = error.message, False
        except grpc.aio.AioRpcError as error:
            detail, passed = f"{error.code().name}: {error.details()}", False
        except Exception as error:  # whatever a check raises is its finding; its text is for the log alone
            _LOGGER.warning("check %s of the %s layer failed", check.name, self.layer, exc_info=error)
            detail, passed = f"{type(error).__name__}; the server's log says more", False
        now = time.monotonic()
        self.findings[check.name] = Finding(passed, detail, now - started, now)
        if not passed:
            self.announce()  # one check's failure is known before the slower ones have answered
