"""A process that appends to a run's log until it is killed, and says of each entry that it was acknowledged."""

import asyncio
import sys

from penstock.state.layer import open_state
from penstock.state.settings import StateSettings
from penstock.v1.run_event_pb2 import RunEvent, Token
from penstock.v1.run_log_pb2 import AppendEventsEntry


async def append_for_ever(url: str, run_id: str) -> None:
    """Appends entries of three events, with two entries in each commit."""
    async with open_state(StateSettings(url=url)) as layer:
        number = 0
        while True:
            writes = []
            for number in (number + 1, number + 2):  # noqa: B020 - counts on from where it was
                token = RunEvent(step_id="main", attempt=1, token=Token(text=str(number)))
                writes.append(
                    layer.store.runs.append(
                        AppendEventsEntry(
                            tenant="acme",
                            run_id=run_id,
                            epoch=1,
                            step_id="main",
                            attempt=1,
                            writer_id="process",
                            writer_sequence=number,
                            events=[token] * 3,
                        )
                    )
                )
            for write in writes:
                sys.stdout.write(f"{(await write).last_sequence}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(append_for_ever(sys.argv[1], sys.argv[2]))
