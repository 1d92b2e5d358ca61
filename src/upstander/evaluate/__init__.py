"""How well the detector does: functional suites, and labelled corpora with their metrics and report."""
