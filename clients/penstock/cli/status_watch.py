"""The mesh's condition, again and again."""

import asyncio
import sys
import time

from penstock.cli.ask import client_at
from penstock.cli.flow import flowed
from penstock.cli.json_line import print_json
from penstock.cli.mesh_text import status_text
from penstock.cli.region import Region
from penstock.cli.terminal import can_redraw, line, styled
from penstock.client import PenstockError


def watch_status(address: str, every: float, *, as_json: bool) -> None:
    """Shows the condition every so many seconds until Ctrl-C: in place on a terminal, else one below the other.

    A gateway that doesn't answer is a condition too, and no reason to stop watching.
    """
    region = Region(sys.stdout) if can_redraw() and not as_json else None
    try:
        asyncio.run(_watch(address, every, region, as_json))
    except KeyboardInterrupt:
        if region is not None:
            print()


async def _watch(address: str, every: float, region: Region | None, as_json: bool) -> None:
    async with client_at(address, patience=0) as client:
        while True:
            try:
                found = await client.get_status()
            except PenstockError as error:
                text = f"error: {line(error.message, None)} ({error.reason})"
                if as_json:
                    print(text, file=sys.stderr, flush=True)
            else:
                text = status_text(found)
                if as_json:
                    print_json(found)
            if region is not None:
                foot = styled(f"{time.strftime('%H:%M:%S')}  Ctrl-C ends", "2", sys.stdout)
                region.draw([*flowed(text, region.size[0]), foot])
            elif not as_json:
                print(text + "\n", flush=True)
            await asyncio.sleep(every)
