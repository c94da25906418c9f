"""Conversations: as they stand, their messages, and their end."""

from dataclasses import dataclass

from penstock.gateway.caller import current_tenant
from penstock.gateway.hints import no_such_session
from penstock.gateway.neighbours import Neighbours
from penstock.gateway.page_token import make_token, read_index
from penstock.gateway.settings import GatewaySettings
from penstock.v1.gateway_pb2 import ListMessagesRequest, ListMessagesResponse
from penstock.v1.session_pb2 import (
    DROP_OUTCOME_BUSY,
    DROP_OUTCOME_DROPPED,
    DropSessionRequest,
    ReadMessagesRequest,
    ReadSessionRequest,
    Session,
)
from penstock.wire.errors import FailedPrecondition
from penstock.wire.rules.fields import DEFAULT_PAGE, check_id, check_page_size
from penstock.wire.rules.findings import Findings


@dataclass(frozen=True, slots=True)
class Conversations:
    """Answers questions about sessions from the state layer."""

    settings: GatewaySettings
    neighbours: Neighbours

    async def read(self, session_id: str) -> Session:
        """Returns a session without its messages; raises InvalidArgument or NotFound."""
        findings = Findings()
        check_id(findings, "session_id", session_id)
        findings.raise_any()
        tenant = current_tenant()
        answer = await self.neighbours.sessions.ReadSession(
            ReadSessionRequest(tenant=tenant, session_id=session_id), timeout=self.settings.read_timeout
        )
        if not answer.HasField("session"):
            raise await no_such_session(self.neighbours, tenant, session_id, self.settings.hint_timeout)
        return answer.session

    async def messages(self, request: ListMessagesRequest) -> ListMessagesResponse:
        """Returns a page of a session's messages; raises InvalidArgument or NotFound."""
        findings = Findings()
        check_id(findings, "session_id", request.session_id)
        check_page_size(findings, request.page_size)
        findings.raise_any()
        wanted = ReadMessagesRequest(
            tenant=current_tenant(),
            session_id=request.session_id,
            page_size=request.page_size or DEFAULT_PAGE,
            newest_first=request.newest_first,
        )
        listing = f"messages {request.session_id} {'newest' if request.newest_first else 'oldest'} first"
        if request.page_token:
            index = read_index(listing, request.page_token)
            if request.newest_first:
                wanted.before_index = index
            else:
                wanted.from_index = index
        answer = await self.neighbours.sessions.ReadMessages(wanted, timeout=self.settings.read_timeout)
        if not answer.messages:
            await self.read(request.session_id)  # an empty session and none at all look the same above
            return ListMessagesResponse()
        last = answer.messages[-1].index
        # Read backwards the range ends before the next page's newest, forwards it begins with the next page's oldest.
        following = make_token(listing, str(last if request.newest_first else last + 1)) if answer.more else ""
        return ListMessagesResponse(messages=answer.messages, next_page_token=following)

    async def delete(self, session_id: str) -> bool:
        """Deletes a session and tells whether there was one; raises FailedPrecondition while a run of it goes on."""
        findings = Findings()
        check_id(findings, "session_id", session_id)
        findings.raise_any()
        answer = await self.neighbours.sessions.DropSession(
            DropSessionRequest(tenant=current_tenant(), session_id=session_id), timeout=self.settings.read_timeout
        )
        if answer.outcome == DROP_OUTCOME_BUSY:
            raise FailedPrecondition(
                f"session {session_id!r} has a run that has not ended; cancel it, or wait for its end",
                reason="SESSION_BUSY",
                metadata={"session": session_id},
            )
        return answer.outcome == DROP_OUTCOME_DROPPED
