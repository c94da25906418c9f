"""Where configuration comes from, what is said about mistakes in it, and how it is shown."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from penstock.server.assemble import CALLS, LAYERS
from penstock.server.config import Config, make_config
from penstock.server.option import ConfigError
from penstock.server.options import LAYER_NAMES, SETTINGS, TOP_KEYS
from penstock.server.secrecy import HIDDEN
from penstock.server.show_config import shown
from penstock.server.sources import from_environment, from_file, from_flags


def configured(
    toml: str = "", environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Config:
    """Makes a configuration from a file, variables and flags."""
    directory = Path(__file__).parent
    in_file, mistakes = from_file(None, directory)
    if toml:
        in_file, mistakes = from_file(toml, directory)
    triples = [(f"--{key}", key, value) for key, value in (flags or {}).items()]
    return make_config([*in_file, *from_environment(environment or {}), *from_flags(triples)], mistakes, CALLS)


def written(tmp_path: Path, text: str) -> str:
    """Writes a TOML file and returns its name."""
    file = tmp_path / "mesh.toml"
    file.write_text(text)
    return str(file)


def mistakes_of(error: ConfigError) -> dict[str, tuple[str, str]]:
    """Returns each mistake's origin and text by its key."""
    return {mistake.key: (mistake.origin, mistake.text) for mistake in error.mistakes}


def test_without_any_configuration_all_five_layers_are_hosted_at_the_usual_address() -> None:
    """`penstockd` alone is a whole mesh."""
    config = configured()
    assert config.hosted == ("gateway", "orchestrator", "executor", "tools", "state")
    assert str(config.listen) == "127.0.0.1:50051"


def test_the_environment_wins_over_the_file_and_flags_win_over_both(tmp_path: Path) -> None:
    """Each value comes from the most particular place that names it, and is traced to it."""
    file = written(tmp_path, 'service_name = "f"\nenvironment = "f"\ntenant = "f"\n')
    config = configured(file, {"PENSTOCK_ENVIRONMENT": "e", "PENSTOCK_TENANT": "e"}, {"tenant": "flag"})
    assert (config.service_name, config.environment, config.tenant) == ("f", "e", "flag")
    assert config.origins["service_name",] == file
    assert config.origins["environment",] == "PENSTOCK_ENVIRONMENT"
    assert config.origins["tenant",] == "--tenant"


def test_tables_merge_and_lists_replace(tmp_path: Path) -> None:
    """An agent named by a flag joins those of the file; a list of tools given later is the list."""
    file = written(tmp_path, 'tools = ["a:b", "c:d"]\n[agents]\none = "a:one"\n"two.b" = "a:two"\n')
    config = configured(file, {"PENSTOCK_TOOLS": "e:f, g:h"}, {"agents": ["two.b=x:y", "three=x:z"]})
    assert config.settings.executor.agents == {"one": "a:one", "two.b": "x:y", "three": "x:z"}
    assert config.settings.tools.tools == ("e:f", "g:h")


def test_a_layers_own_settings_are_reached_by_file_and_by_environment(tmp_path: Path) -> None:
    """Two underscores stand for the dot; numbers and truth are read from text."""
    file = written(tmp_path, "[layers.orchestrator]\nlease_seconds = 3\n[layers.gateway]\nconcurrency = 7\n")
    variables = {"PENSTOCK_LAYERS__EXECUTOR__TIMEOUT_SECONDS": "2.5", "PENSTOCK_FEATURES__REFLECTION": "off"}
    config = configured(file, variables)
    assert config.settings.orchestrator.lease_seconds == 3
    assert config.rules["gateway"].concurrency == 7
    assert config.rules["executor"].timeout == 2.5
    assert config.features == {"reflection": False}


@pytest.mark.parametrize("text", ['layers = ["executor", "tools"]', '[layers]\nhosted = ["executor", "tools"]'])
def test_layers_are_chosen_by_a_list_or_in_their_table(tmp_path: Path, text: str) -> None:
    """The short form and the long one mean the same."""
    config = configured(written(tmp_path, text), flags={"connect": ["state=127.0.0.1:50055"]})
    assert config.hosted == ("executor", "tools")
    assert config.connect == {"state": "127.0.0.1:50055"}


def test_a_target_of_several_addresses_keeps_its_commas() -> None:
    """In a variable, commas separate entries only where another NAME= follows."""
    config = configured(
        environment={"PENSTOCK_CONNECT": "state=ipv4:10.0.0.1:5,10.0.0.2:5,tools=dns:///tools:50054"},
        flags={"layers": "executor"},
    )
    assert config.connect == {"state": "ipv4:10.0.0.1:5,10.0.0.2:5", "tools": "dns:///tools:50054"}


