from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from firedamper_airflow import courier, guard, reporter, sender, settings
from receiver import SECRET, Receiver


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings but those of the test, and nothing left in this process from the one before."""
    ours = ("FIREDAMPER_", "AIRFLOW_CONN_", "AIRFLOW_CTX_")
    for name in [name for name in os.environ if name.startswith(ours) or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    guard.take_lost()
    settings.forget()
    reporter._told.clear()
    sender._senders.clear()
    yield
    courier._forget()
    sender._senders.clear()
    settings.forget()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def configured(receiver: Receiver, spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setenv("FIREDAMPER_URL", receiver.url)
    monkeypatch.setenv("FIREDAMPER_SECRET", SECRET)
    monkeypatch.setenv("FIREDAMPER_AIRFLOW", "prod")
    monkeypatch.setenv("FIREDAMPER_SPOOL_DIR", str(spool_dir))
    return receiver
