"""The evidence vault: what decisions rested on, sealed, encrypted, provable. Which cases there are is in ``cases``."""
