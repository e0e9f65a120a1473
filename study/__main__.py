"""``python -m study``: what ``make results`` does."""

from __future__ import annotations

import argparse
import sys

from study.keep import keep
from study.leak import count_leak
from study.lengths import keep_lengths
from study.page import write_page
from study.prepare import prepare
from study.running import run, small, tables


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m study", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("prepare", help="write the files that are trained on and scored")
    trained = verbs.add_parser("run", help="train a table, or one row of it, and keep the scores")
    trained.add_argument("row", help=f"TABLE or TABLE/ROW; tables: {', '.join(tables())}")
    trained.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    verbs.add_parser("small", help="train a row of each table in little")
    verbs.add_parser("keep", help="keep the scores of all runs that have finished")
    verbs.add_parser("count", help="count what the page tells of documents without any model")
    verbs.add_parser("page", help="make the tables of docs/results.md from what is kept")
    options = parser.parse_args()
    if options.verb == "prepare":
        prepare()
    elif options.verb == "run":
        status = run(options.row, options.jobs)
        write_page()
        return status
    elif options.verb == "small":
        return small()
    elif options.verb == "keep":
        for table in tables():
            print(f"{table}: {keep(table)} runs")
    elif options.verb == "count":
        prepare()
        count_leak()
        keep_lengths()
    else:
        write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
