"""Following a topic from the command line."""

import asyncio
import sys

from penstock.cli.ask import client_at
from penstock.cli.away import telling_who_is_away
from penstock.cli.exits import Exit
from penstock.cli.failure import explain
from penstock.cli.json_line import print_json
from penstock.cli.table import cut, screen_width
from penstock.cli.terminal import line, note, printable, styled
from penstock.client import Event, PenstockError, Reconnecting, Subscription


def follow_topic(
    address: str, topic: str, *, group: str, from_beginning: bool, limit: int | None, as_json: bool
) -> Exit:
    """Prints events as they come, until there are so many (None: without end) or until Ctrl-C."""
    try:
        asyncio.run(_follow(address, topic, group, from_beginning, limit, as_json))
    except PenstockError as error:
        explain(error, address)
        return Exit.CALL_FAILED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.OK


async def _follow(address: str, topic: str, group: str, from_beginning: bool, limit: int | None, as_json: bool) -> None:
    async with client_at(address) as client:
        events = client.subscribe(
            topic,
            group=group,
            from_beginning=from_beginning,
            # What is beyond the limit is another member's.
            max_unacknowledged=min(limit or 64, 64),
            auto_acknowledge=False,
            on_reconnect=_reconnecting,
        )
        async with telling_who_is_away(client):
            await events.__aenter__()
        async with events:
            if sys.stderr.isatty():
                note(f"following {line(topic)}; Ctrl-C ends")
            await _print(events, limit, as_json)


async def _print(events: Subscription, limit: int | None, as_json: bool) -> None:
    skipped = count = 0
    async for event in events:
        if events.skipped > skipped:
            note(f"{events.skipped - skipped:,} events were dropped before they could be read here")
            skipped = events.skipped
        if as_json:
            print_json(event.delivered)
        else:
            _print_text(event)
        await event.acknowledge()
        count += 1
        if count == limit:
            return


def _print_text(event: Event) -> None:
    """Prints an event as one line, cut at the screen's edge, and why it is a dead letter as another."""
    width = screen_width()
    when = event.time.astimezone().strftime("%H:%M:%S")
    again = f"  (delivery {event.delivery})" if event.delivery > 1 else ""
    head = f"#{event.position}  {when}  {line(event.type, None)}{again}"
    text = cut(f"{head}  {printable(event.delivered.event.payload_json)}".replace("\n", " "), width)
    print(styled(text[: len(head)], "2", sys.stdout) + text[len(head) :], flush=True)
    if event.dead_letter_reason:
        print(cut(f"  dead letter: {line(event.dead_letter_reason, None)}", width), flush=True)


def _reconnecting(lost: Reconnecting) -> None:
    if lost.attempt == 1 and lost.cursor.after_sequence:
        note(f"connection lost; going on after event #{lost.cursor.after_sequence} …")
    elif lost.attempt == 4:
        note(f"no answer yet ({line(lost.error.message, None)}); asking again …")
