"""`penstock.client.run`, for where there is no `await`."""

import asyncio
import signal
import sys
import threading
import traceback
from asyncio.subprocess import PIPE

import pytest

import penstock.client
from penstock.client import Client, Run, RunState, errors, text_of
from penstock.v1.run_pb2 import Content

SCRIPT = """
import sys
import penstock.client

print("asking", flush=True)
penstock.client.run("x", agent="stuck", address=sys.argv[1], labels={"who": sys.argv[2]})
"""

# As a notebook's kernel does it: the cell runs inside of the loop, and Ctrl-C raises in it.
NOTEBOOK = """
import asyncio
import sys
import penstock.client

async def cell():
    print("asking", flush=True)
    penstock.client.run("x", agent="stuck", address=sys.argv[1], labels={"who": sys.argv[2]})

loop = asyncio.new_event_loop()
loop.run_until_complete(cell())
"""


def test_a_script_gets_a_run_without_await(address: str) -> None:
    """As often as it likes; a run that fails is no error here either."""
    for number in (2, 3):
        run = penstock.client.run(str(number), agent="count", address=address)
        assert text_of(run) == "".join(f"{n} " for n in range(1, number + 1))
    assert penstock.client.run("x", agent="broken", address=address).state == RunState.RUN_STATE_FAILED


async def test_a_notebook_gets_a_run_though_its_loop_is_running(address: str) -> None:
    """Beside a client that lives in that loop; its thread ends with the call."""
    threads = threading.active_count()
    async with Client(address) as client:
        assert (await client.execute_run("1", agent="count")).state == RunState.RUN_STATE_SUCCEEDED
        assert text_of(penstock.client.run("3", agent="count", address=address)) == "1 2 3 "
        assert (await client.execute_run("1", agent="count")).state == RunState.RUN_STATE_SUCCEEDED
    assert threading.active_count() <= threads + 1  # grpc's own


def test_errors_come_as_they_are(address: str) -> None:
    """With the key to wait on with, when time was over."""
    with pytest.raises(errors.NotFound, match="count"):
        penstock.client.run("x", agent="coumt", address=address)
    with pytest.raises(errors.DeadlineExceeded) as late:
        penstock.client.run("x", agent="stuck", address=address, wait=0.3)
    assert late.value.metadata["idempotency_key"]


async def test_errors_come_as_they_are_out_of_a_running_loop(address: str) -> None:
    """Through the thread."""
    with pytest.raises(errors.NotFound, match="count"):
        penstock.client.run("x", agent="coumt", address=address)
    with pytest.raises(ValueError, match="host:port"):
        penstock.client.run("x", address="nowhere")


def test_where_nobody_answers_the_error_stands_alone() -> None:
    """Not below one that was only looked at to tell a script from a notebook."""
    with pytest.raises(errors.Unavailable, match="nothing answers") as raised:
        penstock.client.run("x", agent="count", address="127.0.0.1:1")
    assert "During handling" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("program", [SCRIPT, NOTEBOOK], ids=["script", "notebook"])
async def test_ctrl_c_gives_up_the_waiting_and_leaves_the_run_going(
    address: str, client: Client, program: str, request: pytest.FixtureRequest
) -> None:
    """The process ends at once, with KeyboardInterrupt."""
    mark = {"who": request.node.name.replace("[", ".").replace("]", "")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, address, mark["who"], stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(20):
        while not (found := [run async for run in client.list_runs(labels=mark)]):  # noqa: ASYNC110 - see sleep
            await asyncio.sleep(0.02)  # another process's run sets no event of ours
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
    assert said.decode().splitlines()[-1] == "KeyboardInterrupt"
    assert process.returncode != 0
    assert (await client.get_run(found[0].run_id)).state == RunState.RUN_STATE_RUNNING
    await client.cancel_run(found[0].run_id)


async def test_a_signal_handler_that_raises_ends_the_waiting_too(address: str, client: Client) -> None:
    """A notebook's kernel that is told to end does not wait for a run."""
    program = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
    mark = {"who": "told-to-end"}
    async with asyncio.timeout(20):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", f"import sys\n{program}{NOTEBOOK}", address, mark["who"], stdout=PIPE, stderr=PIPE
        )
        while not (found := [run async for run in client.list_runs(labels=mark)]):  # noqa: ASYNC110 - see sleep
            await asyncio.sleep(0.02)  # another process's run sets no event of ours
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 9
    await client.cancel_run(found[0].run_id)


def test_the_text_of_a_run_is_its_texts_and_json_one_a_line() -> None:
    """And nothing where there is no output."""
    run = Run(output=[Content(text="first"), Content(json='{"n": 12345678901234567890}')])
    assert text_of(run) == 'first\n{"n": 12345678901234567890}'
    assert text_of(Run()) == ""
