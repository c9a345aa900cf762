from __future__ import annotations

import base64
from typing import Any

import pytest

from firedamper_airflow import signing

EVENT = {
    "kind": "task_failed",
    "dag_id": "d",
    "run_id": "r",
    "task_id": "t",
    "map_index": -1,
    "try_number": 1,
    "run_start_date": "2026-11-21T03:20:01.004210+00:00",
}


def test_signature_is_the_one_that_standard_webhooks_libraries_share() -> None:
    key = signing.key_from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signing.headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("correct horse battery staple, long", "whsec_<base64>"),
        ("whsec_not base64!", "not base64"),
        ("whsec_" + base64.b64encode(b"short").decode(), "this one 5"),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), "this one 65"),
    ],
)
def test_secret_in_the_wrong_form_is_named_with_the_way_to_make_one(secret: str, why: str) -> None:
    with pytest.raises(signing.BadSecret, match="openssl rand -base64 32") as caught:
        signing.key_from(secret)
    assert why in str(caught.value)
    assert secret.replace("whsec_", "") not in str(caught.value)


def test_id_is_the_same_for_the_same_failure_whatever_else_is_said() -> None:
    other = {**EVENT, "occurred_at": "later", "exception": None, "source": "callback", "run_start_date": None}
    assert signing.webhook_id("prod", EVENT) == signing.webhook_id("prod", other)


@pytest.mark.parametrize(
    "over", [{"dag_id": "x"}, {"run_id": "x"}, {"task_id": "x"}, {"map_index": 0}, {"try_number": 2}, {"kind": "task_retry"}]
)
def test_id_differs_for_another_failure(over: dict[str, Any]) -> None:
    assert signing.webhook_id("prod", {**EVENT, **over}) != signing.webhook_id("prod", EVENT)
    assert signing.webhook_id("test", EVENT) != signing.webhook_id("prod", EVENT)


def test_id_cannot_be_forged_by_separators() -> None:
    one = {**EVENT, "dag_id": 'a","b', "run_id": "c"}
    two = {**EVENT, "dag_id": "a", "run_id": 'b","c'}
    assert signing.webhook_id("prod", one) != signing.webhook_id("prod", two)
