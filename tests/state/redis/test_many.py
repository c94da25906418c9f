"""Much at once: what everybody on a server waits for is a short step, however much there is."""

from pathlib import Path

from penstock.state.open_store import open_store
from penstock.state.redis.keys import Keys
from penstock.state.settings import StateSettings
from penstock.state.topic_store import Demand, Member
from penstock.v1.event_pb2 import AcknowledgeRequest, TopicEvent
from penstock.v1.limit_pb2 import ReserveRequest
from tests.state.entries import TENANT, seconds
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
