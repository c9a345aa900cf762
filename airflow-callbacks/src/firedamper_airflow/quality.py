"""What the check operators of the common.sql provider, and those of other providers built on them, found out about a table.

They are known by what they have, not by their names: BigQuery's and Snowflake's are other classes with the same attributes. Read from
the operator itself where ``execute`` left its results there, from the words of its exception where that is all there is. Seen:
common.sql 1.14.2 (of 2.9's time), 1.21.0, 1.28.0, 1.33.0, 2.0.1 and 2.1.1 (which keep ``check_results``). Only what says that data was
looked at and found wanting counts: a connection that was refused is no statement about the data.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping, Optional

from firedamper_airflow.reading import instant, is_a, mask, measure, read, text

Check = dict[str, Any]
Quality = dict[str, Any]

MAX_CHECKS = 100
MAX_COLUMNS = 200
MAX_TEXT = 16 * 1024

#: The words that these operators fail with, in all versions seen.
FOUND_WANTING = (
    "Test failed.",
    "The following query returned zero rows",
    "The following tests have failed",
    "Threshold Check: ",
)

_RULES = (("equal_to", "="), ("greater_than", ">"), ("geq_to", ">="), ("less_than", "<"), ("leq_to", "<="))
_NUMBER = r"(-?[\w.+-]+)"
_WITHIN = re.compile(r"Result: (.{1,200}?) is not within thresholds (.{1,200}?) and (.{1,200})")
_RESULTS = re.compile(r"Results:\n(.{1,1024})", re.DOTALL)
_TABLE = re.compile(r"\b(?:from|join)\s+([\w.$\-\"`\[\]]+)", re.IGNORECASE)
_CTE = re.compile(r"\b([\w$]+)\s+as\s*\(", re.IGNORECASE)


def of_operator(task: Any, error: Any) -> Optional[Quality]:
    """None where this is no check operator, or where it failed before it had looked."""
    if task is None:
        return None
    reader = next((reader for applies, reader in _READERS if applies(task)), None)
    if reader is None:
        return None
    words = text(error)[:MAX_TEXT] if error is not None else ""
    told = _told(words)
    checks = reader(task, words) if told else _results(task)
    failed = any(not check["passed"] for check in checks)
    if not told and not failed:
        return None
    if not failed:
        # It says that the data is wrong, but not what exactly.
        checks.append(check_of("sql_check", threshold=None, measured=None, passed=False))
    return quality_of(_table(task), checks)


def quality_of(table: Any, checks: list[Check], interval: Any = None) -> Quality:
    start, end = interval if is_a(interval, (tuple, list)) and len(interval) == 2 else (None, None)
    return {
        "table": text(table)[:1024] or None,
        "interval_start": instant(start),
        "interval_end": instant(end),
        "checks": sorted(checks, key=lambda check: bool(check["passed"]))[:MAX_CHECKS],
    }


def check_of(check: Any, *, column: Any = None, measured: Any = None, threshold: Any = None, passed: Any = False) -> Check:
    return {
        "check": text(check)[:256] or "check",
        "column": text(column)[:1024] or None,
        "measured": _masked(measure(measured)),
        "threshold": _masked(measure(threshold)),
        "passed": passed is True,
    }


def schema_change_of(table: Any, added: Any, removed: Any, changed: Any) -> dict[str, Any]:
    """``changed``: a mapping of column to (before, after), or to what it is now; or a list of columns, of dicts as they are sent."""
    return {
        "table": text(table)[:1024] or None,
        "added": _columns(added),
        "removed": _columns(removed),
        "changed": [_change(one) for one in _pairs(changed)][:MAX_COLUMNS],
    }


# --- operators -------------------------------------------------------------------------------------------------------------------


def _told(words: str) -> bool:
    return words.startswith(FOUND_WANTING) or "\nTest failed." in words


def _column_checks(task: Any, words: str) -> list[Check]:
    found = []
    for column, checks in _mapping(read(task, "column_mapping")).items():
        for name, values in _mapping(checks).items():
            if is_a(values, dict) and ("success" in values or "result" in values):
                passed = bool(values.get("success"))
                found.append(check_of(name, column=column, measured=values.get("result"), threshold=_rule(values), passed=passed))
    return found or _none_looked_at(words)


def _table_checks(task: Any, words: str) -> list[Check]:
    found = []
    for name, values in _mapping(read(task, "checks")).items():
        if is_a(values, dict) and "success" in values:
            passed = bool(values["success"])
            # Before 2.0 the operator keeps the verdict only; its words have the row, ('name', value).
            row = re.search(rf"\('{re.escape(text(name))}', ([^(){{}}]{{1,200}}?)\)", words)
            measured = _as_number(text(values["result"])) if "result" in values else _as_number(row.group(1)) if row else None
            found.append(check_of(name, measured=measured, threshold=values.get("check_statement"), passed=passed))
    return found or _none_looked_at(words)


def _value_check(task: Any, words: str) -> list[Check]:
    wanted, tolerance = text(read(task, "pass_value")), read(task, "tol")
    threshold = f"= {wanted}"
    if is_a(tolerance, float) and is_a(_as_number(wanted), (int, float)):
        middle, margin = float(wanted), abs(float(wanted)) * tolerance
        threshold = f">= {middle - margin:.10g} and <= {middle + margin:.10g}"
    return [check_of("value_check", measured=_result(words), threshold=threshold)]


def _interval_check(task: Any, words: str) -> list[Check]:
    found = _results(task)
    if found:
        # Named interval_<metric>, with the bound of the ratio (2.0.1, 2.1.1).
        return [
            {
                **check,
                "check": check["check"].removeprefix("interval_") or check["check"],
                "threshold": f"ratio {check['threshold']}",
            }
            for check in found
        ]
    # Old ones name the failed metrics, newer ones write a dict for each; the operator itself keeps nothing.
    limits = _mapping(read(task, "metrics_thresholds"))
    told = words.partition("The following tests have failed:")[2]
    for metric, limit in limits.items():
        name = re.escape(text(metric))
        if re.search(rf"(?:^|[\s,;]){name}(?:[,;:]|\s*$)", told):
            ratio = re.search(rf"'metric': '{name}'.*?'ratio': {_NUMBER}", told)
            found.append(
                check_of(metric, measured=_as_number(ratio.group(1)) if ratio else None, threshold=f"ratio < {text(limit)}")
            )
    return found or _none_looked_at(words)


def _threshold_check(task: Any, words: str) -> list[Check]:
    told = _WITHIN.search(words)
    low, high = (told.group(2), told.group(3)) if told else (read(task, "min_threshold"), read(task, "max_threshold"))
    threshold = f">= {text(low)} and <= {text(high).strip()}"
    return [check_of("threshold_check", measured=_as_number(told.group(1)) if told else None, threshold=threshold)]


def _plain_check(task: Any, words: str) -> list[Check]:
    return [check_of("sql_check", measured=_result(words), threshold="every value true")]


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, str], list[Check]]], ...] = (
    (lambda task: is_a(read(task, "column_mapping"), dict), _column_checks),
    (lambda task: is_a(read(task, "checks"), dict) and read(task, "table") is not None, _table_checks),
    (lambda task: is_a(read(task, "metrics_thresholds"), dict), _interval_check),
    (lambda task: _has_sql(task) and read(task, "pass_value") is not None, _value_check),
    (lambda task: _has_sql(task) and read(task, "min_threshold") is not None, _threshold_check),
    # The plainest of them has a query and nothing else; so have operators that look at nothing. Its words decide.
    (lambda task: _has_sql(task) and read(task, "follow_task_ids_if_true") is None, _plain_check),
)


def _has_sql(task: Any) -> bool:
    return is_a(read(task, "sql"), (str, list))


def _results(task: Any) -> list[Check]:
    """common.sql 2.0 and later: what was checked, in one form for all operators, kept for listeners such as this one."""
    found = []
    results = read(task, "check_results")
    for one in results if is_a(results, list) else ():
        if read(one, "severity") in (None, "error"):
            name, column = read(one, "name"), read(one, "column")
            found.append(
                check_of(
                    name if name is not None else read(one, "check_type"),
                    column=column,
                    measured=_as_number(text(read(one, "actual"))) if read(one, "actual") is not None else None,
                    threshold=read(one, "expected"),
                    passed=read(one, "success") is True,
                )
            )
    return found


def _none_looked_at(words: str) -> list[Check]:
    """The query gave no rows: there was nothing to check, which is a finding too."""
    if "returned zero rows" not in words:
        return []
    return [check_of("row_count", measured=0, threshold="> 0")]


def _rule(values: Mapping[str, Any]) -> str:
    rule = " and ".join(f"{sign} {text(values[name])}" for name, sign in _RULES if name in values)
    tolerance = values.get("tolerance")
    return f"{rule} (tolerance {text(tolerance)})" if tolerance else rule


def _result(words: str) -> Any:
    if "returned zero rows" in words:
        return "no rows"
    told = _RESULTS.search(words)
    if told is None:
        return None
    # One value in one row is that value; anything else stays as it was printed.
    one = re.fullmatch(r"[\[(]\s*([^,()\[\]]+?)\s*,?\s*[\])]", told.group(1).strip())
    return _as_number(one.group(1)) if one else told.group(1).strip()


def _as_number(found: str) -> Any:
    found = found.strip()
    try:
        return int(found) if re.fullmatch(r"-?\d{1,15}", found) else float(found)
    except ValueError:
        return found


def _table(task: Any) -> Optional[str]:
    named = read(task, "table") or read(task, "table_id")
    if is_a(named, str) and named:
        return text(named)
    sql = read(task, "sql")
    return _only_table(text(sql[0] if is_a(sql, list) and sql else sql)[:MAX_TEXT])


def _only_table(sql: str) -> Optional[str]:
    """Of a query that reads from one table. From several: none of them, since a wrong name is worse than no name."""
    sql = re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", " ", sql, flags=re.DOTALL)
    own = {name.lower() for name in _CTE.findall(sql)}
    names = {re.sub(r"[\"`\[\]]", "", name) for name in _TABLE.findall(sql)}
    names = {name for name in names if name and name.lower() not in own}
    return names.pop() if len(names) == 1 else None


# --- what people hand over -------------------------------------------------------------------------------------------------------


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if is_a(value, dict) else {}


def _masked(value: Any) -> Any:
    return mask(value) if is_a(value, str) else value


def _columns(names: Any) -> list[str]:
    if names is None:
        return []
    return [text(name)[:1024] for name in ([names] if is_a(names, str) else names)][:MAX_COLUMNS]


def _pairs(changed: Any) -> list[Any]:
    if changed is None:
        return []
    return list(changed.items()) if is_a(changed, dict) else [changed] if is_a(changed, str) else list(changed)


def _change(one: Any) -> dict[str, Optional[str]]:
    before: Any = None
    after: Any = None
    if is_a(one, dict):
        column, before, after = one.get("column"), one.get("before"), one.get("after")
    elif is_a(one, (tuple, list)):
        column, after = one[0], one[-1]
        if len(one) == 3:
            before = one[1]
        elif len(one) == 2 and is_a(after, (tuple, list)) and len(after) == 2:
            before, after = after
    else:
        column = one
    return {"column": text(column)[:1024], "before": text(before)[:1024] or None, "after": text(after)[:1024] or None}
