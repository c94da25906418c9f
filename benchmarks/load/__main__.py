"""The load generator: reads one workload a line, puts it on the system at an address, and writes what it saw.

`python -m benchmarks.load KIND ADDRESS`; lines are JSON objects, in both directions. It ends with its input.
"""

import asyncio
import dataclasses
import json
import os
import sys
import traceback

import uvloop

from benchmarks.load.callers import open_caller
from benchmarks.load.workloads import KINDS, Workload

LONGEST = 60.0


async def main(kind: str, address: str) -> None:
    """Serves its input."""
    asked = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    async with open_caller(kind, address) as caller:
        while line := await asked.readline():
            order = json.loads(line)
            workload: Workload = KINDS[order.pop("kind")](**order)
            try:
                async with asyncio.timeout(LONGEST):
                    answer = dataclasses.asdict(await workload.run(caller))
            except Exception:
                answer = {"error": traceback.format_exc()}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2]))
    os._exit(0)  # nothing is left to close but grpc's own threads, which may take their time
