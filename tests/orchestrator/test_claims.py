"""What becomes of runs that nobody drives, and of the runs of an orchestrator that stops."""

import asyncio
import logging

import pytest
from google.protobuf.duration_pb2 import Duration

from penstock.orchestrator.settings import OrchestratorSettings
from penstock.v1.ownership_pb2 import CLAIM_REASON_ORPHANED, ClaimRunsRequest
from penstock.v1.run_event_pb2 import STEP_OUTCOME_ABANDONED
from penstock.v1.run_pb2 import RUN_STATE_CANCELLED, RUN_STATE_FAILED, RUN_STATE_RUNNING, RUN_STATE_SUCCEEDED
from penstock.wire.status import reason_of
from tests.orchestrator.site import INSTANCE, kinds, open_site
from tests.run_log.faulty_state import OWNER

_LEASE = 0.5


async def test_a_run_without_an_owner_is_claimed_begun_and_driven_to_its_end(state):
    """As if it had been started there."""
    await state.record("r", owner="")
    async with open_site(state) as site:
        end, log = await site.ended("r")
    assert end.state == RUN_STATE_SUCCEEDED
    assert kinds(log) == ["run_started", "step_started", "token", "step_finished", "run_finished"]


async def test_a_run_whose_owner_was_lost_fails_with_that_reason(state):
    """Its attempt is abandoned, until takeover resumes it."""
    await state.record("r")
    await state.lease(OWNER, 0)
    async with open_site(state) as site:
        end, log = await site.ended("r")
    assert (end.state, reason_of(end.error)) == (RUN_STATE_FAILED, "OWNER_LOST")
    assert kinds(log)[-2:] == ["step_finished", "run_finished"]
    assert log[-2].step_finished.outcome == STEP_OUTCOME_ABANDONED


async def test_a_run_ends_soon_after_its_dead_owner_s_lease(state):
    """The owner says no word more: the lease lapses by itself, and the log gets exactly one last event.

    Within 2 s, to which a busy machine adds; who was not woken by the lapse would claim after 20 s.
    """
    await state.record("r")
    await state.lease(OWNER, _LEASE)
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(_LEASE + 10.0), open_site(state) as site:
        end, log = await site.ended("r")
    assert asyncio.get_running_loop().time() - began > _LEASE
    assert (end.state, reason_of(end.error)) == (RUN_STATE_FAILED, "OWNER_LOST")
    assert kinds(log).count("run_finished") == 1


async def test_a_cancel_of_a_run_whose_owner_was_lost_is_carried_out_by_its_next_owner(state):
    """CANCELLED, with the signal taken in."""
    await state.record("r")
    await state.cancel("r", "no more")
    await state.lease(OWNER, 0)
    async with open_site(state) as site:
        end, log = await site.ended("r")
    assert (end.state, end.error.message) == (RUN_STATE_CANCELLED, "the run was cancelled: no more")
    assert kinds(log)[-3:] == ["step_finished", "signal", "run_finished"]


async def test_a_queued_run_whose_deadline_passes_fails_without_having_begun(state):
    """It waits behind a run of its session that goes on."""
    timeout = Duration()
    timeout.FromMilliseconds(50)
    await state.record("going", session_id="s")
    queued = await state.record("late", session_id="s", timeout=timeout)
    assert not queued.owner_instance_id
    async with open_site(state) as site:
        end, log = await site.ended("late")
        assert (end.state, reason_of(end.error)) == (RUN_STATE_FAILED, "RUN_DEADLINE")
        assert kinds(log) == ["run_finished"]
        assert (await state.read("going")).run.state == RUN_STATE_RUNNING


async def test_an_orchestrator_that_stops_gives_its_runs_back_at_once(state, scene):
    """The next claimant need not wait for the lease to lapse."""
    async with open_site(state) as site:
        await site.start("r", agent="waits")
        await scene.started.wait()
        assert (await state.read("r")).owner_instance_id == INSTANCE
    await state.lease("next")
    request = ClaimRunsRequest(instance_id="next", max_runs=10, claim_id="c1")
    claimed = (await state.owner.ClaimRuns(request)).runs
    assert [(run.record.run.run_id, run.reason) for run in claimed] == [("r", CLAIM_REASON_ORPHANED)]


@pytest.mark.parametrize("rpc", ["ClaimRuns", "RenewLease"])
async def test_a_lost_answer_of_the_state_layer_strands_no_run(state, rpc):
    """A claim is repeated under its name, and gets the same runs again."""
    await state.record("r", owner="")
    state.wire.lose[rpc] = 2
    async with open_site(state) as site:
        assert (await site.ended("r"))[0].state == RUN_STATE_SUCCEEDED


async def test_an_absence_of_the_state_layer_is_told_once_and_so_is_its_end(state, caplog):
    """What is tried twice a second and more would leave room for nothing else in the log."""
    caplog.set_level(logging.WARNING, "penstock.orchestrator")
    await state.record("r", owner="")
    state.wire.refuse.update(RenewLease=4, ClaimRuns=2)
    async with open_site(state, OrchestratorSettings(lease_seconds=_LEASE)) as site:
        await site.ended("r")
    assert [record.getMessage() for record in caplog.records] == [
        "could not renew the lease: UNAVAILABLE; trying again",
        "the lease is renewed again",
        "could not claim runs: UNAVAILABLE; trying again",
        "runs are claimed again",
    ]
