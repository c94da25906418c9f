"""A program that holds a conversation and looks at it."""

import asyncio
import sys
from typing import assert_type

from penstock.client import Client, OnBusy, Usage
from penstock.v1.executor_pb2 import AgentDescription
from penstock.v1.gateway_pb2 import GetStatusResponse
from penstock.v1.session_pb2 import Session, SessionMessage
from penstock.v1.tool_runner_pb2 import ToolDescription
from penstock.wire.ids import random_id


async def main(address: str) -> None:
    """Says two things in one session, prints it, and forgets it."""
    session_id = random_id("talk")
    async with Client(address) as client:
        for said in ("good morning", "and good night"):
            run = await client.execute_run(said, agent="hello", session=session_id, on_busy="enqueue")
            assert_type(run.usage, Usage)
        assert_type(await client.get_session(session_id), Session)
        async for message in client.list_messages(session_id):
            assert_type(message, SessionMessage)
            print("".join(part.text for part in message.content))
        assert_type(await client.delete_session(session_id), bool)
        assert_type(await client.list_agents(), list[AgentDescription])
        assert_type(await client.list_tools(), list[ToolDescription])
        assert_type(await client.get_status(), GetStatusResponse)
    assert_type(OnBusy.Name(OnBusy.ON_BUSY_ENQUEUE), str)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
