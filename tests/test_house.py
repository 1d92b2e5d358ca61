"""What a reader of the project may rely on: it is tidy, generated pages are current, dependencies point one way."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "upstander"
MODULES = sorted(SOURCE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The project's own modules that a module imports, as dotted names below ``upstander``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.removeprefix("upstander.") for name in names if name.startswith("upstander.")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_stay_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


PURE = ("model", "detect", "engine", "policy")
ALLOWED = {
    "model": ("model",),
    "detect": ("model", "detect"),
    "engine": ("model", "detect", "engine"),
    "policy": ("model", "engine.assessment", "policy"),
}


@pytest.mark.parametrize("package", PURE)
def test_dependencies_point_one_way(package: str) -> None:
    for path in (SOURCE / package).glob("*.py"):
        for name in imports(path):
            if name.split(".")[0] in {p.name for p in SOURCE.iterdir()} | {"runtime"}:
                assert name.startswith(ALLOWED[package]), f"{path.name} imports {name}"


@pytest.mark.parametrize("package", ["model", "engine", "policy"])
def test_what_is_pure_has_no_clock_no_chance_and_no_files(package: str) -> None:
    banned = re.compile(r"^\s*(?:import|from) (?:time|random|secrets|os|socket|sqlite3|asyncio|threading|uuid)\b", re.M)
    for path in (SOURCE / package).glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert banned.search(text) is None, path.name
        assert "datetime.now" not in text
        assert "open(" not in re.sub(r"\w+_?open\(|def open_|open_broadcast\(", "", text), path.name


@pytest.mark.parametrize("script", ["generate_reference", "generate_detect_data", "train_paraphrase"])
def test_what_is_generated_is_current(script: str) -> None:
    command = [sys.executable, str(ROOT / f"scripts/{script}.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http", "mailto")):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} -> {target}"


def test_no_identification_anywhere() -> None:
    """No field and no dependency for recognising faces or people: the boundary, as a test."""
    banned = re.compile(r"face_?(?:embedding|encoding|recogni|vector|id\b)|face_recognition|insightface|facenet", re.I)
    files = [*MODULES, ROOT / "pyproject.toml", ROOT / "uv.lock"]
    assert [p.name for p in files if banned.search(p.read_text(encoding="utf-8"))] == []
