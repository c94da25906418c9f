"""An agent without a model: it summarises its task, a text, by the sentences that say most.

penstockd --app-dir examples --agent summarise=summarise:summarise --tool text_tools:TOOLS
"""

import asyncio
import re
from collections.abc import AsyncGenerator

from penstock.executor import AgentContext, AgentError, AgentEvent, Progress

# What is read of a long text: far more than the sentences that are ranked, and less than a tool's arguments may hold.
MOST_CHARACTERS = 150_000
MOST_CHOSEN = 7
# A word as it is streamed; scripts without spaces come in short pieces.
WORD = re.compile(r"\S{1,24}\s*")


async def summarise(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Summarises a text by its most telling sentences (TextRank); no language model is involved."""
    if not task.strip():
        raise AgentError("there is no text to summarise", reason="EMPTY_TEXT")
    text = task[:MOST_CHARACTERS]

    yield Progress("reading the text", 0.0)
    statistics, split = await asyncio.gather(
        context.call_tool("text_statistics", text=text), context.call_tool("split_sentences", text=text)
    )
    sentences = split["sentences"]
    if not sentences:
        raise AgentError("the text holds no sentence", reason="EMPTY_TEXT")

    yield Progress(f"ranking {_count(len(sentences), 'sentence')}", 0.3)
    ranking = await context.call_tool("rank_sentences", sentences=sentences[:400])
    chosen = _choose(ranking["scores"])

    yield Progress(f"telling {len(chosen)} of them", 0.6)
    yield _introduction(len(chosen), ranking["ranked"], split["total"], statistics["words"])
    if len(task) > len(text):
        yield f"Only the first {len(text):,} of its {len(task):,} characters were read. "
    yield "\n\n"
    for index in chosen:
        for word in WORD.findall(sentences[index]):
            yield word
        yield "\n"
    yield Progress("done", 1.0)


def _introduction(chosen: int, ranked: int, total: int, words: int) -> str:
    ranked_of = f"; the first {ranked} were ranked" if ranked < total else ""
    told = "the text's only sentence" if total == 1 else f"{chosen} of the text's {total} sentences"
    return (
        f"An extractive summary: {told} ({_count(words, 'word')}), word for word, chosen by "
        f"TextRank{ranked_of}. No language model was used. "
    )


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _choose(scores: list[float]) -> list[int]:
    """Picks about a tenth of the sentences, the best ones, in the order of the text."""
    wanted = max(1, min(MOST_CHOSEN, round(len(scores) / 10)))
    if len(scores) > 3:
        wanted = max(2, wanted)
    best = sorted(range(len(scores)), key=lambda index: (-scores[index], index))[:wanted]
    return sorted(best)
