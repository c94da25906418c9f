"""The checker: what it explains, and what it must not."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from typing import Any

import pytest

from tests.linearizability.checker import UNKNOWN, Operation, check
from tests.linearizability.conversations import Append, ConversationModel, Read
from tests.linearizability.history import History, TooLittle
from tests.linearizability.registers import Delete, Get, RegisterModel, Set, Swap


def op(begin: float, end: float, action: object, answer: object) -> Operation:
    return Operation(f"client-{begin}", action, answer, begin, end)


EXPLAINED = {
    "nothing": [],
    "one after another": [op(1, 2, Set(b"a"), 5), op(3, 4, Get(), (b"a", 5))],
    "a read that overlaps a write sees the old": [op(1, 4, Set(b"a"), 5), op(2, 3, Get(), None)],
    "a read that overlaps a write sees the new": [op(1, 4, Set(b"a"), 5), op(2, 3, Get(), (b"a", 5))],
    "an unknown write that was done": [op(1, float("inf"), Set(b"a"), UNKNOWN), op(2, 3, Get(), (b"a", 9))],
    "an unknown write that was not": [op(1, float("inf"), Set(b"a"), UNKNOWN), op(2, 3, Get(), None)],
    "an unknown write that was done late": [
        op(1, float("inf"), Set(b"a"), UNKNOWN),
        op(2, 3, Get(), None),
        op(4, 5, Get(), (b"a", 9)),
    ],
    "swaps of which the later loses": [
        op(1, 2, Set(b"a"), 5),
        op(3, 6, Swap(b"b", 5), (True, 6)),
        op(4, 5, Swap(b"c", 5), (False, 6)),
    ],
    "deleted and made anew": [
        op(1, 2, Set(b"a"), 5),
        op(3, 4, Delete(5), (True, 0)),
        op(5, 6, Swap(b"b", 0), (True, 7)),
        op(7, 8, Swap(b"c", 5), (False, 7)),
    ],
}

UNEXPLAINED = {
    "a read of what nobody wrote": [op(1, 2, Get(), (b"a", 5))],
    "a stale read": [op(1, 2, Set(b"a"), 5), op(3, 4, Get(), None)],
    "a read that goes back": [
        op(1, 9, Set(b"a"), 5),
        op(2, 3, Get(), (b"a", 5)),
        op(4, 5, Get(), None),
    ],
    "two winners of one version": [
        op(1, 2, Set(b"a"), 5),
        op(3, 6, Swap(b"b", 5), (True, 6)),
        op(4, 5, Swap(b"c", 5), (True, 7)),
    ],
    "a lost write": [op(1, 2, Set(b"a"), 5), op(3, 4, Set(b"b"), 6), op(5, 6, Get(), (b"a", 5))],
    "an old version that wins after a delete": [
        op(1, 2, Set(b"a"), 5),
        op(3, 4, Delete(0), (True, 0)),
        op(5, 6, Swap(b"b", 5), (True, 6)),
    ],
    "a version that does not grow across a delete": [
        op(1, 2, Set(b"a"), 5),
        op(3, 4, Delete(0), (True, 0)),
        op(5, 6, Set(b"b"), 5),
    ],
    "an unknown write seen and then gone": [
        op(1, float("inf"), Set(b"a"), UNKNOWN),
        op(2, 3, Get(), (b"a", 9)),
        op(4, 5, Get(), None),
    ],
    "an unknown write before it was asked": [
        op(1, 2, Get(), (b"a", 9)),
        op(3, float("inf"), Set(b"a"), UNKNOWN),
    ],
}


@pytest.mark.parametrize("history", EXPLAINED.values(), ids=EXPLAINED)
def test_what_one_order_explains_is_linearizable(history: list[Operation]) -> None:
    """Each with the order that does."""
    verdict = check(history, RegisterModel())
    assert verdict.explained, f"{verdict}"


@pytest.mark.parametrize("history", UNEXPLAINED.values(), ids=UNEXPLAINED)
def test_what_no_order_explains_is_not(history: list[Operation]) -> None:
    """The verdict tells which operations can't come next."""
    verdict = check(history, RegisterModel())
    assert not verdict.explained
    assert verdict.stuck
    assert "not linearizable" in f"{verdict}"


