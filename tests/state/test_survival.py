"""What survives the death of a process, and what is said when something did not."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from pathlib import Path

import grpc
import grpc.aio
import pytest

from penstock.state.settings import StateSettings
from penstock.v1.run_log_pb2 import AppendOutcome
from penstock.v1.run_pb2 import RunState
from penstock.wire.errors import DataLoss, InvalidArgument
from tests.state import entries as e
from tests.state.house import error_of, open_house

PROCESS = Path(__file__).with_name("appending_process.py")


async def test_what_a_killed_process_had_acknowledged_is_there(url: str) -> None:
    """After kill -9 in full flight the log holds every acknowledged event, without gap, and goes on."""
    async with open_house(StateSettings(url=url)) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROCESS), url, "run-1", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        for _ in range(200):
            await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest = await process.stdout.read()
        await process.wait()
    acknowledged = max(int(line) for line in rest.split(b"\n")[:-1] or [b"602"])
    async with open_house(StateSettings(url=url)) as house:
        events = await e.read_log(house, "run-1")
        assert len(events) >= max(acknowledged, 602)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert [event.token.text for event in events[2:]] == [str(n // 3 + 1) for n in range(len(events) - 2)]
        assert (await e.run_record(house, "run-1")).run.generation == 1
        result = await e.append_events(house, "run-1", e.token())
        assert result.first_sequence == len(events) + 1


@pytest.mark.stores("sqlite", "sqlite-full")
async def test_a_second_process_is_refused(url: str) -> None:
    """It is told which process has the file; the first one is not disturbed."""
    async with open_house(StateSettings(url=url)) as house:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(PROCESS), url, "run-1", stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(20):
            _, errors = await process.communicate()
        assert process.returncode != 0
        assert b"is in use by process" in errors
        await e.lease(house)
        assert "wrote and read" in await house.layer.check()


async def test_runs_and_leases_outlive_the_process(url: str) -> None:
    """After a restart the owner goes on under the same epoch, and the queue is as it was."""
    async with open_house(StateSettings(url=url)) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1", session="s"))
        await e.record(house, e.record_entry("run-2", session="s"))
        await e.cancel(house, "run-1")
        before = await e.run_record(house, "run-1")
    async with open_house(StateSettings(url=url)) as house:
        assert await e.run_record(house, "run-1") == before
        assert not await e.lease(house)
        assert (await e.append_events(house, "run-1", e.token())).outcome == AppendOutcome.APPEND_OUTCOME_APPENDED
        await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_CANCELLED))
        assert [run.record.run.run_id for run in (await e.claim(house)).runs] == ["run-2"]


def image_of(path: Path, name: str) -> Path:
    """Copies a store's file as it lies on the disk now: what a machine would find after losing its power."""
    image = path.with_name(name)
    shutil.copy(path, image)
    shutil.copy(path.with_name(path.name + "-wal"), image.with_name(image.name + "-wal"))
    return image


async def test_history_that_was_lost_with_the_power_is_never_replaced_unseen(tmp_path: Path) -> None:
    """A cursor of the old generation gets DATA_LOSS with the last common sequence; new events come under a new one."""
    path = tmp_path / "state.db"
    async with open_house(StateSettings(url=f"sqlite:///{path}", boot_id="boot-a")) as house:
        await e.lease(house)
        for run_id in ("run-1", "run-2"):
            await e.record(house, e.record_entry(run_id))
        await e.append_as_owner(house, "run-2", e.run_finished(RunState.RUN_STATE_FAILED))
        await e.append_events(house, "run-1", e.token("kept"))
        image = image_of(path, "image.db")
        await e.append_events(house, "run-1", e.token("lost"), e.token("lost"))
    async with open_house(StateSettings(url=f"sqlite:///{image}", boot_id="boot-b")) as house:
        result = await e.append_events(house, "run-1", e.token("new"), writer="writer-2", number=1)
        assert (result.first_sequence, result.generation) == (4, 2)
        for after, common in ((5, 3), (2, 2)):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await e.read_log(house, "run-1", generation=1, after=after)
            error = error_of(raised.value)
            assert isinstance(error, DataLoss)
            assert (error.last_common_sequence, error.generation) == (common, 2)
        texts = [event.token.text for event in await e.read_log(house, "run-1", generation=2, after=2)]
        assert texts == ["kept", "new"]
        # A log that has its last event lost nothing.
        assert len(await e.read_log(house, "run-2", generation=1)) == 3
        await e.record(house, e.record_entry("run-3"))
        assert (await e.run_record(house, "run-3")).run.generation == 2


