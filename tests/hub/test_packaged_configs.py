"""Every packaged configuration makes a model that can be exported."""

import msgspec
import pytest
from jsonargparse import ArgumentParser

import docre.training  # noqa: F401 - short class names are those of imported classes
from docre.configs import config_names, find_config
from docre.hub.building import build_model, check_recipe, predicting_recipe
from docre.model_class import DEFAULT, load_model_class

pytestmark = pytest.mark.slow
NAMES = [name for name in config_names() if "/" not in name]
RELATIONS = tuple(f"P{number}" for number in range(5))
TYPES = ("PER", "LOC")
# the architectures differ in size alone
TINY = {
    "model_type": "bert",
    "vocab_size": 90,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 16,
}


@pytest.mark.parametrize("name", NAMES)
def test_exportable(name):
    """All that a checkpoint of it would say is allowed, and makes the model anew."""
    config = msgspec.yaml.decode(find_config(name).read_bytes())
    path = config.get("model_class", DEFAULT)
    model_class = load_model_class(path)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(model_class, "model")
    whole = msgspec.json.decode(
        parser.dump(
            parser.parse_object({"model": config["model"]}), format="json", skip_validation=True
        )
    )["model"]
    recipe = predicting_recipe(path, model_class.family, whole, TINY)
    check_recipe(recipe)
    assert build_model(recipe, RELATIONS, TYPES, "none").is_built
