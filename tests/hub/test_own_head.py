"""A head as people write it, without annotations: exported, and loaded by who allows it."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from docre.errors import DocreError
from docre.hub import read_model, save_pretrained
from docre.hub.building import build_model

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture
def own_head(tmp_path, monkeypatch):
    """The module that README.md shows, as a package."""
    (source,) = re.findall(
        r"```python\n(from torch.*?class MeanHead.*?)```", README.read_text(), re.S
    )
    (tmp_path / "readme_heads.py").write_text(f"import torch\n{source}")
    monkeypatch.syspath_prepend(tmp_path)
    yield {"class_path": "readme_heads.MeanHead", "init_args": {"hidden": 7}}
    sys.modules.pop("readme_heads", None)


def test_the_head_of_the_readme(own_head, exported, tmp_path):
    known, allow = read_model(exported), ("readme_heads",)
    arguments = {**known.recipe.arguments, "head": own_head}
    recipe = replace(known.recipe, arguments=arguments)
    model = build_model(recipe, known.relations.names, known.types, known.tokenizer_name, allow)
    made = replace(known, model=model, settings=recipe.to_dict())
    folder = save_pretrained(made, tmp_path / "model")
    with pytest.raises(DocreError, match="--allow readme_heads"):
        read_model(folder)
    loaded = read_model(folder, allow=allow)
    assert loaded.digest == made.digest
    assert loaded.model.head.score[0].out_features == 7
    ours = model.state_dict()
    assert all(torch.equal(ours[k], v) for k, v in loaded.model.state_dict().items())