async def test_a_writer_that_outlived_lost_history_leaves_no_hole(tmp_path: Path) -> None:
    """Its next number is refused, because what it wrote before is gone; a writer that lost nothing goes on."""
    path = tmp_path / "state.db"
    async with open_house(StateSettings(url=f"sqlite:///{path}", boot_id="boot-a")) as house:
        await e.lease(house)
        for run_id in ("run-1", "run-2"):
            await e.record(house, e.record_entry(run_id))
            await e.append_events(house, run_id, e.token("kept"), number=1)
        image = image_of(path, "image.db")
        await e.append_events(house, "run-1", e.token("lost"), number=2)
    async with open_house(StateSettings(url=f"sqlite:///{image}", boot_id="boot-b")) as house:
        refused = await e.append_events(house, "run-1", e.token("after"), number=3)
        assert refused.outcome == AppendOutcome.APPEND_OUTCOME_OUT_OF_ORDER
        assert len(await e.read_log(house, "run-1")) == 3
        for run_id, number in (("run-1", 2), ("run-2", 2)):
            result = await e.append_events(house, run_id, e.token("after"), number=number)
            assert (result.outcome, result.first_sequence) == (AppendOutcome.APPEND_OUTCOME_APPENDED, 4)


@pytest.mark.parametrize(
    ("boot_id", "options", "generation"),
    [("boot-a", "", 1), ("boot-b", "", 2), ("boot-b", "?synchronous=full", 1)],
    ids=["process killed", "power lost", "power lost, but every commit was synced"],
)
async def test_the_generation_grows_only_when_history_may_be_lost(
    tmp_path: Path, boot_id: str, options: str, generation: int
) -> None:
    """That is: no clean shutdown, another boot of the machine, and commits that were not synced."""
    path = tmp_path / "state.db"
    async with open_house(StateSettings(url=f"sqlite:///{path}{options}", boot_id="boot-a")) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        image = image_of(path, "image.db")
    async with open_house(StateSettings(url=f"sqlite:///{path}{options}", boot_id="boot-b")) as house:
        assert (await e.run_record(house, "run-1")).run.generation == 1
    async with open_house(StateSettings(url=f"sqlite:///{image}{options}", boot_id=boot_id)) as house:
        assert (await e.run_record(house, "run-1")).run.generation == generation


async def test_the_mark_of_use_outlives_the_power_from_the_first_write_on(tmp_path: Path) -> None:
    """Where the machine loses all that was never synced, it finds the store in use, and so begins a new generation."""
    path = tmp_path / "state.db"
    async with open_house(StateSettings(url=f"sqlite:///{path}", boot_id="boot-a")):
        pass
    async with open_house(StateSettings(url=f"sqlite:///{path}", boot_id="boot-a")) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        await e.append_events(house, "run-1", e.token("lost"))
        image = path.with_name("image.db")
        shutil.copy(path, image)  # without the -wal beside it, none of which SQLite has synced
    async with open_house(StateSettings(url=f"sqlite:///{image}", boot_id="boot-b")) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        assert (await e.run_record(house, "run-1")).run.generation == 2


async def test_a_store_that_is_closed_by_a_failure_above_it_is_shut_down_cleanly(tmp_path: Path) -> None:
    """Its own writes are whole, so that another boot of the machine takes nothing for lost."""
    url = f"sqlite:///{tmp_path}/state.db"

    async def fail_above_the_store() -> None:
        async with open_house(StateSettings(url=url, boot_id="boot-a")) as house:
            await e.lease(house)
            await e.record(house, e.record_entry("run-1"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail_above_the_store()
    async with open_house(StateSettings(url=url, boot_id="boot-b")) as house:
        assert (await e.run_record(house, "run-1")).run.generation == 1


async def test_a_cursor_beyond_the_end_is_invalid(url: str) -> None:
    """Of the right generation it can only be a mistake."""
    async with open_house(StateSettings(url=url)) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await e.read_log(house, "run-1", generation=1, after=3)
        assert isinstance(error_of(raised.value), InvalidArgument)
