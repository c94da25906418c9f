"""What penstockd says once it serves: what is where, and what to try next."""

import shutil
import sys
from pathlib import Path
from typing import Final

from penstock.executor.model.settings import AGENT_NAME, OPENAI_URL
from penstock.server.assemble import LAYERS, Mesh
from penstock.server.config import Config
from penstock.server.secrecy import without_secrets
from penstock.server.telemetry import Exports

# The one that the penstock command uses where none is given.
DEFAULT_ADDRESS: Final = "127.0.0.1:50051"


def banner(config: Config, mesh: Mesh, exports: Exports) -> str:
    """Returns the block that is printed on start."""
    lines = [f"penstockd {mesh.identity.version}  {config.service_name} ({config.environment})", ""]
    for listener in mesh.listeners:
        what = "gateway (the public door)" if listener.layers == ("gateway",) else ", ".join(listener.layers)
        lines.append(_row("serving", f"{listener.address}  {what}"))
    if mesh.admin is not None and config.admin_listen != "auto":
        lines.append(_row("serving", f"{mesh.admin}  administration of the store (penstock-admin)"))
    outside = {name for listener in mesh.listeners for name in listener.layers}
    inside = [name for name in config.hosted if name not in outside]
    if inside:
        lines.append(_row("in process", ", ".join(inside)))
    called = {callee for name in config.hosted for callee in LAYERS[name].calls if callee not in config.hosted}
    lines.extend(
        _row("calling", f"{name} at {without_secrets('', config.connect[name])}") for name in LAYERS if name in called
    )
    if "executor" in config.hosted:
        agents = ", ".join(_agents(config))
        lines.append(_row("agents", agents or "none; add one with --agent NAME=module:attribute"))
        if (model := config.settings.executor.model) is not None:
            lines.append(_row("model", f"{model.name} at {without_secrets('', model.url or OPENAI_URL)}"))
    if "tools" in config.hosted:
        lines.append(_row("tools", ", ".join(config.settings.tools.tools) or "none; add one with --tool module:attr"))
    if "orchestrator" in config.hosted and config.settings.orchestrator.workflows:
        lines.append(_row("workflows", ", ".join(map(str, config.settings.orchestrator.workflows))))
    if "state" in config.hosted:
        lines.append(_row("state", without_secrets("", config.settings.state.url)))
    if exports.metrics_address is not None:
        lines.append(_row("metrics", f"http://{exports.metrics_address}/metrics"))
    exported = [("traces", exports.traces), ("metrics", exports.metrics)]
    ways = [f"{what} by {' and '.join(exporters)}" for what, exporters in exported if exporters]
    if ways:
        lines.append(_row("exporting", ", ".join(ways)))
    waiting = [f"{name}: {ready.reason}" for name, ready in mesh.readiness.items() if ready.reason]
    lines.append(_row("ready", "yes" if not waiting else "not yet; " + " | ".join(waiting)))
    return "\n".join([*lines, "", *_next(config, mesh), ""])


def _next(config: Config, mesh: Mesh) -> list[str]:
    address = str(mesh.address)
    curl = f"{_command('buf')} curl --protocol grpc --http2-prior-knowledge http://{address}"
    if "gateway" not in config.hosted:
        return ["Try:", f"  {curl} --list-services"] if config.features["reflection"] else []
    where = "" if address == DEFAULT_ADDRESS else f" --address {address}"
    agents = _agents(config) if "executor" in config.hosted else []
    which = f" --agent {agents[-1]}" if len(agents) > 1 else ""
    penstock = _command("penstock")
    tries = [f'  {penstock} run "…"{which}{where}', f"  {penstock} status{where}", f"  {penstock} --help"]
    if config.features["reflection"]:
        tries.append(f"  {curl} --list-services")
    return ["Try:", *tries, "Stop with Ctrl-C: runs in progress are finished first."]


def _agents(config: Config) -> list[str]:
    settings = config.settings.executor
    return sorted([*settings.agents, *([AGENT_NAME] if settings.model is not None else [])])


def _command(name: str) -> str:
    """Returns how to call a command that came with this one: by name, or by path where the shell would not find it."""
    beside = Path(sys.argv[0]).with_name(name)
    if shutil.which(name) is not None or not beside.exists():
        return name
    return str(beside.relative_to(Path.cwd())) if beside.is_relative_to(Path.cwd()) else str(beside)


def _row(name: str, value: str) -> str:
    return f"  {name:<11}{value}"
