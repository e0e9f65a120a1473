"""Ign F1 of a table leaves out the same facts in every row, or is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from docre.comparison.runs import ScoredRun
from docre.comparison.scored_on import ScoredOn

Member = tuple[str, ScoredRun]


def with_same_facts(
    members: Sequence[Member], on: ScoredOn
) -> tuple[list[Member], ScoredOn, list[str]]:
    """Take Ign F1 from the runs where it leaves out other facts than in most runs.

    Every other score is the same with any facts.

    Args:
        members: Runs that were scored on the same, with the names of their rows.
        on: What they were scored on.

    Returns:
        The runs, what they were scored on with the facts of most, and why some have no Ign F1.
    """
    known = Counter(one.on.facts for _, one in members if one.on.facts)
    if not known:
        return list(members), on, []
    facts = known.most_common(1)[0][0]
    names = next(one.on.fact_names for _, one in members if one.on.facts == facts)
    others: dict[str, dict[str, None]] = {}
    kept = []
    for name, one in members:
        if one.on.facts not in (None, facts):
            others.setdefault(one.on.fact_names or "no facts", {})[name] = None
            scores = {key: v for key, v in one.scores.items() if not key.startswith("ign_")}
            one = replace(one, scores=scores)
        kept.append((name, one))
    notes = [
        f"no Ign F1 of {', '.join(rows)}: it leaves out other facts, {other} instead of {names}"
        if other != "no facts"
        else f"no Ign F1 of {', '.join(rows)}: scored without facts, not with {names}"
        for other, rows in others.items()
    ]
    return kept, replace(on, facts=facts, fact_names=names), notes
