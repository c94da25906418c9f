"""`ModelPlayer`: lets a model answer, turn by turn; importing this takes a second."""

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Final

import httpx2
from openai import AsyncOpenAI
from pydantic_ai import Agent, AgentRun, ModelRequestNode, UsageLimits
from pydantic_ai.agent import AgentRetries
from pydantic_ai.exceptions import AgentRunError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers import Provider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings as RequestSettings

from penstock.executor.agent_context import AgentContext
from penstock.executor.events import AgentEvent, Output, TurnFinished
from penstock.executor.model.credentials import NO_KEY, api_key, without_key
from penstock.executor.model.ending import check_end
from penstock.executor.model.failure import failure_of, said_nothing, turns_exhausted
from penstock.executor.model.past import conversation
from penstock.executor.model.request_record import RequestRecord
from penstock.executor.model.saying import said, used
from penstock.executor.model.settings import OPENAI_URL, ModelSettings
from penstock.executor.model.toolset import MeshToolset
from penstock.executor.outcome import StepFailed
from penstock.wire.errors import PenstockError
from penstock.wire.status import to_status

_LOGGER: Final = logging.getLogger("penstock.executor.model")

# Only for connecting: how long an answer may take is the deadline's affair.
_CONNECT_SECONDS: Final = 10.0
_LONGEST_LOGGED: Final = 1_000
# Turns are counted here: pydantic-ai's default of 50 would stop a run with a text of its own.
_NO_LIMITS: Final = UsageLimits(request_limit=None)


class ModelPlayer:
    """Talks to one model server, over connections that all its runs share."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        timeout = httpx2.Timeout(None, connect=_CONNECT_SECONDS)
        # The layer's own bound says how many runs there are at once; more would wait here without a word.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
        self._http = httpx2.AsyncClient(timeout=timeout, limits=limits, follow_redirects=True)
        # Only the step's policy retries: a client that did so, too, would multiply it, and hide it from the log.
        client = AsyncOpenAI(
            base_url=settings.url or OPENAI_URL,
            api_key=api_key() or NO_KEY,
            max_retries=0,
            timeout=timeout,
            http_client=self._http,
        )
        provider = _provider(settings, client)
        self._provider_name = provider.name
        model = OpenAIChatModel(
            settings.name,
            provider=provider,
            # Else a stream that ends early counts as an answer.
            profile=OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True),
        )
        wishes = (
            RequestSettings() if settings.temperature is None else RequestSettings(temperature=settings.temperature)
        )
        # Tools that there are not are asked for again as others are; who answers without a word is asked once more.
        retries: AgentRetries = {"tools": settings.max_turns, "output": 1}
        self._agent: Agent[None, str] = Agent(
            model, instructions=settings.instructions, model_settings=wishes, retries=retries
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def answer(self, task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent, None]:
        """Yields what the model says, and last its answer, the text of the last turn.

        Raises:
            StepFailed: the model or its server failed; with the status that `failure.py` says.
            ToolCallFailed: what came of a tool call is not known.
        """
        request_id = context.request.request_id
        turns = 0
        try:
            tools = MeshToolset(context, await context.list_tools(), self._settings.max_turns)
            async with self._agent.iter(
                task,
                message_history=conversation(context.history),
                toolsets=[tools],
                usage_limits=_NO_LIMITS,
            ) as run:
                async for node in run:
                    if Agent.is_model_request_node(node):
                        turns += 1
                        if turns > self._settings.max_turns:
                            raise turns_exhausted(self._settings.name)
                        async with aclosing(self._turn(node, run, request_id)) as items:
                            async for item in items:
                                yield item
                if run.result is not None:
                    yield Output(run.result.output)
        except AgentRunError as error:  # twice there was nothing to go on with; all else is stopped before
            self._log(error, request_id)
            raise StepFailed(to_status(said_nothing(self._settings.name), request_id)) from error
        except PenstockError as error:
            raise StepFailed(to_status(error, request_id)) from error

    async def _turn(
        self, node: ModelRequestNode[None, str], run: AgentRun[None, str], request_id: str
    ) -> AsyncGenerator[str | AgentEvent, None]:
        """Yields one response of the model; raises a PenstockError when there is none that counts."""
        record = RequestRecord(self._settings.name, self._provider_name)
        answering = False
        try:
            async with node.stream(run.ctx) as stream:
                async for event in stream:
                    # Not before: also what keeps a stream from beginning is raised where it is read.
                    answering = True
                    record.chunk()
                    item = said(event)
                    if item is not None:
                        yield item
                response = stream.response
            record.finished(response)
            yield used(response)
            check_end(response, self._settings.name)
            yield TurnFinished()
        except PenstockError as error:
            record.failed(error.reason)
            raise
        except Exception as error:  # an answer that is no chat completion makes the client raise anything
            failure = self._failure(error, request_id, answering=answering)
            record.failed(failure.reason)
            raise failure from error
        finally:
            record.end()

    def _failure(self, error: Exception, request_id: str, *, answering: bool) -> PenstockError:
        self._log(error, request_id)
        return failure_of(error, self._settings.name, answering=answering)

    def _log(self, error: Exception, request_id: str) -> None:
        causes = [f"{type(cause).__name__}: {cause}" for cause in _causes(error)]
        text = without_key("; because of ".join(causes))[:_LONGEST_LOGGED]
        url = self._settings.url or OPENAI_URL
        _LOGGER.warning(
            "a request to the model %s at %s failed: %s",
            self._settings.name,
            url,
            text,
            extra={"request_id": request_id},
        )


def _provider(settings: ModelSettings, client: AsyncOpenAI) -> Provider[AsyncOpenAI]:
    # OpenAI's own API has features that others, which only speak its protocol, refuse.
    if settings.url is None or settings.url.startswith(OPENAI_URL):
        return OpenAIProvider(openai_client=client)
    return OpenAICompatibleProvider("openai-compatible", openai_client=client)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
