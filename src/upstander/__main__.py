"""``python -m upstander``: the command line."""

from upstander.cli import main

main()
