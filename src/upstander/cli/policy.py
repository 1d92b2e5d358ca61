"""``upstander policy``: what the policy says, what is wrong with it, and what a change would do."""

from __future__ import annotations

import click

from upstander.cli.policy_backtest import backtest
from upstander.cli.policy_check import check
from upstander.cli.policy_coverage import coverage
from upstander.cli.policy_diff import diff
from upstander.cli.policy_explain import explain

EXAMPLES = """
\b
Examples:
  upstander policy check my-policy.yaml
  upstander policy diff my-policy.yaml
  upstander policy backtest --policy my-policy.yaml
  upstander policy explain my-policy.yaml --replay broadcast.jsonl
  upstander policy coverage --status in_force --strict
"""


@click.group("policy", epilog=EXAMPLES)
def command() -> None:
    """Check, read, compare and try out policies, and see which rules by jurisdiction the running one meets."""


for _subcommand in (check, explain, diff, backtest, coverage):
    command.add_command(_subcommand)
