"""A program that runs tasks for their results: agents, plans and what comes of them."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import assert_type

from penstock.client import Client, Content, PenstockError, Plan, Run, RunOptions, RunState, error_of, text_of

PLAN = {
    "sequential": True,
    "steps": [
        {"step_id": "count", "tool": {"tool": "count_words", "arguments": {"text": "${input}"}}},
        {"step_id": "say", "agent": {"agent": "hello", "task": "counted ${steps.count.output}"}},
    ],
}


async def main(address: str) -> None:
    """Runs an agent, a plan, and one in the background that is cancelled."""
    options: RunOptions = {"agent": "hello", "timeout": timedelta(minutes=1), "labels": {"batch": "7"}}
    async with Client(address) as client:
        run = await client.execute_run("one two three", wait=30, **options)
        assert_type(run, Run)
        assert_type(run.run_id, str)
        assert_type(text_of(run), str)
        assert_type(error_of(run), PenstockError | None)
        assert run.state == RunState.RUN_STATE_SUCCEEDED, error_of(run)
        planned = await client.execute_run("four five", plan=PLAN)
        assert_type(planned.plan, Plan)
        assert planned.state == RunState.RUN_STATE_SUCCEEDED, error_of(planned)
        parts: Sequence[str | Content] = ["six", Content(json='{"seven": 8}')]
        background = await client.create_run(parts, **options)
        assert_type(await client.cancel_run(background.run_id, "seen enough"), Run)
        found = [run.run_id async for run in client.list_runs(labels={"batch": "7"}, states=[run.state])]
        assert_type(found, list[str])
        assert run.run_id in found
    print(text_of(run), text_of(planned), sep="\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