def test_every_mistake_is_reported_at_once_with_its_place_and_its_mend(tmp_path: Path) -> None:
    """Unknown keys, wrong types, values out of range and bad addresses of all sources come in one answer."""
    file = written(
        tmp_path,
        'servce_name = "x"\ntools = "a:b"\ndrain_seconds = "5"\n'
        '[layers.executor]\nconcurrency = 0\nconcurency = 1\n[connect]\nstat = "127.0.0.1:1"\n',
    )
    with pytest.raises(ConfigError) as caught:
        configured(
            file,
            {"PENSTOCK_LAYERS__STATE__TIMEOUT_SECONDS": "soon", "PENSTOCK_LOG__LEVEL": "loud"},
            {"listen": "localhost", "agents": ["noequals"], "layers": "executor,gatway"},
        )
    found = mistakes_of(caught.value)
    assert set(found) == {
        "servce_name",
        "tools",
        "drain_seconds",
        "layers.executor.concurrency",
        "layers.executor.concurency",
        "connect.stat",
        "layers.state.timeout_seconds",
        "log.level",
        "listen",
        "agents",
        "layers.hosted",
    }
    assert found["servce_name"] == (file, "is no key of the configuration; did you mean service_name?")
    assert found["layers.executor.concurrency"] == (file, "0 is out of range; write a whole number at least 1")
    assert found["layers.state.timeout_seconds"][0] == "PENSTOCK_LAYERS__STATE__TIMEOUT_SECONDS"
    assert "HOST:PORT" in found["listen"][1]
    assert "did you mean state?" in found["connect.stat"][1]
    assert all(key in str(caught.value) for key in found)


def test_every_layer_that_is_called_and_is_nowhere_is_named_with_the_flag_that_mends_it() -> None:
    """A process learns of all missing connections in one go."""
    with pytest.raises(ConfigError) as caught:
        configured(flags={"layers": "executor,orchestrator"})
    assert set(mistakes_of(caught.value)) == {"connect.state", "connect.tools"}
    assert "--connect state=HOST:PORT" in str(caught.value)


def test_a_shared_file_may_connect_layers_that_are_hosted_here(tmp_path: Path) -> None:
    """The same file serves every process of a mesh; what is hosted here is called here."""
    file = written(tmp_path, '[connect]\nstate = "h:1"\ntools = "h:2"\nexecutor = "h:3"\norchestrator = "h:4"\n')
    assert configured(file, flags={"layers": "tools"}).hosted == ("tools",)
    assert configured(file, flags={"layers": "gateway"}).hosted == ("gateway",)


@pytest.mark.parametrize("text", ["a = 1\nb = = 2\n", "[connect]\nstate = 5\n[connect]\n"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str) -> None:
    """The mistake tells the file and the line."""
    with pytest.raises(ConfigError, match=r"mesh\.toml.*line \d"):
        configured(written(tmp_path, text))


def test_a_file_that_is_not_there_is_a_mistake_when_it_was_named() -> None:
    """Only ./penstock.toml may be missing."""
    with pytest.raises(ConfigError, match="No such file"):
        configured("nowhere.toml")


def test_what_is_printed_can_be_read_again_and_means_the_same(tmp_path: Path) -> None:
    """`--print-config` is a configuration file."""
    config = configured(
        flags={
            "agents": ["a.b=x:y"],
            "tools": ["p:q"],
            "layers": "gateway,orchestrator,executor,tools",
            "connect": ["state=127.0.0.1:5"],
            "inner_listen": "[::1]:6000",
            "workflows": ['odd "name"\\é.yaml'],
        }
    )
    again = configured(written(tmp_path, shown(config)))
    assert again.values == config.values
    assert "--agents" in shown(config)


def test_printing_hides_secrets() -> None:
    """Passwords in URLs, in their queries, and keys that say that they are secret never show."""
    config = configured(flags={"state": "redis://user:hunter2@db:6379/0?password=hunter3&timeout=5"})
    text = shown(config)
    assert "hunter" not in text
    assert tomllib.loads(text)["state"] == f"redis://user:{HIDDEN}@db:6379/0?password={HIDDEN}&timeout=5"


def test_mistakes_hide_secrets_too() -> None:
    """A value that is refused is quoted without its password."""
    with pytest.raises(ConfigError) as caught:
        configured(flags={"listen": "tcp://user:hunter2@host", "connect": ["state=redis://:hunter2@host"]})
    assert "hunter2" not in str(caught.value)


def test_the_keys_at_the_top_are_fields_that_the_layers_have() -> None:
    """A layer that renames a setting is found here and not by a user."""
    for (layer, field), path in TOP_KEYS.items():
        assert field in SETTINGS[layer].__dataclass_fields__, path


def test_the_layers_start_below_what_calls_them() -> None:
    """The order of LAYERS is one of dependencies, and each layer needs no other than it calls."""
    started: set[str] = set()
    for name, layer in LAYERS.items():
        assert set(layer.calls) <= started
        assert set(layer.needs) <= set(layer.calls)
        started.add(name)
    assert started == set(LAYER_NAMES)
