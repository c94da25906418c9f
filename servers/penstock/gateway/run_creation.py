"""The one way in which a run comes into being."""

from dataclasses import dataclass

from penstock.gateway.caller import current_tenant
from penstock.gateway.neighbours import Neighbours
from penstock.gateway.patience import time_until
from penstock.gateway.run_errors import NOTHING_RECORDED, naming
from penstock.gateway.settings import GatewaySettings
from penstock.gateway.validate import check_spec
from penstock.v1.orchestrator_pb2 import StartRunRequest, StartRunResponse
from penstock.v1.run_pb2 import RunSpec
from penstock.wire.ids import random_id, run_id_for


@dataclass(frozen=True, slots=True)
class RunCreation:
    """Makes runs of what callers ask for."""

    settings: GatewaySettings
    neighbours: Neighbours

    async def create(self, spec: RunSpec, *, present: bool, give_up_at: float | None) -> StartRunResponse:
        """Checks the spec, names the run, and has it recorded and started; the same key names the same run.

        `present` tells whether the request has a spec; `give_up_at` is the loop time at which to stop waiting.

        Raises:
            PenstockError: as the contract says; with the run's name when the run is there, or may be because its
                recording was not answered.
        """
        check_spec(spec, present=present)
        key = spec.idempotency_key
        run_id = run_id_for(current_tenant(), key) if key else random_id("run")
        with naming(run_id, unless=NOTHING_RECORDED):
            return await self.neighbours.orchestrator.StartRun(
                StartRunRequest(run_id=run_id, spec=spec),
                timeout=time_until(give_up_at, self.settings.start_timeout),
            )
