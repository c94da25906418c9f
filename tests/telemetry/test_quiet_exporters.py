"""What exporters may say in the log of a process."""

import logging
from types import SimpleNamespace

import pytest
from opentelemetry.util.re import parse_env_headers

from penstock.server.telemetry_log import quiet_exporters

# Not one of a real exporter, whose loggers filter by themselves once they are imported.
EXPORTER = logging.getLogger("opentelemetry.exporter.made_for_this_test")


def fail_to_export(batch: int) -> None:
    try:
        raise ConnectionError("refused")
    except ConnectionError:
        EXPORTER.exception("Failed to export batch %s", batch)


def test_an_exporter_that_fails_again_and_again_is_heard_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """One line from each place in its code, with the error's kind and without a traceback."""
    with quiet_exporters():
        for batch in range(100):
            fail_to_export(batch)
        EXPORTER.warning("Queue is full, likely spans will be dropped.")
    assert [(record.name, record.getMessage(), record.exc_info) for record in caplog.records] == [
        ("penstock.telemetry", "exporting: Failed to export batch 0: ConnectionError", None),
        ("penstock.telemetry", "exporting: Queue is full, likely spans will be dropped.", None),
    ]


def test_headers_that_opentelemetry_quotes_are_not_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    """They hold the credentials for the collector."""
    with quiet_exporters():
        assert parse_env_headers("Bearer secret-4711", liberal=True) == {}
    assert "Header format invalid" in caplog.text
    assert "4711" not in caplog.text


def test_after_a_pause_it_is_heard_again_with_how_often_it_was_not(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that an outage which lasts is seen to last."""
    now = 1000.0
    monkeypatch.setattr("penstock.server.telemetry_log.time", SimpleNamespace(monotonic=lambda: now))
    with quiet_exporters():
        for batch in range(5):
            fail_to_export(batch)
        now += 61
        fail_to_export(5)
    assert (
        caplog.messages[-1] == "exporting: Failed to export batch 5: ConnectionError (and 4 like it since the last one)"
    )


def test_outside_of_the_block_its_loggers_are_as_they_were(caplog: pytest.LogCaptureFixture) -> None:
    """Two meshes in one process, or a program of its own, say for themselves how they log."""
    with quiet_exporters():
        pass
    fail_to_export(1)
    assert [record.name for record in caplog.records] == [EXPORTER.name]
