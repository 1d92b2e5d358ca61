"""Matrix: ``module`` runs inside Synapse and asks before a message is sent; ``adapter`` acts by a client's means.

``module``, ``link`` and ``events`` need nothing but Synapse and its Twisted: Upstander is installed there without its
dependencies. The two sides share ``words``.
"""
