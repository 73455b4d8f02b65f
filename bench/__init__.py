"""Measures how fast and how small the watchdog is: `make bench`, or `python -m bench [NAME …]`.

Each number stands beside its aim and beside a baseline of the same run, because machines differ and are noisy.
"""
