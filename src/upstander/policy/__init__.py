"""Policy: from beliefs to levels and interventions. Pure data and pure functions."""
