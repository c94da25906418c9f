"""Much at once: what everybody on a server waits for is a short step, however much there is."""

from pathlib import Path

from penstock.state.open_store import open_store
from penstock.state.redis.keys import Keys
from penstock.state.redis.log_entries import READ_ENTRIES
from penstock.state.settings import StateSettings
from penstock.state.topic_store import Demand, Member
from penstock.v1.event_pb2 import AcknowledgeRequest, TopicEvent
from penstock.v1.limit_pb2 import ReserveRequest
from penstock.v1.ownership_pb2 import SendSignalRequest
from penstock.v1.run_event_pb2 import RunEvent, SignalTaken
from penstock.v1.run_log_pb2 import APPEND_OUTCOME_APPENDED, RecordOutcome, RecordRunsRequest, TailInclude
from penstock.v1.run_pb2 import OnBusy, RunState, Signal
from tests.state import entries as e
from tests.state.entries import TENANT, seconds
from tests.state.house import open_house
from tests.state.redis.links import linked
from tests.stores.server import ValkeyServer, serving

DAY_US = 86_400_000_000

# Reservations of one unit each, all of which have passed, every third of them held to the end.
_PASSED = """
local window = ARGV[1] .. ' ' .. ARGV[2]
for number = 1, 60000 do
  redis.call('HSET', KEYS[2], 'r' .. number, window .. ' 1000000 1 ' .. (number % 3 + 1))
  redis.call('ZADD', KEYS[3], number, 'r' .. number)
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' 1000000 0 20000')
"""


async def test_many_reservations_that_have_passed_hold_nobody_up(tmp_path: Path) -> None:
    """Each call forgets a few of them, and yet none is denied what they held."""
    server = ValkeyServer(tmp_path)
    request = ReserveRequest(
        tenant=TENANT,
        budget="tokens",
        reservation_id="new",
        amount=1,
        limit=1_000_000,
        window=seconds(86400),
        ttl=seconds(60),
    )
    with serving(server):
        tag = Keys().tag("b", TENANT, "tokens")
        keys = [tag.key(kind) for kind in ("windows", "reservations", "passing")]
        start = server.command("TIME")[0] * 1_000_000 // DAY_US * DAY_US
        server.command("EVAL", _PASSED, 3, *keys, DAY_US, start)
        async with open_store(StateSettings(url=server.url, lifecycle_topic="")) as store:
            assert (await store.limits.reserve(request)).granted
            assert server.command("HLEN", keys[1]) > 50_000
            # What was held by those that have passed is there for whoever needs it.
            request.reservation_id, request.amount = "all", 999_999
            assert (await store.limits.reserve(request)).granted


async def test_answers_in_any_order_do_not_look_through_all_that_is_out(valkey: ValkeyServer, tmp_path: Path) -> None:
    """What waits behind an answered event has its time still, which is seen without reading it.

    Who goes with nothing out has nothing looked for.
    """
    url = f"{valkey.url}?namespace=many-{tmp_path.parent.name}"
    async with open_store(StateSettings(url=url, lifecycle_topic="")) as store:
        member = Member(TENANT, "t", "g", "stream")
        await store.topics.join(member, 0)
        await store.topics.publish(TENANT, "t", [TopicEvent(event_id=f"e{n}", type="x") for n in range(500)])
        taken = await store.topics.take(member, Demand(500, 1 << 20, 3_600_000_000))
        positions = [event.position for event in taken.events]
        assert len(positions) == 500
        valkey.command("CONFIG", "RESETSTAT")
        for position in reversed(positions):
            answer = AcknowledgeRequest(tenant=TENANT, topic="t", group="g", positions=[position])
            assert list(await store.topics.acknowledge(answer)) == []
        await store.topics.leave(member)
        done = {
            name: int(stats.split("calls': ")[1].split(",")[0]) for name, stats in valkey.info("commandstats").items()
        }
        assert done["cmdstat_zrem"] == 500
        assert "cmdstat_hgetall" not in done
        assert done.get("cmdstat_zadd", 0) < 10


