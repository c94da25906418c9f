"""The examples do what they say, on real and on awkward texts."""

from pathlib import Path

import pytest

from penstock.v1 import run_event_pb2 as events
from penstock.wire.status import reason_of

TEXT = (Path(__file__).parents[2] / "examples/texts/penstock.txt").read_text()
HINDI = "\u0928\u0926\u0940 \u092c\u0939\u0924\u0940 \u0939\u0948\u0964 "
CHINESE = "\u6cb3\u6d41\u5e26\u7740\u80fd\u91cf\u3002\u6c34\u4ece\u9ad8\u5904\u843d\u4e0b\uff01"


def text_of(log):
    return "".join(event.token.text for event in log)


async def test_a_summary_is_made_of_the_texts_own_sentences_through_tools(play):
    """Three tools, progress to the end, words streamed one by one, and a plain word about what it is."""
    log = await play("summarise", TEXT)
    called = {event.tool_call.tool for event in log if event.HasField("tool_call")}
    assert called == {"split_sentences", "rank_sentences", "text_statistics"}
    results = [event.tool_result.outcome for event in log if event.HasField("tool_result")]
    assert results == [events.TOOL_OUTCOME_SUCCEEDED] * 3
    progress = [event.progress.fraction for event in log if event.HasField("progress")]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    introduction, *sentences = [line for line in text_of(log).splitlines() if line]
    assert introduction.startswith("An extractive summary: 5 of the text's 51 sentences")
    assert "No language model was used." in introduction
    whole = " ".join(TEXT.split())
    assert len(sentences) == 5
    assert all(sentence in whole for sentence in sentences)
    places = [whole.index(sentence) for sentence in sentences]
    assert places == sorted(places)
    assert sum(event.HasField("token") for event in log) > 100
    assert log[-1].step_finished.output[0].text == text_of(log)


@pytest.mark.parametrize(
    "text",
    [
        "One sentence only",
        "Hello. ",
        "\u2026",
        "?!",
        "word " * 5_000,
        HINDI * 30,
        CHINESE * 30,
        "a\0b. c\rd.",
        "x" * 9_999,
    ],
)
async def test_any_text_gets_a_summary(play, text):
    """One sentence, no punctuation, no spaces, other scripts, control characters."""
    log = await play("summarise", text)
    assert log[-1].step_finished.outcome == events.STEP_OUTCOME_SUCCEEDED
    assert "No language model was used." in text_of(log)


async def test_a_text_of_a_mebibyte_is_summarised_and_says_what_was_read(play):
    """The work is bounded, and honest about it."""
    text = (TEXT * (1024 * 1024 // len(TEXT) + 1))[: 1024 * 1024]
    said = text_of(await play("summarise", text))
    assert "the first 400 were ranked" in said
    assert "Only the first 150,000 of its 1,048,576 characters were read." in said


async def test_one_sentence_is_told_in_the_singular(play):
    """As is one word."""
    log = await play("summarise", "Hello.")
    assert "the text's only sentence (1 word), word for word" in text_of(log)
    assert "ranking 1 sentence" in [event.progress.message for event in log]


async def test_a_blank_text_is_refused_in_words(play):
    """There is nothing to summarise."""
    end = (await play("summarise", "  \n "))[-1].step_finished
    assert (end.error.message, reason_of(end.error)) == ("there is no text to summarise", "EMPTY_TEXT")


async def test_echo_gives_back_its_task(play):
    """The ten lines of the first page."""
    assert text_of(await play("echo", "the river falls")) == "the river falls "


def test_sentences_are_split_where_people_would_split_them():
    """Numbers, addresses, abbreviations, initials and quotes stay whole."""
    from text_tools import split_sentences

    text = 'It fell 3.5 m at example.org. Dr. Smith saw it. J. Smith too! "Really?" she said.\n\nHead line\n\nEnd.'
    assert split_sentences(text)["sentences"] == [
        "It fell 3.5 m at example.org.",
        "Dr. Smith saw it.",
        "J. Smith too!",
        '"Really?" she said.',
        "Head line",
        "End.",
    ]
    assert split_sentences(CHINESE)["total"] == 2
    assert split_sentences(HINDI * 2)["total"] == 2


def test_the_sentence_that_shares_most_with_the_others_ranks_first():
    """TextRank on four sentences of which one is about all others."""
    from text_tools import rank_sentences

    sentences = [
        "Water falls through the penstock.",
        "The penstock leads water onto turbines that drive generators.",
        "Generators make current.",
        "Turbines drive ships as well.",
        "Nobody knows.",
    ]
    scores = rank_sentences(sentences)["scores"]
    assert max(range(5), key=scores.__getitem__) == 1
    assert min(range(5), key=scores.__getitem__) == 4
