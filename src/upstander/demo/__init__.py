"""The demo: a pretend platform that plays scripted broadcasts against a real, running Upstander."""