# A log of one token in each entry, which are too many to be looked at without a pause.
_TOKENS = """
for number = 1, 5000 do
  redis.call('XADD', KEYS[1], number .. '-0', 'e', struct.pack('<I8I8I8BB', number, number, number, 0, 1) .. 'w')
end
"""


async def test_a_log_is_gone_through_in_pieces_also_in_vain(valkey: ValkeyServer, tmp_path: Path) -> None:
    """One look goes over so many entries at most, and says where the next one begins."""
    space = f"many-{tmp_path.name}"
    log = Keys(space).run_room(TENANT, "long").key("log")
    valkey.command("EVAL", _TOKENS, 1, log)
    async with linked(f"{valkey.url}?namespace={space}") as link:
        looks, following = 0, 1
        while following:
            looks += 1
            reply = await link.run(READ_ENTRIES, [log], (following, 5000, 1_000_000, 1))
            found, following, trimmed = reply.value
            assert (found, trimmed) == ([], 0)
        assert 3 < looks < 10


async def test_the_lifecycle_is_read_from_behind_many_tokens(valkey: ValkeyServer, tmp_path: Path) -> None:
    """From the beginning of a log that no process has in memory, to its end."""
    url = f"{valkey.url}?namespace=many-{tmp_path.name}"
    async with open_house(StateSettings(url=url, lifecycle_topic="")) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        for _ in range(3):
            tokens = [e.append_entry("run-1", e.token()) for _ in range(500)]
            assert {result.outcome for result in await e.append(house, *tokens)} == {APPEND_OUTCOME_APPENDED}
        await e.append_events(house, "run-1", e.step_finished(), e.run_finished(output_step="main"))
    async with open_house(StateSettings(url=url, lifecycle_topic="")) as house:
        lifecycle = await e.read_log(house, "run-1", include=[TailInclude.TAIL_INCLUDE_LIFECYCLE])
        assert e.kinds(lifecycle) == ["run_started", "step_started", "step_finished", "run_finished"]
        assert len(await e.read_log(house, "run-1")) == 1504


async def test_a_long_queue_is_interrupted_in_one_step(valkey: ValkeyServer, tmp_path: Path) -> None:
    """Its runs are more than one command of a script can name."""
    url = f"{valkey.url}?namespace=many-{tmp_path.name}"
    async with open_house(StateSettings(url=url, lifecycle_topic="")) as house:
        await e.lease(house)
        for begin in range(0, 3000, 1000):
            queued = [e.record_entry(f"run-{begin + number}", session="s", owner="") for number in range(1000)]
            await house.log.RecordRuns(RecordRunsRequest(entries=queued))
        entry = e.record_entry("new", session="s", on_busy=OnBusy.ON_BUSY_INTERRUPT)
        result = await e.record(house, entry)
        assert (result.outcome, len(result.interrupted_run_ids)) == (RecordOutcome.RECORD_OUTCOME_STARTED, 3000)
        for run_id in ("run-0", "run-2999"):
            assert (await e.run_record(house, run_id)).run.state == RunState.RUN_STATE_CANCELLED


async def test_signals_taken_in_cost_those_that_follow_nothing(valkey: ValkeyServer, tmp_path: Path) -> None:
    """What is read with each one is what waits; a repeat of an old one is known all the same."""
    space = f"many-{tmp_path.name}"
    go_on = Signal(approval=Signal.Approval(step_id="gate", approved=True))
    async with open_house(StateSettings(url=f"{valkey.url}?namespace={space}", lifecycle_topic="")) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        for number in range(1, 21):
            request = SendSignalRequest(tenant=TENANT, run_id="run-1", signal_id=f"signal-{number}", signal=go_on)
            assert (await house.owner.SendSignal(request)).signal_number == number
            if number < 20:
                taken = RunEvent(signal=SignalTaken(signal_number=number, signal=go_on))
                await e.append_as_owner(house, "run-1", taken)
        signals = Keys(space).run_room(TENANT, "run-1").key("run", "run-1") + b":signals"
        assert valkey.command("HLEN", signals) == 1
        request.signal_id = "signal-1"
        assert (await house.owner.SendSignal(request)).signal_number == 1
        await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED))
        assert not valkey.command("EXISTS", signals)
        assert (await house.owner.SendSignal(request)).signal_number == 1
