"""Detectors: event to signals. Pure, and without state of their own (audience state is handed in)."""
