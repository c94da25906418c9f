"""The client of a Penstock mesh.

async with Client("gw-a:50051,gw-b:50051") as client:
    async with client.stream_run("Summarise this …", agent="summarise") as stream:
        async for event in stream:
            print(event.token.text, end="", flush=True)

Where there is no `await`, in scripts and notebooks, one function does:

done = penstock.client.run("Summarise this …", agent="summarise")
print(text_of(done))
"""

from penstock.client.blocking import run
from penstock.client.client import Client
from penstock.client.cursor import Cursor
from penstock.client.event import Event
from penstock.client.new_event import new_event
from penstock.client.output import text_of
from penstock.client.reconnecting import Reconnecting
from penstock.client.render import Transcript
from penstock.client.run_error import error_of
from penstock.client.run_stream import RunStream
from penstock.client.spec import RunOptions, Task
from penstock.client.subscription import Subscription
from penstock.v1.event_pb2 import TopicEvent
from penstock.v1.plan_pb2 import Plan, Step
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_pb2 import Content, OnBusy, Run, RunState, Usage
from penstock.wire import errors
from penstock.wire.errors import PenstockError
from penstock.wire.plan_file import load_plan

__all__ = [
    "Client",
    "Content",
    "Cursor",
    "Event",
    "OnBusy",
    "PenstockError",
    "Plan",
    "Reconnecting",
    "Run",
    "RunEvent",
    "RunOptions",
    "RunState",
    "RunStream",
    "Step",
    "Subscription",
    "Task",
    "TopicEvent",
    "Transcript",
    "Usage",
    "error_of",
    "errors",
    "load_plan",
    "new_event",
    "run",
    "text_of",
]
