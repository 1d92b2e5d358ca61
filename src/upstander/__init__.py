"""Upstander keeps children safe on live streams: it watches broadcasts, decides, steps in and keeps the record."""

__version__ = "0.1.0"
