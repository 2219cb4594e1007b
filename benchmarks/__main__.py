"""What `make bench` runs: each benchmark compares two things in one run and prints their ratio."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import cohorts, impressions, messages

BENCHMARKS = {"impressions": impressions, "cohorts": cohorts, "messages": messages}


def main() -> None:
    """Run the benchmarks that are named, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows, for a first look")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"there is no {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    for name in options.names or BENCHMARKS:
        benchmark = BENCHMARKS[name]
        print(f"{name}: {(benchmark.__doc__ or '').splitlines()[0]}", flush=True)
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            benchmark.compare(Path(folder), options.rounds, options.scale)


if __name__ == "__main__":
    main()
