"""Drain: the way a process leaves without losing a run or a token."""

import asyncio
from collections.abc import Callable

from penstock.server.assemble import Mesh

Say = Callable[[str], None]


async def drain(mesh: Mesh, seconds: float, say: Say) -> bool:
    """Turns callers away, then waits for what is in progress, at most so many seconds; tells whether all of it ended.

    Health says NOT_SERVING first, so that balancers look elsewhere; who comes all the same is told to.
    """
    for readiness in mesh.readiness.values():
        readiness.drain()
    for listener in mesh.listeners:
        listener.gate.close()
    say(f"draining, {seconds:g} s at most: {_awaited(mesh)}; Ctrl-C again stops at once")
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as waiting:
            if "orchestrator" in mesh.running:
                waiting.create_task(mesh.running["orchestrator"].drain())
            for listener in mesh.listeners:
                waiting.create_task(listener.gate.idle())
    except TimeoutError:
        say(f"still in progress after {seconds:g} s: {_awaited(mesh)}; stopping all the same")
        return False
    return True


def _awaited(mesh: Mesh) -> str:
    calls = sum(listener.gate.awaited for listener in mesh.listeners)
    parts = [f"{calls} call{'' if calls == 1 else 's'}"] if calls else []
    runs = mesh.running["orchestrator"].running if "orchestrator" in mesh.running else 0
    parts += [f"{runs} run{'' if runs == 1 else 's'}"] if runs else []
    return f"waiting for {' and '.join(parts)}" if parts else "nothing to wait for"
