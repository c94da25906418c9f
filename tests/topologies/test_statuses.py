"""Bad input gets a clear status that names the field and the mend, the same in every topology."""

import dataclasses
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Value

from penstock.v1 import gateway_pb2 as pb
from penstock.v1.event_pb2 import TopicEvent
from penstock.v1.gateway_pb2_grpc import GatewayServiceStub
from penstock.v1.plan_pb2 import AgentStep, BranchStep, FanOutStep, Plan, Step, ToolStep, WaitStep, When, WorkflowStep
from penstock.v1.run_pb2 import Content, Durability, RunSpec, Signal
from tests.topologies.mesh import Mesh
from tests.topologies.probing import Answer, Ask, answer_of, ask

HELLO = [Content(text="hello")]


def create(**fields: Any) -> Ask:
    """Makes a question that creates a run of this spec."""
    spec = RunSpec(**{"agent": "echo", "input": HELLO, **fields})
    return lambda stub: stub.CreateRun(pb.CreateRunRequest(spec=spec))


def planned(*steps: Step, sequential: bool = True) -> Ask:
    """Makes a question that creates a run of this plan."""
    spec = RunSpec(plan=Plan(steps=steps, sequential=sequential), input=HELLO)
    return lambda stub: stub.CreateRun(pb.CreateRunRequest(spec=spec))


def with_metadata(*pairs: tuple[str, str]) -> Ask:
    """Makes a question whose metadata is wrong."""
    return lambda stub: stub.GetRun(pb.GetRunRequest(run_id="run-1"), metadata=pairs)


def step(step_id: str, **fields: Any) -> Step:
    """Makes an agent step, or another where fields say so."""
    if not fields.keys() & {"tool", "branch", "fan_out", "wait", "workflow"}:
        fields.setdefault("agent", AgentStep(agent="echo"))
    return Step(step_id=step_id, **fields)


def number(value: float) -> Value:
    """Makes a plan's number."""
    return Value(number_value=value)


