"""python -m engine run RUN_DIR | serve | stages | peek_batch OPTIONS"""

import argparse
import json
import os
import sys
from pathlib import Path

# Threads that wait by spinning take the cores from whoever shares them; read once, when torch or llama.cpp loads
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main() -> int:
    parser = argparse.ArgumentParser(prog="engine", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run_parser = verbs.add_parser("run", help="run the attempt described by RUN_DIR/spec.json")
    run_parser.add_argument("run_dir", type=Path)
    serve_parser = verbs.add_parser("serve", help="serve models over an OpenAI-compatible API on loopback")
    serve_parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    verbs.add_parser("stages", help="list every stage with its JSON schema")
    peek_parser = verbs.add_parser("peek_batch", help="the first batch of a training as the model sees it, as JSON")
    peek_parser.add_argument("options", help="JSON, see engine/lib/batch_peek.py")
    arguments = parser.parse_args()

    if arguments.verb == "run":
        from engine.run import run

        return run(arguments.run_dir)
    if arguments.verb == "serve":
        from engine.serve.app import serve

        serve(port=arguments.port)
        return 0
    if arguments.verb == "peek_batch":
        from engine.lib.batch_peek import main as peek_batch

        return peek_batch(arguments.options)
    from engine import registry

    table = {info.key: {"title": info.title, "help": info.help, "schema": info.schema()} for info in registry.all_stages()}
    json.dump(table, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
