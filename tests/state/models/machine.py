"""What all machines do to a store, whatever they compare."""

from __future__ import annotations

from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.state.house import House
from tests.state.models.choices import REPLICA, SELDOM
from tests.state.models.served import Served


class StoreMachine(RuleBasedStateMachine):
    """Ends and starts state processes, and lets them clear up, none of which anybody may notice."""

    def __init__(self, served: Served) -> None:
        super().__init__()
        self.served = served

    @rule(sure=SELDOM)
    def reopen(self, sure: bool) -> None:
        """Ends the state processes and starts others."""
        if sure:
            self.served.reopen()

    @rule(at=REPLICA)
    def sweep(self, at: int) -> None:
        """Does all that is to be done in the course of time."""

        async def swept(house: House) -> None:
            while await house.layer.store.sweep():
                pass

        self.served.ask(swept, at)
