"""Tools that look at a text: its sentences, their rank, its numbers. They only read, so their effect is none.

penstockd --tool examples.text_tools:TOOLS
"""

import math
import re
from typing import Any

from penstock.tools import ToolError, tool

# TextRank compares every sentence with every other, so its cost grows with the square of their number.
MOST_RANKED = 400
MOST_SENTENCES = 2_000
# A sentence is cut here, so that a text without any punctuation still comes out as readable pieces.
MOST_CHARACTERS = 600

# What may follow the end of a sentence and belongs to it: quotes and brackets, straight, curved, angled and cornered.
_CLOSING = "[\"')\\]\u00bb\u2019\u201d\u300d\u300f\uff09]*"
# The ends of sentences. Latin, Arabic, Urdu and Devanagari ones need a space after them, so that 3.5 and example.org
# stay whole; those of Chinese and Japanese, which put none, do not.
_END = re.compile(rf"(?:[.!?\u2026\u061f\u06d4\u0964]+{_CLOSING}(?=\s|$)|[\u3002\uff01\uff1f\uff61]+{_CLOSING})")
_QUOTE = re.compile("[\"'\u00bb\u2019\u201d]$")
_BLANK_LINE = re.compile(r"\n\s*\n")
_WORD = re.compile(r"\w+")
# Abbreviations after which a sentence rarely ends, and single initials as in "J. Smith".
_GOES_ON = re.compile(r"(?:^|\W)(?:\w|[DM]rs?|Ms|St|Prof|vs|e\.g|i\.e|approx|ca|cf|Fig|No|z\.B|bzw|usw)\.$")


@tool(effect="none", timeout=10)
def split_sentences(text: str) -> dict[str, Any]:
    """Splits a text into sentences.

    Returns `sentences`, the first 2,000 of them, and `total`, how many there are.
    """
    sentences = [sentence for block in _BLANK_LINE.split(text) for sentence in _sentences_of(block)]
    return {"sentences": sentences[:MOST_SENTENCES], "total": len(sentences)}


@tool(effect="none", timeout=20)
def rank_sentences(sentences: list[str], iterations: int = 50, damping: float = 0.85) -> dict[str, Any]:
    """Scores sentences by how much they share with the others (TextRank), the first 400 of them.

    Returns `scores`, one for each ranked sentence, around 1, and `ranked`, how many were ranked.
    Source: R. Mihalcea and P. Tarau, "TextRank: Bringing Order into Texts", EMNLP 2004.
    """
    if not 0 < damping < 1:
        raise ToolError(f"damping is {damping}; it must lie between 0 and 1")
    votes = _votes([_content_words(sentence) for sentence in sentences[:MOST_RANKED]])
    scores = [1.0] * len(votes)
    for _ in range(max(1, min(iterations, 200))):
        moved = [(1 - damping) + damping * sum(scores[j] * share for j, share in row) for row in votes]
        change = max((abs(new - old) for new, old in zip(moved, scores, strict=True)), default=0.0)
        scores = moved
        if change < 1e-4:
            break
    return {"scores": [round(score, 6) for score in scores], "ranked": len(scores)}


@tool(effect="none", timeout=10)
def text_statistics(text: str) -> dict[str, Any]:
    """Counts a text's characters, words, different words and paragraphs, and estimates the minutes it takes to read."""
    words = _WORD.findall(text.casefold())
    return {
        "characters": len(text),
        "words": len(words),
        "different_words": len(set(words)),
        "paragraphs": sum(1 for block in _BLANK_LINE.split(text) if block.strip()),
        "reading_minutes": round(len(words) / 230, 1),
    }


TOOLS = [split_sentences, rank_sentences, text_statistics]


def _sentences_of(block: str) -> list[str]:
    sentences: list[str] = []
    begin = 0
    for end in _END.finditer(block):
        if end.group() == "." and _GOES_ON.search(block, max(begin, end.end() - 12), end.end()):
            continue
        if _QUOTE.search(end.group()) and block[end.end() : end.end() + 8].lstrip()[:1].islower():
            continue  # "Really?" she said.
        sentences += _pieces(block[begin : end.end()])
        begin = end.end()
    return sentences + _pieces(block[begin:])


def _pieces(sentence: str) -> list[str]:
    text = " ".join(sentence.split())
    pieces: list[str] = []
    while len(text) > MOST_CHARACTERS:
        cut = text.rfind(" ", 1, MOST_CHARACTERS)
        cut = cut if cut > 0 else MOST_CHARACTERS
        pieces.append(text[:cut])
        text = text[cut:].lstrip()
    return [*pieces, text] if text else pieces


def _content_words(sentence: str) -> frozenset[str]:
    # The paper keeps nouns and adjectives. Without a tagger for every language: all words but the shortest, which are
    # mostly the ones that say little; scripts without spaces give pairs of characters instead.
    words: set[str] = set()
    for word in _WORD.findall(sentence.casefold()):
        if word[0] >= "\u2e80":
            words.update(word[at : at + 2] for at in range(max(1, len(word) - 1)))
        elif len(word) > 3:
            words.add(word)
    return frozenset(words)


def _votes(words: list[frozenset[str]]) -> list[list[tuple[int, float]]]:
    """Returns, for each sentence, which others vote for it and with which part of their score."""
    # Shared words divided by the logarithms of the lengths, as in the paper, so that length alone does not win. One is
    # added to each length, because the logarithm of a single word is 0.
    sizes = [math.log(1 + len(own)) for own in words]
    weights: list[dict[int, float]] = [{} for _ in words]
    for i, own in enumerate(words):
        for j in range(i):
            shared = len(own & words[j])
            if shared:
                weights[i][j] = weights[j][i] = shared / (sizes[i] + sizes[j])
    given = [sum(row.values()) for row in weights]
    return [[(j, weight / given[j]) for j, weight in row.items()] for row in weights]
