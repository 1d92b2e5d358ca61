"""Policies tried out on broadcasts of the past."""
