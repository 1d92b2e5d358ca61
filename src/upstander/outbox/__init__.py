"""The outbox: every intervention, from asked for to acknowledged, through a state machine that can be looked at."""
