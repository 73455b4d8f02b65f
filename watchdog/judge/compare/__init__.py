"""The statistics of `compare` rules: is the new version worse than the old one, may be asked after every scrape.

Arrays in, frozen values out; no I/O, no clock, numpy and scipy.special only. Nothing outside imports this package
unless a rule compares. docs/judging.md says how it decides and what it promises.
"""
