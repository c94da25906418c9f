"""`penstockd`: the command that hosts any of the five layers."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.server.identity import installed_version, new_identity

# Each paragraph begins with the mark that keeps its line breaks.
EXAMPLES = """
\b
Examples:

\b
  penstockd --app-dir examples --agent echo=echo:echo
    all five layers in this process, the door at 127.0.0.1:50051, state in ./penstock.db

\b
  penstockd --layers state --listen 127.0.0.1:50055
  penstockd --layers tools --listen 127.0.0.1:50054 --app-dir examples --tool text_tools:TOOLS
    one layer each, in a process of its own

\b
  penstockd --layers executor --listen 127.0.0.1:50053 --app-dir examples --agent echo=echo:echo \\
            --connect state=127.0.0.1:50055 --connect tools=127.0.0.1:50054
    a layer that calls others: it is told where they are

\b
  penstockd --state redis://127.0.0.1:6379 --app-dir examples --agent echo=echo:echo
    the store on a Redis or Valkey; a password, if it needs one, goes into PENSTOCK_STATE=redis://:PASSWORD@HOST:6379

\b
  penstockd --model llama3.2 --model-url http://127.0.0.1:11434/v1
    the agent `model`: any OpenAI-compatible server; the key, if it needs one, comes from OPENAI_API_KEY

\b
  PENSTOCK_LAYERS__EXECUTOR__CONCURRENCY=50 penstockd --print-config
    the configuration that a process would have, secrets hidden, and where each value comes from

\b
Configuration comes from penstock.toml, then PENSTOCK_… variables, then flags; later ones win.
Exit codes: 0 stopped cleanly, 1 failed, 2 the configuration has mistakes.
"""

FAILED = 1
MISCONFIGURED = 2

Many = list[str]


def main() -> None:
    """Runs `penstockd`."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(help="Hosts Penstock's layers: all five, or those named by --layers.", epilog=EXAMPLES)(penstockd)
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"penstockd {installed_version()}")
        raise typer.Exit


def penstockd(
    layers: Annotated[str | None, typer.Option(help="Layers to host, with commas between.")] = None,
    listen: Annotated[
        str | None, typer.Option(help="Where the door (or, without gateway, the layers) listens.")
    ] = None,
    inner_listen: Annotated[str | None, typer.Option(help="Where the other layers listen beside a gateway.")] = None,
    admin_listen: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where the store is administered; default: beside its file.")
    ] = None,
    metrics_listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where Prometheus can fetch metrics, at /metrics.")
    ] = None,
    connect: Annotated[Many | None, typer.Option(metavar="LAYER=TARGET", help="Where a called layer is.")] = None,
    agent: Annotated[Many | None, typer.Option(metavar="NAME=MODULE:ATTR", help="An agent for the executor.")] = None,
    tool: Annotated[Many | None, typer.Option(metavar="MODULE:ATTR", help="A tool for the tools layer.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="A chat model, served as the agent `model`.")
    ] = None,
    model_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Its OpenAI-compatible server, as in http://127.0.0.1:11434/v1.")
    ] = None,
    workflow: Annotated[Many | None, typer.Option(metavar="FILE", help="A named plan for the orchestrator.")] = None,
    state: Annotated[
        str | None, typer.Option(metavar="URL", help="The store: sqlite:///FILE, redis://HOST or redis+cluster://HOST.")
    ] = None,
    app_dir: Annotated[str | None, typer.Option(help="Directory from which agents and tools are imported.")] = None,
    reflection: Annotated[bool | None, typer.Option(help="Let tools list and describe the services.")] = None,
    drain_seconds: Annotated[str | None, typer.Option(help="Most seconds to wait for work when stopping.")] = None,
    loop: Annotated[str | None, typer.Option(help="uvloop or asyncio.")] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    config: Annotated[
        str | None, typer.Option(envvar="PENSTOCK_CONFIG", metavar="FILE", help="A TOML file; else ./penstock.toml.")
    ] = None,
    print_config: Annotated[bool, typer.Option("--print-config", help="Print the configuration and stop.")] = False,
    ready_file: Annotated[
        Path | None, typer.Option(envvar="PENSTOCK_READY_FILE", help="Write this file once serving (JSON).")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    flags = (
        ("--layers", "layers", layers),
        ("--listen", "listen", listen),
        ("--inner-listen", "inner_listen", inner_listen),
        ("--admin-listen", "admin_listen", admin_listen),
        ("--metrics-listen", "metrics_listen", metrics_listen),
        ("--connect", "connect", connect),
        ("--agent", "agents", agent),
        ("--tool", "tools", tool),
        ("--model", "model.name", model),
        ("--model-url", "model.url", model_url),
        ("--workflow", "workflows", workflow),
        ("--state", "state", state),
        ("--app-dir", "app_dir", app_dir),
        ("--no-reflection" if reflection is False else "--reflection", "features.reflection", reflection),
        ("--drain-seconds", "drain_seconds", drain_seconds),
        ("--loop", "loop", loop),
        ("--log-format", "log.format", log_format),
        ("--log-level", "log.level", log_level),
    )
    raise typer.Exit(_run(flags, config, print_config, ready_file))


def _run(flags: tuple[tuple[str, str, Any], ...], file: str | None, print_config: bool, ready_file: Path | None) -> int:
    # Imported late, so that help and completion do not wait for grpc.
    from penstock.server.assemble import CALLS, NotStarted
    from penstock.server.config import make_config
    from penstock.server.host import NotListening
    from penstock.server.logs import set_up_logs
    from penstock.server.option import ConfigError
    from penstock.server.serve import serve
    from penstock.server.show_config import shown
    from penstock.server.sources import from_environment, from_file, from_flags
    from penstock.server.telemetry import read_telemetry
    from penstock.server.telemetry_export import NotExporting, exporting, resource_facts

    in_file, mistakes = from_file(file, Path())
    telemetry, more_mistakes = read_telemetry(os.environ)
    mistakes += more_mistakes
    try:
        config = make_config([*in_file, *from_environment(os.environ), *from_flags(flags)], mistakes, CALLS)
    except ConfigError as error:
        return _end(error, MISCONFIGURED)
    if print_config:
        typer.echo(shown(config))
        return 0
    set_up_logs(config.log_format, config.log_level)
    # As a directory to import from, like the one of a script that Python runs.
    sys.path.insert(0, str(config.app_dir.resolve()))
    identity = new_identity()
    try:
        with (
            exporting(telemetry, config.metrics_listen, resource_facts(config, identity)) as exports,
            asyncio.Runner(loop_factory=_loop_factory(config.loop)) as runner,
        ):
            runner.run(serve(config, identity=identity, exports=exports, ready_file=ready_file, say=_say))
    except NotExporting as error:
        return _end(error, MISCONFIGURED)
    except NotListening as error:
        return _end(error, FAILED)
    except NotStarted as error:
        return _end(error, MISCONFIGURED if error.by_configuration else FAILED)
    except (asyncio.CancelledError, KeyboardInterrupt):
        typer.echo(
            "penstockd: stopped at once, as told; the next start brings each run that was going to its end", err=True
        )
        return FAILED
    return 0


def _end(error: Exception, code: int) -> int:
    typer.echo(f"penstockd: {error}", err=True)
    return code


def _say(text: str) -> None:
    # To standard output, which the log on standard error leaves alone.
    typer.echo(text)


def _loop_factory(loop: str) -> Any:
    if loop == "uvloop":
        try:
            import uvloop
        except ImportError:  # there is none for Windows
            return None
        return uvloop.new_event_loop
    return None
