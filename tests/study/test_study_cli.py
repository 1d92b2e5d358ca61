"""The study commands from a new study to a table, as an analyst uses them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from upstander.cli import group
from upstander.cli.study import EXTRA, SUBCOMMANDS
from upstander.study import files
from upstander.study.codebook import shipped
from upstander.study.invented import invent


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(group, ["study", *map(str, arguments)], standalone_mode=False)
    found = result.return_value if isinstance(result.return_value, int) else getattr(result.exception, "exit_code", 0)
    assert found == status, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("practice") / "s"
    run("new", folder, "--title", "Practice", "--invented", 900)
    return folder


def test_every_subcommand_has_a_page_of_help_with_examples() -> None:
    for name in SUBCOMMANDS:
        text = CliRunner().invoke(group, ["study", name, "--help"]).output
        assert "Examples:" in text, name


def test_from_a_new_study_to_a_table(tmp_path: Path) -> None:
    folder, path = tmp_path / "s", tmp_path / "items.csv"
    run("new", folder, "--title", "Spring")
    assert "is a study already" in str(run("new", folder, "--title", "Again", status=2).exception)
    items = files.as_text(invent(60))
    items.write_csv(path)
    refused = run("import", folder, path, "--json", status=1)
    assert {fault["field"] for fault in json.loads(refused.output)["faults"]} >= {"coder_id"}
    for name in ("ada", "bo", "cy"):
        run("coder", folder, name, "--trained-on", "2024-01-01")
    assert "60 new items, 60 new codings" in run("import", folder, path).output
    assert "0 faults. 60 items settled" in run("check", folder).output
    shown = json.loads(run("table", folder, "sex", "--json").output)
    assert shown["table"]["n"] == 60
    assert "must come from one" in run("table", folder, "setting", "category").output


def test_a_file_is_checked_before_it_is_imported(practice: Path, tmp_path: Path) -> None:
    path = tmp_path / "wrong.jsonl"
    row = files.as_text(invent(1)).with_columns(pl.lit("x1").alias("item_id"), pl.lit("D").alias("category"))
    row.write_ndjson(path)
    assert "row 1, category: is not one of A, B, C" in run("check", practice, path, status=1).output
    assert "Nothing was taken in" in run("import", practice, path, status=1).output


def test_the_codebook_is_printed_with_rules_and_limits() -> None:
    text = run("check", "--codebook").output
    assert "trained assessor" in text
    assert "ICCAM" in text
    assert len(json.loads(run("check", "--codebook", "--json").output)["fields"]) == len(shipped().fields)


def test_agreement_drift_and_what_waits(practice: Path) -> None:
    text = run("agree", practice, "--drift").output
    assert "category" in text
    assert "items wait for a decision" in text
    found = json.loads(run("agree", practice, "--json").output)
    assert {one["field"] for one in found["alphas"]} == {field.name for field in shipped().judged}
    assert found["waiting"] > 0


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_an_export_says_that_it_is_not_for_publishing_and_comes_in_again(
    practice: Path, tmp_path: Path, suffix: str
) -> None:
    path, folder = tmp_path / f"all.{suffix}", tmp_path / "s"
    assert "publish tables, not this" in run("export", practice, path, "--codings").output
    run("new", folder, "--title", "Again")
    for name in ("ada", "bo", "cy"):
        run("coder", folder, name, "--trained-on", "2024-01-01")
    assert "900 new items, 990 new codings" in run("import", folder, path).output


def test_wrong_names_are_answered_with_the_right_ones(practice: Path) -> None:
    assert "age_category" in run("table", practice).output
    wrong = run("table", practice, "agee", status=2).exception
    assert "there is no table or field 'agee'" in str(wrong)
    assert "age_category" in str(wrong)
    assert "is not a study" in str(run("agree", practice / "nowhere", status=2).exception)
    assert "there is no study 'iwf'" in str(run("reproduce", "--study", "iwf", status=2).exception)


def test_what_is_missing_is_named_when_the_extra_is_not_installed() -> None:
    code = (
        "import sys\n"
        f"for name in {sorted(EXTRA)!r}: sys.modules[name] = None\n"
        "from upstander.cli import main\n"
        "sys.argv = ['upstander', 'study', 'report', 'x', '--json']\n"
        "main()\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "pip install 'upstander[study]'" in result.stderr


def test_the_group_loads_nothing_heavy_for_its_help() -> None:
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom upstander.cli import group\n"
        "assert CliRunner().invoke(group, ['study', '--help']).exit_code == 0\n"
        f"print(sorted(set(sys.modules) & {EXTRA!r}))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