class Counting:
    """A counter, whose answers are what it has counted so far."""

    def begin(self) -> int:
        return 0

    def after(self, state: int, action: str, answer: object) -> Iterable[int]:
        return (state + 1,) if answer in (UNKNOWN, state) else ()


@pytest.mark.parametrize("number", range(20))
def test_a_real_order_is_found_among_many_that_overlap(number: int) -> None:
    """Hundreds of operations of ten clients, some without an answer; two answers exchanged over time are noticed."""
    chance = random.Random(number)
    moments = [number + chance.random() for number in range(300)]
    history = []
    for counted, moment in enumerate(moments):
        lost = chance.random() < 0.02
        end = float("inf") if lost else moment + 5 * chance.random()
        history.append(op(moment - 5 * chance.random(), end, "add", UNKNOWN if lost else counted))
    assert check(history, Counting()).explained
    apart = [place for place in (100, 200) if history[place].answer is not UNKNOWN]
    if len(apart) == 2:
        one, two = (history[place] for place in apart)
        history[100] = op(one.begin, one.end, "add", two.answer)
        history[200] = op(two.begin, two.end, "add", one.answer)
        assert not check(history, Counting()).explained


@pytest.mark.parametrize("number", range(4))
def test_the_search_finds_what_trying_all_orders_finds(number: int) -> None:
    """In small histories of a conversation, right and wrong ones, whatever the model knows of the answers."""
    chance = random.Random(number)
    verdicts = set()
    for _ in range(150):
        history = made_up_conversation(chance)
        explained = any_order_explains(history, ConversationModel())
        assert check(history, ConversationModel()).explained is explained, history
        assert check(history, ConversationModel.of(history)).explained is explained, history
        verdicts.add(explained)
    assert verdicts == {True, False}


def made_up_conversation(chance: random.Random) -> list[Operation]:
    """Operations at random times, with answers that fit some state, or with none."""
    times = chance.sample(range(100), 10)
    state: tuple[str, ...] = ()
    history: list[Operation] = []
    for number, (begin, end) in enumerate(sorted(pair) for pair in zip(times[::2], times[1::2], strict=True)):
        answer: object = UNKNOWN
        if chance.random() < 0.4:
            action: Append | Read = Read()
            answer = state if chance.random() < 0.8 else state[:-1]
        else:
            action = Append((f"m{number}",), chance.choice([None, None, len(state)]))
            if chance.random() < 0.6:
                answer = (True, (len(state),), len(state) + 1)
            if answer is not UNKNOWN or chance.random() < 0.5:
                state = (*state, f"m{number}")
        known = answer is not UNKNOWN
        history.append(op(begin, end if known else float("inf"), action, answer))
    return history


def any_order_explains(history: list[Operation], model: ConversationModel) -> bool:
    """Tries all orders of all that was answered and of any of the rest."""
    for count in range(len(history) + 1):
        for order in itertools.permutations(history, count):
            if any(each.answer is not UNKNOWN and each not in order for each in history):
                continue
            if any(later.end < each.begin for place, each in enumerate(order) for later in order[place:]):
                continue
            states: set[Any] = {model.begin()}
            for each in order:
                states = {after for state in states for after in model.after(state, each.action, each.answer)}
            if states:
                return True
    return False


async def test_a_history_in_which_too_little_happened_proves_nothing() -> None:
    """It fails, although it is linearizable."""
    history = History()
    for number in range(30):
        async with history.asking("client", {"key": Set(b"%d" % number)}) as asked:
            asked.answers, asked.did = {"key": number + 1}, True
    history.verify(RegisterModel())
    for wanted in ({"done": 31}, {"unknown": 1}):
        with pytest.raises(TooLittle):
            history.verify(RegisterModel(), **wanted)
    history.outcomes["unknown"] += 1
    with pytest.raises(TooLittle):
        history.verify(RegisterModel())
