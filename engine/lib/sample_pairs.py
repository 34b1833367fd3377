"""python -m engine.lib.sample_pairs PAIRS_FOLDER --n 30 --seed 7: some pairs to read, and how many there are of each shape."""

import argparse
import json
import random
from collections import Counter
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--shape", default="", help="only of this shape")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in (arguments.folder / "pairs.jsonl").read_text("utf-8").splitlines()]
    print(len(rows), "pairs:", dict(Counter(row["shape"] for row in rows).most_common()))
    rows = [row for row in rows if arguments.shape in ("", row["shape"])]
    for number, row in enumerate(random.Random(arguments.seed).sample(rows, min(arguments.n, len(rows))), 1):
        print(f"{number:2}. [{row['shape']}] Q: {row['question']}\n      A: {row['answer']}")


if __name__ == "__main__":
    main()
