"""Tactic packs (data): one YAML file a tactic or exposure and language. Read by ``upstander.detect.packs``."""
