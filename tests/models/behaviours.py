"""How the test's model server answers: rightly, slowly, and wrongly in every way that servers have."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping

from tests.models.exchange import Exchange


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


async def ends_with(exchange: Exchange) -> None:
    """Says that the answer is finished in the word that the message gives."""
    await exchange.open()
    await exchange.delta(content="half or whole")
    await exchange.done(exchange.question.split()[1])


async def begins_with_no_word(exchange: Exchange) -> None:
    """Opens its answer with its role, as servers do, and ends neatly without a word and a finish reason."""
    await exchange.open()
    await exchange.delta(role="assistant", content="")
    await exchange.done(finish=None)


async def only_thinks(exchange: Exchange) -> None:
    await exchange.open()
    await exchange.delta(reasoning_content="hm")
    await exchange.done()


async def half_a_character(exchange: Exchange) -> None:
    """Sends one of the two halves that JSON escapes write a character in."""
    await exchange.open()
    await exchange.data(json.dumps(exchange.piece(content="an owl: \ud83e")).encode())
    await exchange.done()


async def same_index(exchange: Exchange) -> None:
    """Asks for two tools at once under one index, each whole, as Ollama did."""
    await exchange.open()
    if not exchange.answers:
        for number in range(2):
            function = {"name": "add", "arguments": json.dumps({"a": number, "b": 1})}
            call = {"index": 0, "id": f"call_{number}", "type": "function", "function": function}
            await exchange.delta(tool_calls=[call])
        await exchange.done("stop")
        return
    await exchange.delta(content=" ".join(exchange.answers))
    await exchange.done()


async def bare_call(exchange: Exchange) -> None:
    """Asks for a tool without the ids that OpenAI gives, and ends it in an old word."""
    await exchange.open()
    if not exchange.answers:
        call = {"index": 0, "function": {"name": "add", "arguments": '{"a": 1, "b": 1}'}}
        await exchange.delta(tool_calls=[call])
        await exchange.done("function_call")
        return
    await exchange.delta(content=exchange.answers[0])
    await exchange.done()


async def odd_arguments(exchange: Exchange) -> None:
    """Gives arguments that Python reads and that are no JSON, then right ones."""
    await exchange.open()
    tries = ['{"name": NaN}', '{"name": "\\ud83e"}', '{"name": "a.txt"}']
    if len(exchange.answers) < len(tries):
        await exchange.call(0, "files_read_v1", tries[len(exchange.answers)])
        await exchange.done("tool_calls")
        return
    await exchange.delta(content=" | ".join(exchange.answers))
    await exchange.done()


async def invents(exchange: Exchange) -> None:
    """Asks three times for a tool that there is not."""
    await exchange.open()
    if len(exchange.answers) < 3:
        await exchange.call(0, "no_such_tool", "{}")
        await exchange.done("tool_calls")
        return
    await exchange.delta(content="I give up")
    await exchange.done()


async def for_ever_limited(exchange: Exchange) -> None:
    await exchange.refuse("429 Too Many Requests", {"message": "later"}, f"retry-after: {10**20}")


async def moved_away(exchange: Exchange) -> None:
    """Sends its client on to where nobody listens."""
    await exchange.refuse("307 Temporary Redirect", {}, "location: http://127.0.0.1:9/v1/chat/completions")


async def lingers(exchange: Exchange) -> None:
    """Ends its answer, and never the transfer."""
    await exchange.open()
    await exchange.delta(content="done")
    await exchange.delta("stop")
    await exchange.data(b"[DONE]")
    await exchange.hang()


async def whole(exchange: Exchange) -> None:
    """Answers in one piece, as if no stream had been asked for."""
    await exchange.open("application/json")
    message = {"role": "assistant", "content": "all at once"}
    body = {**exchange.piece(), "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    await exchange.chunk(json.dumps(body).encode())
    await exchange.end()


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
        ends_with,
        begins_with_no_word,
        only_thinks,
        half_a_character,
        same_index,
        bare_call,
        odd_arguments,
        invents,
        for_ever_limited,
        moved_away,
        lingers,
        whole,
    )
} | {"uses_and_waits": uses}
