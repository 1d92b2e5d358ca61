"""People: accounts, what they may do, their sessions, and the ledger of what they looked at and did."""
