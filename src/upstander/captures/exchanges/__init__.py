"""Exchanges of fingerprints: one module a contract, all fetched and voted on by ``fetch`` alone.

None was tested against its real server: see the documentation of captures.
"""
