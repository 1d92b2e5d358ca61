"""Captures: fingerprints, banks of them, exchanges with others, the index, tracing, live matching, sightings.

A capture is a recording of a broadcast, found as a file or seen again as a broadcast. No picture is kept here.
"""
