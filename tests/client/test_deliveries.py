"""The books of a subscription: what is asked for again, and how little of the past they keep."""

from penstock.client.deliveries import Deliveries
from penstock.v1.event_pb2 import DeliveredEvent


def work_off(books: Deliveries, first: int, last: int) -> None:
    """Receives, hands out and settles positions one after the other."""
    for position in range(first, last + 1):
        assert books.receive([DeliveredEvent(position=position)]) == []
        given = books.hand_out()
        assert given is not None
        books.settle(given.position)


def test_the_past_is_forgotten_but_for_what_may_be_under_way() -> None:
    """A group that stays needs the newest answers only, an own one none before the first that is open."""
    for own_group in (False, True):
        books = Deliveries(10, own_group=own_group)
        books.joined(1)
        work_off(books, 1, 10_000)
        assert books.resume_at == 10_001
        assert books.recently_done[-1] == 10_000
        assert len(books.recently_done) <= 10
        assert books.receive([DeliveredEvent(position=10_000)]) == [10_000]
        assert books.receive([DeliveredEvent(position=5)]) == []  # long ago: whoever sends it means it


def test_an_own_group_remembers_what_was_done_after_what_is_held() -> None:
    """It begins again at what is held, and gets all of it once more."""
    books = Deliveries(10, own_group=True)
    books.joined(1)
    books.receive([DeliveredEvent(position=1)])
    assert books.hand_out() is not None
    work_off(books, 2, 500)
    assert books.resume_at == 1
    assert books.receive(DeliveredEvent(position=position) for position in range(1, 502)) == list(range(2, 501))
    new = books.hand_out()
    assert new is not None
    assert new.position == 501


def test_positions_that_a_store_gives_anew_are_new_events() -> None:
    """A store that lost its newest goes on with numbers it gave before; what they name now is not what was done."""
    books = Deliveries(10, own_group=False)
    books.joined(1)
    work_off(books, 1, 5)
    books.receive(DeliveredEvent(position=position) for position in (6, 7))
    held = books.hand_out()
    assert held is not None
    books.joined(4)
    assert books.recently_done == [1, 2, 3]
    assert not books.is_held(held.position)
    assert books.hand_out() is None
    work_off(books, 4, 7)


def test_what_failed_is_expected_again() -> None:
    """An own group begins again at it, until it has come."""
    books = Deliveries(10, own_group=True)
    books.joined(7)
    assert books.resume_at == 7
    books.receive([DeliveredEvent(position=7), DeliveredEvent(position=8)])
    for _ in range(2):
        books.hand_out()
    books.fail(7)
    books.settle(8)
    assert (books.resume_at, books.is_held(7)) == (7, False)
    books.receive([DeliveredEvent(position=7, delivery=2)])
    again = books.hand_out()
    assert again is not None
    assert (again.position, again.delivery) == (7, 2)
    books.settle(7)
    assert books.resume_at == 9
