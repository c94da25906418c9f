"""Page tokens of the lists that the gateway pages itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.gateway.page_token import make_token, read_index, read_token
from penstock.wire.errors import InvalidArgument


@given(st.text(), st.text())
def test_a_token_leads_back_to_its_position(listing: str, position: str) -> None:
    """Whatever the position holds, the list that made the token reads it."""
    assert read_token(listing, make_token(listing, position)) == position


def test_a_token_of_another_list_is_refused() -> None:
    """A token means nothing in a list with other conditions."""
    with pytest.raises(InvalidArgument) as caught:
        read_token("messages b", make_token("messages a", "17"))
    assert [violation.field for violation in caught.value.violations] == ["page_token"]


@given(st.integers(0, 10**18 - 1))
def test_a_position_that_is_a_number_is_read_as_one(position: int) -> None:
    """Whatever of them a list can have."""
    assert read_index("messages a", make_token("messages a", str(position))) == position


@pytest.mark.parametrize("position", ["", "x", "-1", "²", "1.0", "9" * 19])
def test_a_forged_position_that_is_no_number_is_refused(position: str) -> None:
    """How tokens are made is no secret; a forged one is the caller's mistake and no fault of the server's."""
    with pytest.raises(InvalidArgument):
        read_index("messages a", make_token("messages a", position))


@given(st.text(max_size=40))
def test_any_other_text_is_refused_as_a_token(text: str) -> None:
    """Made-up and damaged tokens get INVALID_ARGUMENT and nothing worse."""
    with pytest.raises(InvalidArgument):
        read_token("agents", text)
