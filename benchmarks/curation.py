"""What curation takes at 100,000 pairs, each measurement a sub-command in a file `curation_<name>.py` with a `main(argv)`.

python -m benchmarks.curation pages [--pairs 100000] [--json FILE]
"""

import sys
from importlib import import_module
from pathlib import Path

NAMES = sorted(path.stem.removeprefix("curation_") for path in Path(__file__).parent.glob("curation_*.py"))


def main(argv: list[str]) -> None:
    if not argv or argv[0] not in NAMES:
        raise SystemExit(f"python -m benchmarks.curation [{' | '.join(NAMES)}]")
    import_module(f"benchmarks.curation_{argv[0]}").main(argv[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
