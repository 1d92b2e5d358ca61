"""Video and audio of a live broadcast into ``frame`` and ``speech`` events. Matching hashes is not done here."""
