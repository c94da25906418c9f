"""What a turn of a conversation costs, counted in bytes to and from Redis: time would tell of the weather too."""

from pathlib import Path

import pytest

from penstock.state.settings import StateSettings
from penstock.v1 import session_pb2 as pb
from tests.state import entries as e
from tests.state.house import House, open_house
from tests.stores.server import ValkeyServer, serving

TURNS = 20
# What a process says to its server anyway: beats, looks at the clock, and what this test asks.
BESIDE = 40_000


class Talk:
    """Counts what goes to a server and comes from it."""

    def __init__(self, server: ValkeyServer) -> None:
        self._server = server

    def so_far(self) -> int:
        told = self._server.info("stats")
        return int(told["total_net_input_bytes"]) + int(told["total_net_output_bytes"])


async def append(house: House, first: int, count: int, run: str = "") -> None:
    messages = [e.message(f"m{first + number}") for number in range(count)]
    for message in messages:
        message.run_id = run
    await house.sessions.AppendMessages(pb.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=messages))


async def turn(house: House, first: int) -> None:
    await house.sessions.ReadSession(pb.ReadSessionRequest(tenant=e.TENANT, session_id="s"))
    await append(house, first, 1, f"run-{first}")
    await append(house, first + 1, 1, f"run-{first}")
    await house.sessions.ReadMessages(
        pb.ReadMessagesRequest(tenant=e.TENANT, session_id="s", newest_first=True, page_size=10)
    )


@pytest.mark.parametrize("history_limit", [100, 100_000], ids=["cut", "whole"])
async def test_a_turn_costs_the_same_after_ten_messages_and_ten_thousand(tmp_path: Path, history_limit: int) -> None:
    """Reading the session, a question, an answer, and the newest page: none of it carries what came before."""
    server = ValkeyServer(tmp_path / "valkey")
    with serving(server):
        talk = Talk(server)
        settings = StateSettings(url=server.url, history_limit=history_limit, lifecycle_topic="")
        async with open_house(settings) as house:
            cost: dict[int, int] = {}
            length = 0
            for wanted in (110, 1000, 10_000):
                while length < wanted - 10:
                    await append(house, length, 100)
                    length += 100
                before = talk.so_far()
                for _ in range(TURNS):
                    await turn(house, length)
                    length += 2
                cost[wanted] = talk.so_far() - before
            assert max(cost.values()) <= 1.1 * min(cost.values()) + BESIDE, cost
