"""One chat request as the test's model server has it, and the way back to its client."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 7,
    "total_tokens": 19,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


@dataclass
class Exchange:
    """Represents one chat request and the way back to its client."""

    number: int
    headers: dict[str, str]
    body: dict[str, Any]
    writer: asyncio.StreamWriter
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    keep: bool = True

    @property
    def behaviour(self) -> str:
        """How it is to be answered."""
        return self.question.split()[0]

    @property
    def question(self) -> str:
        """The last user message."""
        return str(next(one["content"] for one in reversed(self.body["messages"]) if one["role"] == "user"))

    @property
    def answers(self) -> list[str]:
        """What the tools of this run have said, in the order of the messages."""
        messages = self.body["messages"]
        asked = max(at for at, message in enumerate(messages) if message["role"] == "user")
        return [message["content"] for message in messages[asked:] if message["role"] == "tool"]

    def told(self) -> dict[str, Any]:
        """Returns what a test may see of it."""
        return {
            "number": self.number,
            "behaviour": self.behaviour,
            "headers": self.headers,
            "body": self.body,
            "closed": self.closed.is_set(),
        }

    async def refuse(self, status: str, error: dict[str, Any], *headers: str) -> None:
        """Answers with an HTTP error."""
        body = json.dumps({"error": error}).encode()
        head = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *headers]
        await self.write("\r\n".join([*head, "", ""]).encode() + body)

    async def open(self, content_type: str = "text/event-stream") -> None:
        """Begins a stream."""
        await self.write(
            f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )

    async def delta(self, finish: str | None = None, **delta: Any) -> None:
        """Sends a piece of the answer."""
        await self.data(json.dumps(self.piece(finish, **delta), ensure_ascii=False).encode())

    def piece(self, finish: str | None = None, **delta: Any) -> dict[str, Any]:
        """Makes a piece of the answer."""
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return {**self._head(), "choices": choices}

    async def data(self, text: bytes) -> None:
        """Sends one event."""
        await self.chunk(b"data: " + text + b"\n\n")

    async def usage(self) -> None:
        """Sends what was used, as servers do that were asked to."""
        if self.body.get("stream_options", {}).get("include_usage"):
            await self.data(json.dumps({**self._head(), "choices": [], "usage": USAGE}).encode())

    async def chunk(self, content: bytes) -> None:
        """Sends bytes as one chunk of the transfer."""
        await self.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    async def done(self, finish: str | None = "stop") -> None:
        """Ends the stream as it should end."""
        if finish is not None:
            await self.delta(finish)
        await self.usage()
        await self.data(b"[DONE]")
        await self.end()

    async def end(self) -> None:
        """Ends the transfer."""
        await self.write(b"0\r\n\r\n")

    async def write(self, content: bytes) -> None:
        """Sends bytes in a packet of their own."""
        self.writer.write(content)
        await self.writer.drain()

    async def hang(self) -> None:
        """Says nothing more."""
        await asyncio.Event().wait()

    async def call(self, index: int, name: str, arguments: str, *, pieces: int = 1) -> None:
        """Asks for a tool, its arguments in so many pieces."""
        first = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        await self.delta(tool_calls=[first])
        size = -(-len(arguments) // pieces)
        for at in range(0, len(arguments), size):
            piece = {"index": index, "function": {"arguments": arguments[at : at + size]}}
            await self.delta(tool_calls=[piece])

    def _head(self) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.number}",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": f"{self.body['model']}-0613",
        }
