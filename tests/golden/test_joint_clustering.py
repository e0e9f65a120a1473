"""Equal to the published clustering of mentions, ties included."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file

from docre.joint import clusters
from tests.corpora import golden


def test_joint_clusters():
    cases = json.loads(golden("joint/clustering/cases.json").read_text())["cases"]
    matrices = load_file(golden("joint/clustering/matrices.safetensors"))
    assert any(case["tie_break_sensitive"] for case in cases)
    for case in cases:
        similarity = matrices[f"{case['name']}.similarity"]
        assert clusters(similarity, case["threshold"]) == case["clusters"], case["name"]


@pytest.mark.parametrize("kind", ["grc", "mrc"])
@pytest.mark.parametrize("setting", ["default", "loose", "few", "one_cluster", "all_single"])
def test_joint_clusters_of_whole_documents(kind, setting):
    settings = json.loads(golden("joint/joint_inference/settings.json").read_text())
    numbers = load_file(golden(f"joint/joint_inference/{kind}_{setting}.safetensors"))
    threshold = settings[setting]["coref"]
    names = [name for name in numbers if name.endswith(".similarity")]
    assert names
    for name in names:
        labels = numbers[name.replace(".similarity", ".cluster_of")].tolist()
        expected = {}
        for mention, label in enumerate(labels):
            expected.setdefault(label, []).append(mention)
        assert clusters(numbers[name], threshold) == sorted(expected.values()), name
