"""The rows of the table of sentinels: alarms, quiet ones, and what was not looked for."""

from typing import Literal, NamedTuple, get_args

from assay.store.records import Flag, Sentinel
from assay.store.verdict import Evidence
from assay.wording import Sentence

State = Literal["alarm", "quiet", "quiet_in_part", "not_looked_for"]
_ORDER: tuple[Sentinel, ...] = get_args(Sentinel)
_STOPPED = Sentence("report.data.stopped_before")


class SentinelRow(NamedTuple):
    """An alarm, or a sentinel or part of one (``word``) that raised none."""

    word: str
    sentinel: Sentinel
    state: State
    evidence: Sentence | None = None
    answer: Sentence | None = None
    accepted: str | None = None


def sentinel_rows(evidence: Evidence) -> list[SentinelRow]:
    """Return a row for every alarm, every sentinel that kept quiet, and all that was not looked for."""
    audit, self_test = evidence.audit, evidence.self_test
    flags, quiet = list(audit.flags), list(audit.looked_for)
    not_looked_for = dict(audit.not_looked_for)
    if self_test is None:
        not_looked_for["self_test"] = _STOPPED
    elif self_test.flag is None:
        quiet.append("self_test")
    else:
        flags.append(self_test.flag)
    alarmed = {flag.sentinel for flag in flags}
    rows = [_alarm(flag) for flag in flags]
    for word in dict.fromkeys([*quiet, *not_looked_for]):
        sentinel, why = _sentinel_of(word), not_looked_for.get(word)
        if word not in quiet:
            rows.append(SentinelRow(word, sentinel, "not_looked_for", why))
        elif sentinel not in alarmed:
            state: State = "quiet_in_part" if why else "quiet"
            rows.append(SentinelRow(word, sentinel, state, why))
    return sorted(rows, key=lambda row: _ORDER.index(row.sentinel))


def _sentinel_of(word: str) -> Sentinel:
    """Return the sentinel a word belongs to: near duplicates are the business of duplicates."""
    return next(sentinel for sentinel in _ORDER if word.endswith(sentinel))


def _alarm(flag: Flag) -> SentinelRow:
    return SentinelRow(
        word=flag.sentinel,
        sentinel=flag.sentinel,
        state="alarm",
        evidence=flag.evidence,
        answer=flag.answer,
        accepted=flag.accepted,
    )
