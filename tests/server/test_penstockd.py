"""`penstockd` as people and process supervisors meet it: real processes, signals and exit codes."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from penstock.v1 import gateway_pb2, gateway_pb2_grpc, run_pb2
from penstock.wire.errors import Draining
from penstock.wire.status import from_rpc_error

from .conftest import SAMPLES, Connect

PENSTOCKD = str(Path(sys.executable).with_name("penstockd"))
HELD = ("--app-dir", str(SAMPLES), "--agent", "held=agents_for_server:held")


@dataclass(frozen=True, slots=True)
class Running:
    """Represents a process that serves: its pipes, and what it wrote into its ready file."""

    process: asyncio.subprocess.Process
    facts: dict[str, Any]

    async def end(self) -> tuple[int, str]:
        """Waits for the end; returns exit code and standard output."""
        output, _ = await self.process.communicate()
        return self.process.returncode or 0, output.decode()

    async def line(self, beginning: str) -> str:
        """Reads standard output up to the line that begins so."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.decode().strip().startswith(beginning):
                return line.decode().strip()
        pytest.fail(f"it never said {beginning!r}")


async def launched(directory: Path, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """Starts penstockd in a directory of its own."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        PENSTOCKD, *arguments, cwd=directory, env=clean | environment, stdout=pipe, stderr=pipe
    )


async def ended(directory: Path, *arguments: str, **environment: str) -> tuple[int | None, str, str]:
    """Runs penstockd to its end; returns exit code, output and errors."""
    process = await launched(directory, *arguments, **environment)
    async with asyncio.timeout(90):
        output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


Serving = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    """Runs penstockd on a free port for a block; what is still running at the end is killed."""

    @asynccontextmanager
    async def run(*arguments: str) -> AsyncGenerator[Running]:
        ready = tmp_path / "ready.json"
        process = await launched(tmp_path, "--listen", "127.0.0.1:0", "--ready-file", str(ready), *arguments)
        try:
            async with asyncio.timeout(90):
                assert process.stdout is not None
                async for line in process.stdout:
                    if line.startswith(b"Try:"):
                        break
                yield Running(process, json.loads(await asyncio.to_thread(ready.read_text)))
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    return run


def held_run(pipe: Path) -> gateway_pb2.StreamRunRequest:
    """Makes a request for a run that ends when somebody writes into the pipe."""
    return gateway_pb2.StreamRunRequest(
        spec=run_pb2.RunSpec(agent="held", input=[run_pb2.Content(text=str(pipe))], idempotency_key="held")
    )


async def first_token(stream: Any) -> None:
    """Reads a run's stream until its agent has begun."""
    async for response in stream:
        if any(event.HasField("token") for event in response.events):
            return


BLOCKING = ("--app-dir", str(SAMPLES), "--agent", "blocking=agents_for_server:blocking")


async def errors_until(process: asyncio.subprocess.Process, text: str) -> str:
    """Reads standard error up to a line with the text; returns that line."""
    assert process.stderr is not None
    async with asyncio.timeout(20):
        async for line in process.stderr:
            if text in line.decode():
                return line.decode()
    pytest.fail(f"it never said {text!r}")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_an_agent_that_blocks_the_loop_is_named_and_can_be_stopped(
    serving: Serving, connect: Connect, loop: str
) -> None:
    """The log names its file, line and function; the second signal ends the process, which hears nothing else."""
    async with serving(*BLOCKING, "--loop", loop) as daemon:
        gateway = gateway_pb2_grpc.GatewayServiceStub(connect(daemon.facts["listen"]))
        spec = run_pb2.RunSpec(agent="blocking", input=[run_pb2.Content(text="3600")])
        await gateway.CreateRun(gateway_pb2.CreateRunRequest(spec=spec))
        line = await errors_until(daemon.process, "the event loop is blocked")
        assert "agents_for_server.py:" in line
        assert "in blocking" in line
        assert "asyncio.to_thread" in line
        said = asyncio.create_task(errors_until(daemon.process, "ended at once"))
        while not said.done():  # the second signal counts once the first went unheard for a second
            with suppress(ProcessLookupError):
                daemon.process.send_signal(signal.SIGTERM)
            await asyncio.wait({said}, timeout=0.2)
        assert "agents_for_server.py:" in await said
        assert await daemon.process.wait() == 1


async def test_a_loop_that_was_blocked_for_a_while_says_for_how_long(serving: Serving, connect: Connect) -> None:
    """And the run goes on as if nothing had been; one signal is still a drain."""
    async with serving(*BLOCKING) as daemon:
        gateway = gateway_pb2_grpc.GatewayServiceStub(connect(daemon.facts["listen"]))
        spec = run_pb2.RunSpec(agent="blocking", input=[run_pb2.Content(text="2.5")])
        done = await gateway.ExecuteRun(gateway_pb2.ExecuteRunRequest(spec=spec))
        assert done.run.state == run_pb2.RUN_STATE_SUCCEEDED
        assert "the event loop was blocked for" in await errors_until(daemon.process, "was blocked for")
        daemon.process.send_signal(signal.SIGTERM)
        code, _ = await daemon.end()
    assert code == 0


async def test_an_import_that_takes_long_blocks_nobody_and_is_not_named(serving: Serving, tmp_path: Path) -> None:
    """Nothing is served before it is over; on a busy machine the mesh's own imports were blamed."""
    agent = "async def slow(task, context):\n    yield task\n"
    (tmp_path / "slow_import.py").write_text(f"import time\n\ntime.sleep(2.5)\n\n\n{agent}")
    async with serving("--app-dir", str(tmp_path), "--agent", "slow=slow_import:slow") as daemon:
        daemon.process.send_signal(signal.SIGTERM)
        _, errors = await daemon.process.communicate()
    assert "blocked" not in errors.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_signal_lets_runs_finish_refuses_new_ones_and_ends_with_0(
    serving: Serving, connect: Connect, tmp_path: Path, pipe: Path, number: signal.Signals
) -> None:
    """The stream of a run in progress comes to its end, a new run gets UNAVAILABLE (DRAINING) with RetryInfo."""
    async with serving(*HELD) as daemon:
        gateway = gateway_pb2_grpc.GatewayServiceStub(connect(daemon.facts["listen"]))
        request = held_run(pipe)
        stream = gateway.StreamRun(request)
        await first_token(stream)
        daemon.process.send_signal(number)
        assert "1 call" in await daemon.line("draining")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.CreateRun(gateway_pb2.CreateRunRequest(spec=request.spec))
        refusal = from_rpc_error(caught.value)
        assert isinstance(refusal, Draining)
        assert refusal.retry_after
        await asyncio.to_thread(pipe.write_text, " ended")
        states = [event.run_finished.state async for response in stream for event in response.events]
        assert states[-1] == run_pb2.RUN_STATE_SUCCEEDED
        code, output = await daemon.end()
    assert (code, output.strip().splitlines()[-1]) == (0, "stopped")
    assert not (tmp_path / "ready.json").exists()


async def test_a_second_signal_stops_at_once(serving: Serving, connect: Connect, pipe: Path) -> None:
    """Nobody has to wait for a run that does not end."""
    async with serving(*HELD, "--drain-seconds", "3600") as daemon:
        gateway = gateway_pb2_grpc.GatewayServiceStub(connect(daemon.facts["listen"]))
        await first_token(gateway.StreamRun(held_run(pipe)))
        daemon.process.send_signal(signal.SIGINT)
        await daemon.line("draining")
        daemon.process.send_signal(signal.SIGINT)
        # The agent's thread waits in the pipe, which Python would wait for at its end.
        await asyncio.to_thread(pipe.write_text, "")
        code, _ = await daemon.end()
    assert code == 1


async def test_draining_is_bounded(serving: Serving, connect: Connect, pipe: Path) -> None:
    """After drain_seconds the process says what it still waited for, and ends with 0."""
    async with serving(*HELD, "--drain-seconds", "0.2") as daemon:
        gateway = gateway_pb2_grpc.GatewayServiceStub(connect(daemon.facts["listen"]))
        await first_token(gateway.StreamRun(held_run(pipe)))
        daemon.process.send_signal(signal.SIGTERM)
        assert "after 0.2 s" in await daemon.line("still in progress")
        await asyncio.to_thread(pipe.write_text, "")
        code, _ = await daemon.end()
    assert code == 0


async def test_the_ready_file_says_where_and_who(serving: Serving) -> None:
    """Scripts wait for the file, and read the port that the system chose."""
    async with serving("--inner-listen", "127.0.0.1:0") as daemon:
        assert daemon.facts["pid"] == daemon.process.pid
        assert daemon.facts["layers"] == ["state", "tools", "executor", "orchestrator", "gateway"]
        ports = {address.rpartition(":")[2] for address in (daemon.facts["listen"], daemon.facts["inner_listen"])}
        assert len(ports) == 2
        assert "0" not in ports


async def test_a_port_in_use_ends_with_1_and_names_the_mend(serving: Serving, tmp_path: Path) -> None:
    """A second process does not silently share the first one's port."""
    async with serving("--layers", "tools") as daemon:
        code, _, errors = await ended(tmp_path, "--layers", "tools", "--listen", daemon.facts["listen"])
    assert code == 1
    assert f"can't listen on {daemon.facts['listen']}: Address already in use" in errors
    assert "Traceback" not in errors


async def test_mistakes_end_with_2_and_are_all_told(tmp_path: Path) -> None:
    """Configuration of file, environment and flags is checked before anything starts."""
    (tmp_path / "penstock.toml").write_text("listn = 'x'\n")
    code, _, errors = await ended(tmp_path, "--layers", "executor", "--loop", "fast", PENSTOCK_DRAIN_SECONDS="-1")
    assert code == 2
    for key in ("listn (", "did you mean listen?", "loop (--loop)", "drain_seconds (PENSTOCK_DRAIN_SECONDS)"):
        assert key in errors
    assert "connect.state" in errors
    assert not (tmp_path / "penstock.db").exists()


async def test_an_agent_that_is_none_ends_with_2_and_without_a_traceback(tmp_path: Path) -> None:
    """What is wrong with an agent is told in words."""
    code, _, errors = await ended(
        tmp_path, "--listen", "127.0.0.1:0", "--app-dir", str(SAMPLES), "--agent", "a=agents_for_server:SAMPLES"
    )
    assert code == 2
    assert "the executor layer can't start" in errors
    assert "Traceback" not in errors


async def test_printing_the_configuration_starts_nothing(tmp_path: Path) -> None:
    """`--print-config` shows the result, and where what is no default comes from."""
    code, output, _ = await ended(tmp_path, "--print-config", "--layers", "tools", PENSTOCK_ENVIRONMENT="staging")
    assert code == 0
    assert 'hosted = ["tools"]  # --layers' in output
    assert 'environment = "staging"  # PENSTOCK_ENVIRONMENT' in output
    assert not os.listdir(tmp_path)


async def test_help_teaches_by_example(tmp_path: Path) -> None:
    """The examples keep their lines, and the exit codes are there."""
    code, output, _ = await ended(tmp_path, "--help", COLUMNS="120")
    assert code == 0
    assert "penstockd --layers state --listen 127.0.0.1:50055\n" in output
    assert "Exit codes: 0 stopped cleanly, 1 failed, 2 the configuration has mistakes." in output
