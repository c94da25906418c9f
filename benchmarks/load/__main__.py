"""The load generator: reads one workload a line, puts it on the system at an address, and writes what it saw.

`python -m benchmarks.load KIND ADDRESS`; lines are JSON objects, in both directions. It ends with its input.
"""

import asyncio
import dataclasses
import json
import os
import sys
import traceback
from functools import partial

import uvloop

from benchmarks.load.callers import open_caller
from benchmarks.load.held import HeldStreams, Hold
from benchmarks.load.workloads import KINDS, Loaded

LONGEST = 60.0


async def main(kind: str, address: str) -> None:
    """Serves its input."""
    asked = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    connect = partial(open_caller, kind, address)
    async with connect() as caller, HeldStreams(connect) as held:

        async def obey(kind: str, **fields: object) -> Loaded:
            if kind == "hold":
                return await held.reach(Hold(**fields))  # type: ignore[arg-type]  # as another process wrote them
            return await KINDS[kind](**fields).run(caller)  # type: ignore[arg-type]  # as another process wrote them

        while line := await asked.readline():
            try:
                async with asyncio.timeout(LONGEST):
                    answer = dataclasses.asdict(await obey(**json.loads(line)))
            except Exception:
                answer = {"error": traceback.format_exc()}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2]))
    os._exit(0)  # nothing is left to close but grpc's own threads, which may take their time
