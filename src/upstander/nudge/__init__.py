"""Nudges: the cards a child sees at the moment it matters. Content, its lint, the choice of a card, its measurement."""
