"""The embedded OpenAI-compatible server: chat, completions and embeddings on loopback.

Importing it loads no model library.
"""
