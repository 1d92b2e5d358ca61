"""Reports: from a case to a hotline. What a report holds is in ``model``; how it gets there is in ``sender``."""
