"""Cases: decisions that people take up, from the queue to closed or filed. The evidence itself is in ``vault``."""
