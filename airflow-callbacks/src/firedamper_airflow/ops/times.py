"""Points in time as conf gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Optional

from firedamper_airflow.ops.refusal import Refused


def instant(value: Any, what: str) -> Optional[datetime]:
    """ISO 8601 with an offset or Z. A time without one would mean another range in another place: refused."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(str(value).replace("Z", "+00:00"))  # Python before 3.11 does not read Z
    except ValueError:
        raise Refused(f"{what}: {str(value)[:60]!r} is no time like 2026-01-31T12:00:00Z") from None
    if at.tzinfo is None:
        raise Refused(f"{what}: {value} has no offset; write 2026-01-31T12:00:00Z")
    return at
