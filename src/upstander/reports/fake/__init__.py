"""A stand-in for NCMEC's CyberTipline, for tests: stateful, strict, and with faults on demand. It reports nothing."""
