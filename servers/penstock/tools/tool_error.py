"""`ToolError`: how a tool says, in words for the agent, that it could not do what was asked."""


class ToolError(Exception):
    """A tool's refusal; its text is shown to the agent, unlike that of any other exception."""
