"""The one task that each of these DAGs has."""

from __future__ import annotations

import json
from typing import Any, Callable, Mapping

from firedamper_airflow.ops.conf import Schema, checked
from firedamper_airflow.ops.refusal import Refused

try:
    from airflow.sdk import BaseOperator
except ImportError:
    from airflow.models.baseoperator import BaseOperator  # 2.9-2.11

Act = Callable[[Mapping[str, Any], Any], "dict[str, Any]"]


class FiredamperOpsOperator(BaseOperator):  # type: ignore[misc,unused-ignore]
    """Checks conf, acts, and returns what was done as its XCom. Templates nothing: conf must never be able to become code."""

    ui_color = "#fde8d8"

    def __init__(self, *, act: Act, conf_schema: Schema, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._act = act
        self._conf_schema = conf_schema

    def execute(self, context: Any) -> dict[str, Any]:
        run = context["dag_run"]
        try:
            # dag_run.conf and not params: what somebody said, before Airflow's own merging
            result = self._act(checked(self._conf_schema, run.conf), context)
        except Refused as refusal:
            raise _final(f"refused, nothing was changed: {refusal}") from None
        self.log.info("result: %s", json.dumps(result, default=str, sort_keys=True))
        failed = result.get("failed_because")
        if failed:
            # A failed task would leave none. By the task instance: the operator itself has no such method any more (3.3.2).
            context["ti"].xcom_push(key="return_value", value=result)
            raise _final(str(failed))
        return result


def _final(message: str) -> Exception:
    """Never tried again: a refusal stays one, and repeating an act is for a person to say."""
    try:
        from airflow.sdk.exceptions import AirflowFailException  # 3.2 and later
    except ImportError:
        from airflow.exceptions import AirflowFailException
    error: Exception = AirflowFailException(message)
    return error
