"""How the test's model server answers: rightly, slowly, and wrongly in every way that servers have."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
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


async def normal(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.delta(role="assistant", content="")
    for word in ("Hello", " from", " the", " model"):
        await exchange.delta(content=word)
    await exchange.done()


async def thinks(exchange: Exchange) -> None:
    await exchange.open()
    for word in ("let me", " see"):
        await exchange.delta(reasoning_content=word)
    await exchange.delta(content="42")
    await exchange.done()


async def waits(exchange: Exchange) -> None:
    """Answers half, and the rest when it is released."""
    await exchange.open()
    await exchange.delta(content="first ")
    await exchange.released.wait()
    await exchange.delta(content="second")
    await exchange.done()


async def hangs(exchange: Exchange) -> None:
    await exchange.hang()


async def hangs_midway(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.delta(content="so far")
    await exchange.hang()


async def unauthenticated(exchange: Exchange) -> None:
    key = exchange.headers.get("authorization", "")
    await exchange.refuse(
        "401 Unauthorized", {"message": f"Incorrect API key provided: {key}", "code": "invalid_api_key"}
    )


async def forbidden(exchange: Exchange) -> None:
    await exchange.refuse("403 Forbidden", {"message": "not for you"})


async def unknown(exchange: Exchange) -> None:
    await exchange.refuse("404 Not Found", {"message": "no such model", "code": "model_not_found"})


async def limited(exchange: Exchange) -> None:
    await exchange.refuse("429 Too Many Requests", {"message": "slow down"}, "retry-after: 7")


async def spent(exchange: Exchange) -> None:
    await exchange.refuse("429 Too Many Requests", {"message": "pay", "code": "insufficient_quota"}, "retry-after: 7")


async def too_long(exchange: Exchange) -> None:
    key = exchange.headers.get("authorization", "").removeprefix("Bearer ")
    text = f"This model's maximum context length is 8192 tokens (key {key})"
    await exchange.refuse("400 Bad Request", {"message": text, "code": "context_length_exceeded"})


async def breaks(exchange: Exchange) -> None:
    await exchange.refuse("500 Internal Server Error", {"message": "secret-4711 at 10.0.0.7"})


async def overloaded(exchange: Exchange) -> None:
    await exchange.refuse("503 Service Unavailable", {"message": "busy"}, "retry-after: 3")


async def unwell_midway(exchange: Exchange) -> None:
    """Reports an error inside a stream that began well."""
    await exchange.open()
    await exchange.delta(content="so far")
    await exchange.data(json.dumps({"error": {"message": "secret-4711", "code": "server_error"}}).encode())
    await exchange.end()


async def cut(exchange: Exchange) -> None:
    """Closes the socket in the middle of a chunk."""
    await exchange.open()
    await exchange.delta(content="half a ")
    await exchange.write(b'80\r\ndata: {"id": "chatcmpl')
    exchange.keep = False


async def unfinished(exchange: Exchange) -> None:
    """Ends the transfer as it should end, but never says that the answer is finished."""
    await exchange.open()
    await exchange.delta(content="half a ")
    await exchange.delta(content="sentence")
    await exchange.done(finish=None)


async def empty(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.end()


async def no_json(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.delta(content="so far")
    await exchange.data(b"<html>secret-4711</html>")
    await exchange.end()


async def wrong_shape(exchange: Exchange) -> None:
    await exchange.open()
    for wrong in ({"choices": "none"}, {"choices": [{"delta": 7}]}, [1, 2], "text"):
        await exchange.data(json.dumps(wrong).encode())
    await exchange.end()


async def web_page(exchange: Exchange) -> None:
    """Answers as a web server does that is no model server."""
    await exchange.open("text/html")
    await exchange.chunk(b"<html><body>Welcome to nginx!</body></html>")
    await exchange.end()


async def truncated(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.delta(content="as far as it")
    await exchange.done("length")


async def filtered(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.done("content_filter")


async def split(exchange: Exchange) -> None:
    """Sends every byte in a packet of its own, so that characters come in parts."""
    await exchange.open()
    piece = json.dumps(exchange.piece(content="Größe 🦉 水"), ensure_ascii=False).encode()
    for byte in b"data: " + piece + b"\n\n":
        await exchange.chunk(bytes([byte]))
        await asyncio.sleep(0)
    await exchange.done()


async def adds(exchange: Exchange) -> None:
    """Asks for a sum, the arguments in pieces, and says what came of it."""
    await exchange.open()
    if not exchange.answers:
        await exchange.delta(content="Let me add. ")
        await exchange.call(0, "add", '{"a": 2, "b": 40}', pieces=5)
        await exchange.done("tool_calls")
        return
    await exchange.delta(content=f"It is {exchange.answers[0]}")
    await exchange.done()


async def side_by_side(exchange: Exchange) -> None:
    """Asks for three tools at once."""
    await exchange.open()
    if not exchange.answers:
        for index in range(3):
            await exchange.call(index, "add", json.dumps({"a": index, "b": 100}))
        await exchange.done("tool_calls")
        return
    await exchange.delta(content=" ".join(exchange.answers))
    await exchange.done()


async def asks_wrongly(exchange: Exchange) -> None:
    """Gives wrong arguments first, then unreadable ones, then right ones."""
    await exchange.open()
    tries = ['{"a": "two"}', '{"a": 2, "b"', '{"a": 2, "b": 3}']
    if len(exchange.answers) < len(tries):
        await exchange.call(0, "add", tries[len(exchange.answers)])
        await exchange.done("tool_calls")
        return
    await exchange.delta(content=" | ".join(exchange.answers))
    await exchange.done()


async def uses(exchange: Exchange) -> None:
    """Asks for the tool that the message names, with the arguments there, and says what came of it."""
    await exchange.open()
    if not exchange.answers:
        _, name, arguments = exchange.question.split(maxsplit=2)
        await exchange.call(0, name, arguments)
        await exchange.done("tool_calls")
        return
    if exchange.behaviour == "uses_and_waits":
        await exchange.delta(content="so ")
        await exchange.released.wait()
    await exchange.delta(content=exchange.answers[0])
    await exchange.done()


async def never_ends(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.call(0, "add", json.dumps({"a": len(exchange.answers), "b": 1}))
    await exchange.done("tool_calls")


BEHAVIOURS: Mapping[str, Callable[[Exchange], Awaitable[None]]] = {
    behaviour.__name__: behaviour
    for behaviour in (
        normal,
        thinks,
        waits,
        hangs,
        hangs_midway,
        unauthenticated,
        forbidden,
        unknown,
        limited,
        spent,
        too_long,
        breaks,
        overloaded,
        unwell_midway,
        cut,
        unfinished,
        empty,
        no_json,
        wrong_shape,
        web_page,
        truncated,
        filtered,
        split,
        adds,
        side_by_side,
        asks_wrongly,
        uses,
        never_ends,
    )
} | {"uses_and_waits": uses}
