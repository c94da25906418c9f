"""How agents are found and refused."""

import pytest
import sample_agents  # noqa: F401 # the specs below name it

from penstock.executor.loading import AgentsNotLoaded, load_agents


def test_agents_are_loaded_by_name():
    """Functions and methods."""
    agents = load_agents({"w": "sample_agents:words", "g": "sample_agents:greeter.greet"})
    assert list(agents) == ["g", "w"]
    assert agents["w"].description == "Says its task, word by word."


@pytest.mark.parametrize(
    ("name", "spec", "said"),
    [
        ("a b", "sample_agents:words", "the name must be 1 to 128 characters"),
        ("a", "sample_agents", 'name it as "module:attr"'),
        ("a", "no_such_module:x", "is its directory on the import path (--app-dir)?"),
        ("a", "sample_agents:no_such", "is the name after the colon right?"),
        ("a", "sample_agents:one_answer", "it is a coroutine function, which answers once, not an async generator"),
        ("a", "sample_agents:not_async", "it is a generator function without async"),
        ("a", "sample_agents:scene", "it is an object of type Scene, not an async generator function"),
        ("a", "sample_agents:lonely", "it can't be called with a task and a context"),
        ("a", "sample_agents:greedy", "it can't be called with a task and a context"),
    ],
)
def test_an_agent_that_can_not_be_had_is_refused_with_how_to_write_it(name, spec, said):
    """The text names agent and spec."""
    with pytest.raises(AgentsNotLoaded) as caught:
        load_agents({name: spec})
    assert f"agent {name!r} ({spec}): " in str(caught.value)
    assert said in str(caught.value)


def test_all_mistakes_are_reported_at_once():
    """Nobody mends them one start at a time."""
    with pytest.raises(AgentsNotLoaded) as caught:
        load_agents({"a": "sample_agents:nope", "b": "sample_agents:words", "c": "nope:nope"})
    assert len(str(caught.value).splitlines()) == 2
