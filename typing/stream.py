"""A program that shows a run as it goes, and survives the loss of its connection."""

import asyncio
import sys
from typing import assert_type

from penstock.client import Client, Cursor, PenstockError, Reconnecting, Run, RunEvent, RunStream, Transcript
from penstock.client.render import Anew, Shown


def tell(lost: Reconnecting) -> None:
    """Says what happened to the connection."""
    assert_type(lost.error, PenstockError)
    assert_type(lost.cursor, Cursor)
    assert_type(lost.attempt, int)
    assert_type(lost.pause, float)
    print(f"lost ({lost.error.message}); again at {lost.address} in {lost.pause:.1f} s", file=sys.stderr)


async def main(address: str) -> None:
    """Runs a task, reads its log a second time from the middle on, and compares."""
    transcript = Transcript()
    async with Client(address.split(","), timeout=10, patience=30) as client:
        stream = client.stream_run("one two three", agent="hello", labels={"made": "by hand"}, on_reconnect=tell)
        assert_type(stream, RunStream)
        async with stream:
            assert_type(stream.run, Run)
            async for event in stream:
                assert_type(event, RunEvent)
                change = transcript.consume(event)
                assert_type(change, Shown | Anew | None)
                match change:
                    case Shown(text=text):
                        print(text, end="")
                    case Anew(kept=kept):
                        print(f"\n(once more) {kept}", end="")
                    case None:
                        pass
        middle = stream.cursor.after_sequence // 2
        rest = [event async for event in client.attach_run(stream.run_id, middle, stream.cursor.generation)]
        assert_type(rest, list[RunEvent])
        assert rest[0].sequence == middle + 1
    assert_type(transcript.text, str)
    print(f"\n{transcript.text}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
