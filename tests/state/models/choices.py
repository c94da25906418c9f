"""What the machines choose from."""

from typing import Final

from hypothesis import strategies as st

# Which of the state processes is asked, where there are several.
REPLICA: Final = st.integers(0, 1)

# Whether to do what, done more often, would cut short all that could happen after it.
SELDOM: Final = st.sampled_from([False, False, False, False, False, True])
