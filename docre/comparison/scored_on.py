"""What a score was measured on: two scores can be compared if that is the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docre.scoring.joint import LEVELS

_TASKS = {"triples": "triples of given entities", "joint": "joint extraction"}
_GOLD = ("gold", "mention_gold", "relation_strict_gold")


@dataclass(frozen=True)
class ScoredOn:
    """Task, documents, labels and facts of a score; ``None`` for what is not known.

    Args:
        task: ``triples`` of given entities, or ``joint`` extraction.
        split: ``test`` or ``dev``.
        file: Name of the file.
        checksum: Of the file.
        documents: Documents scored.
        gold: Gold triples, or mentions and relations of joint extraction; empty if unknown.
        facts: Checksums of the facts that Ign F1 leaves out.
        fact_names: What they are called, with their number.
    """

    task: str
    split: str
    file: str | None
    checksum: str | None
    documents: int | None
    gold: tuple[tuple[str, int], ...]
    facts: tuple[str, ...] | None
    fact_names: str = ""

    @classmethod
    def of_file(cls, body: Mapping[str, Any], split: str) -> ScoredOn:
        """Return what a score file says of itself."""
        scores, data = body["scores"], body.get("data", {}).get(split) or {}
        facts = body.get("facts") or []
        return cls(
            task=_task(scores),
            split=split,
            file=_name(data),
            checksum=data.get("xxh3_128"),
            documents=scores.get("documents"),
            gold=tuple((key, int(scores[key])) for key in _GOLD if key in scores),
            facts=tuple(fact["checksum"] for fact in facts),
            fact_names=", ".join(f"{fact['name']} ({fact['count']:,} facts)" for fact in facts),
        )

    @classmethod
    def of_log(cls, record: Mapping[str, Any], scores: Mapping[str, float]) -> ScoredOn:
        """Return what is known of scores in the log of a training."""
        data = record.get("data", {}).get("dev") or {}
        task = _task(scores)
        return cls(task, "dev", _name(data), data.get("xxh3_128"), None, (), None)

    def against(self, other: ScoredOn) -> Iterator[str]:
        """Yield why scores on the one say nothing about scores on the other.

        Other facts forbid only to compare Ign F1, so they are no reason.
        """
        if self.task != other.task:
            yield f"{_TASKS[self.task]} instead of {_TASKS[other.task]}"
        if self.split != other.split:
            yield f"the {self.split} split instead of {other.split}"
        elif _differ(self.checksum, other.checksum):
            mine, other_file = (f"{one.file} #{(one.checksum or '')[:8]}" for one in (self, other))
            yield f"other data: {mine} instead of {other_file}"
        elif _differ(self.documents, other.documents):
            yield f"{self.documents:,} documents of the file instead of {other.documents:,}"
        else:
            for key, number in self.gold:
                theirs = dict(other.gold).get(key, number)
                if number != theirs:
                    yield f"other labels: {number:,} ({key}) instead of {theirs:,}"

    def __str__(self) -> str:
        parts = [f"{self.split} split, {self.file or 'unknown file'}"]
        if self.documents is not None:
            parts.append(f"{self.documents:,} documents")
        if self.fact_names:
            parts.append(f"Ign F1 without {self.fact_names}")
        return "; ".join(parts)


def is_overall(score: str) -> bool:
    """Tell the scores that every epoch of a training has, of triples or of a level, from others."""
    return score == "f1" or score in {f"{level}_f1" for level in LEVELS}


def _task(scores: Mapping[str, float]) -> str:
    # the log of a joint model has "f1" too: it is that of its last level
    return "joint" if any(f"{level}_f1" in scores for level in LEVELS) else "triples"


def _name(data: Mapping[str, Any]) -> str | None:
    return Path(data["file"]).name if "file" in data else None


def _differ(mine: object, theirs: object) -> bool:
    return None not in (mine, theirs) and mine != theirs
