"""The vocabulary as types: events, signals, decisions. Imports nothing else of Upstander; does no I/O."""
