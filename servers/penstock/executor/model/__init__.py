"""The agent `model`: a chat model behind any OpenAI-compatible server, with the session's history and the mesh's tools.

What is imported here stays light: pydantic-ai and openai, which take a second to import, come in with `playing.py`.
"""
