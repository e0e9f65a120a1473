"""The predictions file is that of the published system."""

from __future__ import annotations

import pytest

from docre.documents import Document, Entity, Mention, Relation
from docre.prediction_forms import extraction_entry
from tests.golden.test_joint_inference import RUNS, outputs


def without_order(entry):
    """Mentions, entities and relations by what they say; the published order is that of labels."""
    spans = [(mention["start"], mention["end"]) for mention in entry["mentions"]]
    entities = [
        (frozenset(spans[number] for number in entity["mentions"]), entity["type"])
        for entity in entry["entities"]
    ]
    relations = {(entities[r["head"]], entities[r["tail"]], r["type"]) for r in entry["relations"]}
    assert len(set(spans)) == len(spans)
    return entry["tokens"], set(spans), set(entities), relations, set(entry)


def document(entry, cut):
    """The document that an entry is made from, with its words in two sentences."""
    words = tuple(entry["tokens"])

    def mention(number):
        start, end = (entry["mentions"][number][key] for key in ("start", "end"))
        return Mention(0, start, end) if end <= cut else Mention(1, start - cut, end - cut)

    entities = tuple(
        Entity(tuple(map(mention, entity["mentions"])), entity["type"])
        for entity in entry["entities"]
    )
    relations = tuple(Relation(r["head"], r["tail"], r["type"]) for r in entry["relations"])
    return Document("d", (words[:cut], words[cut:]), entities, relations)


@pytest.mark.parametrize(("kind", "setting"), RUNS)
def test_entries(kind, setting):
    listed = outputs(kind, setting)["predictions"]
    assert any(entry["entities"] for entry in listed)
    assert any(entry["relations"] for entry in listed) or setting in ("few", "one_cluster")
    for entry in listed:
        inside = {n for m in entry["mentions"] for n in range(m["start"] + 1, m["end"])}
        cut = next(n for n in range(3, len(entry["tokens"]) + 1) if n not in inside)
        assert without_order(extraction_entry(document(entry, cut))) == without_order(entry)
