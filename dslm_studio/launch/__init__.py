"""The launcher: installs, starts, watches and stops the studio's processes on this machine.

``bootstrap``, ``files``, ``install``, ``machine``, ``ports``, ``terminal``, ``testing`` and ``verbs`` run before anything
is installed and use the standard library alone, as does what they import of the engine (``probes``, ``cgroups``). The rest runs
inside ``.venv`` as ``python -m dslm_studio.launch VERB``.
"""
