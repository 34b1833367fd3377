"""The launcher: installs, starts, watches and stops the studio's processes on this machine.

``bootstrap``, ``install``, ``machine``, ``terminal`` and ``verbs`` run before anything is installed and use the
standard library alone. The rest runs inside ``.venv`` as ``python -m dslm_studio.launch VERB``.
"""
