"""Teaching: lesson packs, a simulated stream for classes, newsletters, exports, and what was learnt."""
