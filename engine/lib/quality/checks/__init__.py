"""One file a subject; each function under ``@check`` is one check of ``gate.toml``."""