WRONG: dict[str, tuple[Ask, str, str]] = {
    "no target": (create(agent=""), "INVALID_ARGUMENT", "spec.agent"),
    "no spec": (lambda stub: stub.CreateRun(pb.CreateRunRequest()), "INVALID_ARGUMENT", "spec"),
    "empty task": (create(input=[]), "INVALID_ARGUMENT", "spec.input"),
    "blank task": (create(input=[Content(text=" \n\t")]), "INVALID_ARGUMENT", "spec.input"),
    "task over 1 MiB": (create(input=[Content(text="x" * (1024 * 1024 + 1))]), "INVALID_ARGUMENT", "spec.input"),
    "json that is none": (create(input=[Content(json="{")]), "INVALID_ARGUMENT", "spec.input[0].json"),
    "bad session id": (create(session_id="a b"), "INVALID_ARGUMENT", "spec.session_id"),
    "long session id": (create(session_id="x" * 129), "INVALID_ARGUMENT", "spec.session_id"),
    "bad key": (create(idempotency_key="ä"), "INVALID_ARGUMENT", "spec.idempotency_key"),
    "negative timeout": (create(timeout=Duration(seconds=-1)), "INVALID_ARGUMENT", "spec.timeout"),
    "zero timeout": (create(timeout=Duration()), "INVALID_ARGUMENT", "spec.timeout"),
    "absurd timeout": (create(timeout=Duration(seconds=10**9)), "INVALID_ARGUMENT", "spec.timeout"),
    "bad label": (create(labels={"a b": "c"}), "INVALID_ARGUMENT", "spec.labels"),
    "no steps": (planned(), "INVALID_ARGUMENT", "spec.plan.steps"),
    "step without id": (planned(step("")), "INVALID_ARGUMENT", "spec.plan.steps[0].step_id"),
    "step id twice": (planned(step("a"), step("a")), "INVALID_ARGUMENT", "spec.plan.steps[1].step_id"),
    "step of no kind": (planned(Step(step_id="a")), "INVALID_ARGUMENT", "spec.plan.steps[0].kind"),
    "huge integer": (
        planned(step("a", tool=ToolStep(tool="add", arguments=Value(struct_value={"fields": {"a": number(2.0**60)}})))),  # type: ignore[arg-type]  # a dict serves
        "INVALID_ARGUMENT",
        "spec.plan.steps[0].tool.arguments.a",
    ),
    "unknown reference": (
        planned(step("a", agent=AgentStep(agent="echo", task="${steps.b.output}"))),
        "INVALID_ARGUMENT",
        "spec.plan.steps[0].agent.task",
    ),
    "request id that is none": (with_metadata(("x-request-id", "a/b")), "INVALID_ARGUMENT", "x-request-id"),
    "session id that is none": (with_metadata(("x-session-id", "a b")), "INVALID_ARGUMENT", "x-session-id"),
    "doubled id": (
        with_metadata(("x-request-id", "a"), ("x-request-id", "b")),
        "INVALID_ARGUMENT",
        "x-request-id",
    ),
    "inner key from outside": (with_metadata(("x-penstock-tenant", "evil")), "INVALID_ARGUMENT", "x-penstock-tenant"),
    "unknown agent": (create(agent="ecko"), "NOT_FOUND", "'echo'"),
    "unknown agent in a plan": (planned(step("a", agent=AgentStep(agent="ecko"))), "NOT_FOUND", "'echo'"),
    "unknown tool in a plan": (planned(step("a", tool=ToolStep(tool="ad"))), "NOT_FOUND", "'add'"),
    "unknown workflow": (create(agent="", workflow="w"), "NOT_FOUND", "'w'"),
    "unknown run": (lambda stub: stub.GetRun(pb.GetRunRequest(run_id="run-nope")), "NOT_FOUND", "'run-nope'"),
    "cancel of an unknown run": (
        lambda stub: stub.CancelRun(pb.CancelRunRequest(run_id="run-nope")),
        "NOT_FOUND",
        "'run-nope'",
    ),
    "signal for an unknown run": (
        lambda stub: stub.SignalRun(
            pb.SignalRunRequest(run_id="run-nope", signal_id="s", signal=Signal(approval=Signal.Approval(step_id="a")))
        ),
        "NOT_FOUND",
        "'run-nope'",
    ),
    "no events": (lambda stub: stub.PublishEvent(pb.PublishEventRequest(topic="t")), "INVALID_ARGUMENT", "events"),
    "bad topic": (
        lambda stub: stub.PublishEvent(pb.PublishEventRequest(topic="a b", events=[TopicEvent(type="t")])),
        "INVALID_ARGUMENT",
        "topic",
    ),
    "topic of the mesh": (
        lambda stub: stub.PublishEvent(pb.PublishEventRequest(topic="penstock.runs", events=[TopicEvent(type="t")])),
        "PERMISSION_DENIED",
        "penstock.",
    ),
    "unknown session": (
        lambda stub: stub.GetSession(pb.GetSessionRequest(session_id="nope")),
        "NOT_FOUND",
        "'nope'",
    ),
    "run id that is none": (lambda stub: stub.GetRun(pb.GetRunRequest(run_id="a/b")), "INVALID_ARGUMENT", "run_id"),
    "page size": (lambda stub: stub.ListRuns(pb.ListRunsRequest(page_size=-1)), "INVALID_ARGUMENT", "page_size"),
    "page token": (lambda stub: stub.ListRuns(pb.ListRunsRequest(page_token="x")), "INVALID_ARGUMENT", "page_token"),
    "durability that can't be kept": (
        create(durability=Durability.DURABILITY_REPLICA),
        "FAILED_PRECONDITION",
        "REPLICA",
    ),
}

# The whole of what answers UNIMPLEMENTED for now; a text says so.
UNBUILT: dict[str, Ask] = {
    "branch": planned(step("a", branch=BranchStep(value="x"))),
    "fan-out": planned(step("a", fan_out=FanOutStep(items="${input}", agent=AgentStep(agent="echo")))),
    "wait": planned(step("a", wait=WaitStep(approval="sure?"))),
    "sub-workflow": planned(step("a", workflow=WorkflowStep(workflow="w"))),
    "graph": planned(step("a"), step("b", needs=["a"]), sequential=False),
    "when": planned(step("a"), step("b", when=When(step_id="a", cases=["x"]))),
}


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_input_is_refused_alike_and_says_how_to_mend_it(meshes: dict[str, Mesh], case: str) -> None:
    """Code, text, reason, fields and facts are equal in all topologies, and name what is wrong."""
    question, code, named = WRONG[case]
    answers = [await ask(mesh.address, question) for mesh in meshes.values()]
    assert answers == answers[:1] * len(meshes)
    answer = answers[0]
    assert isinstance(answer, Answer)
    assert answer.code == code
    assert named in answer.text
    if code == "INVALID_ARGUMENT":
        assert any(named in field for field, _ in answer.fields)
    assert dict(answer.facts)["request_id"]


