"""What a platform team gets: built as a release is built, checked as the registry checks it, installed where nothing else is."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.py")} | {"firedamper_airflow/py.typed"}


def run(*command: object, **over: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **over)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sdist, and the wheel from the sdist: what is missing there shows here. No network: the tools are installed."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    pip = ("-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-index", "--disable-pip-version-check")
    run(sys.executable, *pip, next(built.glob("*.whl")))
    return folder


def test_the_registry_s_own_check_passes(built: Path) -> None:
    assert run(sys.executable, "-m", "twine", "check", "--strict", *built.iterdir()).count("PASSED") == 2


def test_the_wheel_holds_the_package_its_types_and_its_licence_and_nothing_else(built: Path) -> None:
    names = set(zipfile.ZipFile(next(built.glob("*.whl"))).namelist())
    info = next(name for name in names if name.endswith("/METADATA")).rsplit("/", 1)[0]
    assert {name for name in names if not name.startswith(info)} == SOURCES
    assert f"{info}/licenses/LICENSE" in names


def test_the_sdist_can_be_built_and_read_by_itself(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names
    assert {f"src/{name}" for name in SOURCES} <= names
    assert not [name for name in names if name.startswith("tests")]


def test_metadata_installing_it_moves_no_version_of_anybody_s(built: Path) -> None:
    wheel = zipfile.ZipFile(next(built.glob("*.whl")))
    told = Parser().parsestr(wheel.read(next(name for name in wheel.namelist() if name.endswith("/METADATA"))).decode())
    assert told["Name"] == "airflow-provider-firedamper"
    wanted = told.get_all("Requires-Dist") or []
    assert [each for each in wanted if "extra ==" not in each] == []
    assert told["Requires-Python"] == ">=3.9"
    assert told["License-Expression"] == "Apache-2.0"
    assert "Framework :: Apache Airflow :: Provider" in (told.get_all("Classifier") or [])
    assert "](../" not in told.get_payload(), "the registry's page has no folder above"


def test_installed_airflow_finds_it_and_its_commands_run_without_airflow(installed: Path) -> None:
    python = installed / "bin" / "python"
    script = (
        "from importlib.metadata import distribution\n"
        "for found in distribution('airflow-provider-firedamper').entry_points: print(found.group, found.name, found.value)\n"
    )
    assert sorted(run(python, "-c", script).splitlines()) == [
        "airflow.plugins firedamper firedamper_airflow.plugin:FiredamperPlugin",
        "apache_airflow_provider provider_info firedamper_airflow.provider:get_provider_info",
        "console_scripts firedamper-airflow firedamper_airflow.doctor:main",
        "console_scripts firedamper-spool firedamper_airflow.spool_cli:main",
    ]
    assert "usage: firedamper-airflow" in run(installed / "bin" / "firedamper-airflow", "--help")
    assert "nothing waits" in run(installed / "bin" / "firedamper-spool", "list", "--folder", installed / "spool", env={})
    version = run(installed / "bin" / "firedamper-airflow", "version").strip()
    info = run(python, "-c", "from firedamper_airflow.provider import get_provider_info as get; print(get()['package-name'])")
    assert info.strip() == "airflow-provider-firedamper"
    assert next(installed.rglob("airflow_provider_firedamper-*.dist-info")).name.split("-")[1] == f"{version}.dist"
