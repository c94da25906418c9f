"""`penstock events`: publishing to topics, following them, and asking over them."""

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.complete import complete_topic
from penstock.cli.options import DEFAULT_ADDRESS, Address, AsJson

if TYPE_CHECKING:
    from penstock.client import Client, Event

EVENTS_EXAMPLES = """Examples:

penstock events publish orders '{"order": 7}' --type order.placed --id order-7

penstock events follow orders

penstock events follow penstock.runs

penstock events request prices '{"article": 7}' --timeout 5s
"""

PUBLISH_EXAMPLES = """Examples:

penstock events publish orders '{"order": 7}' '{"order": 8}' --type order.placed

penstock events publish notes '"a text needs the quotes of JSON"'

jq -c '.[]' orders.json | penstock events publish orders --file -

With --id it is safe to repeat: a topic takes an event of the same id once, for as long as it keeps it.
"""

FOLLOW_EXAMPLES = """Examples:

penstock events follow penstock.runs

penstock events follow orders --from-beginning --limit 10

penstock events follow orders --json | jq '.event.payload_json | fromjson'

penstock events follow orders.billing.dead --from-beginning

The last one reads the events that group billing could not handle in five deliveries.

Without --group it looks on, and takes nothing from anybody. With --group it is a member: each event goes to one \
member, and is done with once it is printed.
"""

REQUEST_EXAMPLES = """Examples:

penstock events request prices '{"article": 7}' --timeout 5s

penstock events request prices '{"article": 7}' | jq .price
"""

app = typer.Typer(
    help="Publish to topics, follow them, and ask over them.", epilog=EVENTS_EXAMPLES, no_args_is_help=True
)

Topic = Annotated[str, typer.Argument(help="The topic.", metavar="TOPIC", autocompletion=complete_topic)]


@app.command(epilog=PUBLISH_EXAMPLES)
def publish(
    topic: Topic,
    payloads: Annotated[
        list[str] | None, typer.Argument(help="What happened, as JSON; each is an event.", metavar="JSON")
    ] = None,
    file: Annotated[
        str | None, typer.Option(help="Publish each line of this file too; `-` is stdin.", metavar="PATH")
    ] = None,
    kind: Annotated[str, typer.Option("--type", help="What kind of thing happened.")] = "event",
    event_id: Annotated[
        str, typer.Option("--id", help="Name of the only event; makes it safe to repeat.", metavar="ID")
    ] = "",
    meta: Annotated[list[str] | None, typer.Option(help="A note beside it; may be repeated.", metavar="K=V")] = None,
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Publish events to a topic, and print their positions in it."""
    from penstock.cli.ask import ask
    from penstock.cli.event_input import batches, events_of
    from penstock.cli.input import labels_of
    from penstock.cli.json_line import print_json_object

    events = events_of(payloads or [], file, kind=kind, event_id=event_id, metadata=labels_of(meta or [], "--meta"))

    async def publish_all(client: "Client") -> None:
        for batch in batches(events):
            for event, position in zip(batch, await client.publish_events(topic, batch), strict=True):
                if as_json:
                    print_json_object({"topic": topic, "position": str(position), "event_id": event.event_id})
                else:
                    typer.echo(f"#{position}  {event.event_id}")

    ask(address, publish_all)


@app.command(epilog=FOLLOW_EXAMPLES)
def follow(
    topic: Topic,
    group: Annotated[str, typer.Option(help="Be a member of this consumer group, and take events from it.")] = "",
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin at the oldest event kept; a group that is there goes on.")
    ] = False,
    limit: Annotated[int | None, typer.Option(help="End after so many events.", min=1, show_default=False)] = None,
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Print a topic's events as they come, until Ctrl-C."""
    from penstock.cli.event_follow import follow_topic

    raise typer.Exit(
        follow_topic(address, topic, group=group, from_beginning=from_beginning, limit=limit, as_json=as_json)
    )


@app.command(epilog=REQUEST_EXAMPLES)
def request(
    topic: Topic,
    payload: Annotated[str, typer.Argument(help="What is asked, as JSON.", metavar="JSON")],
    timeout: Annotated[str, typer.Option(help="How long to wait for the reply.", metavar="DURATION")] = "30s",
    kind: Annotated[str, typer.Option("--type", help="What kind of request it is.")] = "request",
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Ask whoever answers on a topic, and print the payload of the reply."""
    from penstock.cli.ask import ask
    from penstock.cli.event_input import value_of
    from penstock.cli.input import timeout_of
    from penstock.cli.json_line import print_json
    from penstock.cli.terminal import printable

    asked, seconds = value_of(payload), timeout_of(timeout) or 0.0

    async def ask_over_topic(client: "Client") -> "Event":
        return await client.request(topic, asked, timeout=seconds, type=kind)

    reply = ask(address, ask_over_topic)
    if as_json:
        print_json(reply.delivered)
    else:
        typer.echo(printable(reply.delivered.event.payload_json))
