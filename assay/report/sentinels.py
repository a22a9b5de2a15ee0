"""What each leak sentinel saw, or why it did not look."""

from typing import Literal, NamedTuple

from assay.judge.sentences import SENTINELS
from assay.store.records import Flag, Sentinel
from assay.store.verdict import Evidence

Found = Literal["alarm", "quiet", "quiet_in_part", "not_looked_for"]
STOPPED = "the plan stopped before models were compared"


class SentinelRow(NamedTuple):
    """One alarm, or one sentinel that raised none; ``evidence`` and ``answer`` are as the record has them."""

    word: str
    sentinel: Sentinel
    found: Found
    evidence: str
    answer: str
    accepted: str | None = None


def sentinel_rows(evidence: Evidence) -> list[SentinelRow]:
    """Return a row for every alarm, every sentinel that kept quiet, and all that was not looked for."""
    audit, tested = evidence.audit, evidence.self_test
    flags, quiet = list(audit.flags), list(audit.looked_for)
    not_asked = {word: str(why) for word, why in audit.not_looked_for.items()}
    if tested is None:
        not_asked["self_test"] = STOPPED
    elif tested.flag is None:
        quiet.append("self_test")
    else:
        flags.append(tested.flag)
    rows = [_alarm(flag) for flag in flags]
    alarmed = {flag.sentinel for flag in flags}
    for word in dict.fromkeys([*quiet, *not_asked]):
        sentinel, why = _sentinel_of(word), not_asked.get(word, "")
        if word not in quiet:
            rows.append(SentinelRow(word, sentinel, "not_looked_for", why, ""))
        elif sentinel not in alarmed:
            found: Found = "quiet_in_part" if why else "quiet"
            rows.append(SentinelRow(word, sentinel, found, why, ""))
    return sorted(rows, key=lambda row: list(SENTINELS).index(row.sentinel))


def _sentinel_of(word: str) -> Sentinel:
    """Return the sentinel a word belongs to: near duplicates are the business of duplicates."""
    return next(sentinel for sentinel in SENTINELS if word.endswith(sentinel))


def _alarm(flag: Flag) -> SentinelRow:
    return SentinelRow(
        flag.sentinel,
        flag.sentinel,
        "alarm",
        str(flag.evidence),
        str(flag.answer),
        flag.accepted,
    )
