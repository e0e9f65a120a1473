"""Every packaged chain puts stages together that are made for one another."""

import re
from inspect import signature

import pytest
import yaml

from docre.chain.stages import DistilStage, FitStage, find_chain, read_chain
from docre.configs import config_folder, config_names, find_config, summary
from docre.distillation.command import distil
from docre.fusion.command import fuse_run

CHAINS = [name for name in config_names() if name.startswith("chains/")]
STAGES = {
    "dreeam": ["teacher", "student", "finetune", "fusion"],
    "kd_docre": ["teacher", "scores", "student", "finetune"],
    "ttm": ["distant", "finetune"],
}


def content(name):
    return yaml.safe_load((config_folder() / name).read_text(encoding="utf-8"))


def stem(name):
    return name.removesuffix(".yaml")


def class_of(part):
    """Return the name of a part's class."""
    return part["class_path"].rpartition(".")[2]


@pytest.mark.parametrize("name", CHAINS)
def test_the_stages_of_a_chain_are_made_for_one_another(name):
    stages = read_chain(find_chain(name)).stages
    encoder = "bert-base-cased" if "_bert" in name else "roberta-large"
    for stage in stages.values():
        if isinstance(stage, FitStage):
            (config,) = stage.configs
            model, data = (content(config)[key] for key in ("model", "data"))
            assert data["init_args"]["tokenizer"] == encoder
            hidden = class_of(data) in ("DocRED", "DocREDDistant")
            assert stage.test == (not hidden)  # nothing can be scored on hidden labels
            # what the chain puts in its place would be the run of the same configuration
            before = stages[stage.init_from].fit if stage.init_from else None
            assert model.get("init_from") == (before and f"runs/{stem(before)}/version_0")
            assert (stage.teacher is None) == ("teacher" not in model)
            if stage.teacher is not None:
                asked = stages[stage.teacher]
                by_file = isinstance(asked, DistilStage)
                kind = "StoredScores" if by_file else "OnlineTeacher"
                assert class_of(model["teacher"]) == kind
                (path,) = (v for v in model["teacher"]["init_args"].values() if isinstance(v, str))
                run = stages[asked.distil].fit if by_file else asked.fit
                assert path.startswith(f"runs/{stem(run)}/version_0")
        else:
            command = distil if isinstance(stage, DistilStage) else fuse_run
            assert stage.options.keys() <= signature(command).parameters.keys()
    assert list(stages) == next(names for system, names in STAGES.items() if system in name)


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_says_what_it_is(name):
    text = (config_folder() / name).read_text(encoding="utf-8")
    assert summary(config_folder() / name).endswith(".")
    for word in re.findall(r"docre chain (\S+)", text):
        assert word == name
        assert find_config(word) == config_folder() / name
    assert "docre chain" in text
    assert "\n# Published: " in text
