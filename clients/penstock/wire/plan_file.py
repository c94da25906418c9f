"""Plans in files: YAML, or JSON where the name ends in `.json`."""

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

from penstock.v1.plan_pb2 import Plan
from penstock.wire.errors import InvalidArgument
from penstock.wire.plan_form import plan_from

LARGEST_FILE: Final = 1024 * 1024


def load_plan(path: Path | str) -> Plan:
    """Reads a plan from a file of at most 1 MiB, which holds the JSON form of the Plan message.

    Raises:
        InvalidArgument: the file can't be read, or is no plan; each fault with its path inside the file, such as
            `steps[1].retry.max_attempts`.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unfit(path, f"can't be read: {error.strerror or error}") from None
    if len(data) > LARGEST_FILE:
        raise _unfit(path, f"has {len(data)} bytes, more than the {LARGEST_FILE} that a plan may have")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _unfit(path, f"is not UTF-8 at byte {error.start}") from None
    form = _json(path, text) if path.suffix.lower() == ".json" else _yaml(path, text)
    try:
        return plan_from(form, where="plan")
    except InvalidArgument as error:
        inside = [
            (v.field.removeprefix("plan.").removeprefix("plan") or "(top)", v.description) for v in error.violations
        ]
        listed = "; ".join(f"{field} {description}" for field, description in inside)
        raise InvalidArgument(f"{path}: {listed}", inside, reason="BAD_PLAN_FILE") from None


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _unfit(path, f"is no JSON: {error}") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError(f"{key!r} is there twice in one map")
        seen[key] = value
    return seen


def _yaml(path: Path, text: str) -> Any:
    import yaml  # only files need it

    class Loader(yaml.SafeLoader):
        """Loads as SafeLoader does, but refuses what it would silently drop or multiply."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise yaml.constructor.ConstructorError(None, None, "a key is not plain text", key.start_mark)
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value!r} is there twice in one map", key.start_mark
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                # A few nested aliases can stand for billions of nodes.
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # the stubs leave it untyped
                raise yaml.composer.ComposerError(None, None, "aliases (*name) are not allowed", mark)
            return super().compose_node(parent, index)

    # A time stays the text that the JSON form wants.
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(text, Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise _unfit(path, f"is no YAML: {at}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unfit(path, f"is no YAML: {error}") from None


def _unfit(path: Path, why: str) -> InvalidArgument:
    return InvalidArgument(f"{path} {why}", [("(file)", why)], reason="BAD_PLAN_FILE")
