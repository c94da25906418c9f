"""What the documentation points at is there: other pages, tests, settings, commands."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.docs.page import PAGES, ROOT, blocks, name_of

LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?!https?:)(?P<file>[^)#]*)(?:#(?P<heading>[^)]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
INSTRUMENT = re.compile(r'= (Histogram|Counter|Level)\(\s*"([\w.]+)",\s*"(\S+)"')
DECISIONS = ROOT / "docs" / "decisions"
LINKED = (*PAGES, ROOT / "CHANGELOG.md")


def anchors(page: Path) -> set[str]:
    """Returns the names under which a page's headings can be linked to."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(page.read_text()))
    return {heading.replace(" ", "-") for heading in plain}


def leaves(table: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Returns the values of nested tables by their dotted keys."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        found |= leaves(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value}
    return found


def settings() -> dict[str, Any]:
    """Returns every setting and its default, as penstockd prints them."""
    command = [str(Path(sys.executable).with_name("penstockd")), "--config=/dev/null", "--print-config"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env={}).stdout
    return leaves(tomllib.loads(printed))


def documented(layer: str) -> dict[str, str]:
    """Returns the settings of a table of the operations page, with their defaults; `layer` empty: those at the top."""
    text = (ROOT / "docs" / "operations.md").read_text()
    common = {"": r"\| Key \| Default", "*": r"Each layer .*?has:\s+\| Key \| Default"}
    begin = re.search(common.get(layer, rf"\| Key in `layers\.{layer}`"), text, re.DOTALL)
    assert begin, f"no table of {layer!r}"
    table = text[begin.end() :].partition("\n\n")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|", table, re.MULTILINE))


def has_test(file: Path, test: str) -> bool:
    """Tells whether a file has a test of this name."""
    return file.exists() and re.search(rf"^(async )?def {test}\(", file.read_text(), re.MULTILINE) is not None


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """The file is there, and has the heading."""
    for link in LINK.finditer(page.read_text()):
        target = (page.parent / link["file"]).resolve() if link["file"] else page
        assert target.exists(), f"{link[0]} leads nowhere"
        if link["heading"]:
            assert link["heading"] in anchors(target), f"{link[0]} leads to no heading"


def test_every_promise_names_tests_that_exist() -> None:
    """A promise whose test was renamed or removed is found out."""
    named = TEST.findall((ROOT / "docs" / "promises.md").read_text())
    assert len(named) > 50
    missing = [f"{file}::{test}" for file, test in named if not has_test(ROOT / file, test)]
    assert not missing


def test_every_promise_is_held_by_a_test() -> None:
    """A section of the promises without a test would be a wish; only what is promised later may have none."""
    sections = re.split(r"^## ", (ROOT / "docs" / "promises.md").read_text(), flags=re.MULTILINE)[1:]
    assert [section.splitlines()[0] for section in sections if not TEST.search(section)] == ["Promised later"]


def test_every_setting_is_documented_and_no_other() -> None:
    """The operations page has each key that penstockd prints, with its default where that is a number."""
    top, each = documented(""), documented("*")
    wanted: set[tuple[str, str]] = set()
    for key, default in settings().items():
        layer, name = re.fullmatch(r"(?:layers\.(?!hosted)(\w+)\.)?(.+)", key).groups()  # type: ignore[union-attr] # always matches
        described = top if layer is None else documented(layer) | each
        assert name in described, f"{key} is not documented"
        wanted.add((layer or "", name))
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert float(described[name].replace(",", "")) == default, f"the default of {key} is {default}"
    # Without values these are not printed.
    unprinted = {("", key) for key in ("inner_listen", "metrics_listen", "connect", "agents")}
    unprinted |= {("", f"model.{key}") for key in ("name", "url", "instructions", "temperature")}
    for layer in ("", "gateway", "orchestrator", "executor", "tools", "state"):
        known = {name for of, name in wanted | unprinted if of == layer}
        assert set(documented(layer)) <= known


def test_every_metric_is_documented_and_no_other() -> None:
    """The operations page has each instrument that the code makes, with its type and unit."""
    made = {
        (name, kind.lower(), unit)
        for root in ("clients", "servers")
        for source in sorted((ROOT / root).rglob("*.py"))
        for kind, name, unit in INSTRUMENT.findall(source.read_text())
    }
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("### Metrics")[2].partition("### Spans")[0]
    assert set(re.findall(r"^\| `([\w.]+)` \| (\w+) \| (\S+) \|", table, re.MULTILINE)) == made


def test_every_service_is_shown_by_a_call_and_in_python() -> None:
    """The contracts' guide has, for each service of the protos, a call from a shell and one from Python."""
    shown = blocks(ROOT / "docs" / "contracts.md")
    shell = "".join(block.text for block in shown if block.language == "bash" and block.mark)
    python = "".join(block.text for block in shown if block.language == "python" and block.mark)
    protos = "".join(proto.read_text() for proto in (ROOT / "protos" / "penstock" / "v1").glob("*.proto"))
    services = set(re.findall(r"^service (\w+) ", protos, re.MULTILINE))
    assert len(services) >= 10
    for service in services:
        assert f"penstock.v1.{service}/" in shell, f"no call of {service} from a shell"
        name = "Client(" if service == "GatewayService" else f"{service}Stub("
        assert name in python, f"no call of {service} in Python"


def test_every_decision_is_listed_and_complete() -> None:
    """The pages are numbered without gaps, linked from the list, and have context, decision and consequences."""
    pages = sorted(DECISIONS.glob("0*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    listed = (DECISIONS / "README.md").read_text()
    for number, page in enumerate(pages, 1):
        text = page.read_text()
        title = text.splitlines()[0].removeprefix(f"# {number}. ")
        assert f"{number}. [{title}]({page.name})" in listed
        assert [heading for heading in HEADING.findall(text) if heading in ("Context", "Decision", "Consequences")] == [
            "Context",
            "Decision",
            "Consequences",
        ]


def test_every_make_target_that_is_named_exists() -> None:
    """A reader who is told to type `make …` can."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE):
            assert target in targets, f"{name_of(page)}: there is no `make {target}`"
