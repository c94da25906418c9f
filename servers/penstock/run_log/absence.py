"""`Absence`: tells once when something begins to fail, and once when it works again."""

from __future__ import annotations

import logging

import grpc.aio


class Absence:
    """Keeps what is tried again and again from filling the log while the state layer is away."""

    def __init__(self, logger: logging.Logger, failing: str, working: str) -> None:
        self._logger = logger
        self._failing = failing
        self._working = working
        self._told = ""

    def failed(self, error: grpc.aio.AioRpcError) -> None:
        """Takes in a failure; the first of its code is told."""
        code = error.code().name
        if code != self._told:
            self._logger.warning("%s: %s; trying again", self._failing, code)
        self._told = code

    def over(self) -> None:
        """Takes in that it works."""
        if self._told:
            self._logger.warning("%s", self._working)
        self._told = ""
