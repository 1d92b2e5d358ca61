"""Looking after moderators: what they unveiled, breaks, what they prefer, second reviews. Pages are in ``console``."""
