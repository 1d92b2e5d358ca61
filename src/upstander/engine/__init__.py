"""The engine: beliefs about pairs, broadcasts and viewers. Pure: no clock, no I/O, no randomness."""
