"""Runs all benchmarks: `python -m tests.benchmarks`; see `tests.benchmarks.everything`.

Nothing is imported but to be run: processes that a benchmark starts load this file again.
"""

if __name__ == "__main__":
    from tests.benchmarks.everything import main

    main()
