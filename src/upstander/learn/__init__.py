"""Learning: models trained on the packs' examples and, in the shadow, on moderators' verdicts."""
