"""Adapters: one module a platform. Events in, actions out; each declares what it can do."""