@pytest.mark.parametrize("case", UNBUILT)
async def test_what_is_not_built_yet_says_so(meshes: dict[str, Mesh], case: str) -> None:
    """Each of the listed parts answers UNIMPLEMENTED, alike, with a text that says so."""
    answers = [await ask(mesh.address, UNBUILT[case]) for mesh in meshes.values()]
    assert answers == answers[:1] * len(meshes)
    answer = answers[0]
    assert isinstance(answer, Answer)
    assert (answer.code, answer.reason) == ("UNIMPLEMENTED", "NOT_BUILT")
    assert "not built yet" in answer.text


async def test_a_wrong_subscription_is_refused_alike(meshes: dict[str, Mesh]) -> None:
    """SubscribeEvents names the field that is wrong, also when the reader has not yet been answered anything."""
    answers = []
    for mesh in meshes.values():
        async with grpc.aio.insecure_channel(mesh.address) as channel:
            call = GatewayServiceStub(channel).SubscribeEvents()
            await call.write(pb.SubscribeEventsRequest(topic="a b"))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call.read()
            answers.append(answer_of(refused.value))
    assert answers == answers[:1] * len(meshes)
    assert (answers[0].code, [field for field, _ in answers[0].fields]) == ("INVALID_ARGUMENT", ["topic"])


def raw(method: str, data: bytes) -> Callable[[grpc.aio.Channel], Any]:
    """Makes a call of raw bytes."""
    return lambda channel: channel.unary_unary(f"/penstock.v1.GatewayService/{method}")(data, timeout=5)


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xc3\x28"], ids=["tag", "length", "utf-8"])
async def test_malformed_protobuf_is_an_invalid_argument(meshes: dict[str, Mesh], data: bytes) -> None:
    """Bytes that are no message get INVALID_ARGUMENT, not UNKNOWN with the decoder's text."""
    answers = []
    for mesh in meshes.values():
        async with grpc.aio.insecure_channel(mesh.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await raw("GetRun", data)(channel)
            answers.append(answer_of(refused.value))
    assert answers == answers[:1] * len(meshes)
    assert answers[0].code == "INVALID_ARGUMENT"


async def test_several_mistakes_are_told_at_once(mesh: Mesh) -> None:
    """A request that is wrong in four fields names all four."""
    answer = await ask(mesh.address, create(input=[], session_id="a b", timeout=Duration(seconds=-1), labels={"": "x"}))
    assert isinstance(answer, Answer)
    assert len(answer.fields) == 4


async def test_the_door_does_not_open_the_inner_layers(mesh: Mesh) -> None:
    """At the gateway's port no inner service answers."""
    async with grpc.aio.insecure_channel(mesh.address) as channel:
        for method in ("StateService/GetValue", "RunLogService/AppendEvents", "OrchestratorService/StartRun"):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary(f"/penstock.v1.{method}")(b"", timeout=5)
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_cursors_that_do_not_fit_are_refused(mesh: Mesh) -> None:
    """A number beyond the end is INVALID_ARGUMENT, and an unknown generation DATA_LOSS with the last common number."""
    async with mesh.client() as client:
        run = await client.execute_run("a b c", agent="echo")

    def attach(**cursor: int) -> Ask:
        async def question(stub: Any) -> object:
            return await stub.AttachRun(pb.AttachRunRequest(run_id=run.run_id, **cursor)).read()

        return question

    beyond = await ask(mesh.address, attach(after_sequence=run.last_sequence + 1))
    assert isinstance(beyond, Answer)
    assert (beyond.code, dict(beyond.facts)["run_id"]) == ("INVALID_ARGUMENT", "…")
    other = await ask(mesh.address, attach(after_sequence=2, generation=run.generation + 7))
    assert isinstance(other, Answer)
    assert other.code in ("INVALID_ARGUMENT", "DATA_LOSS")
    assert dataclasses.asdict(other)["facts"]
