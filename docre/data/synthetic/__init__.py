"""A synthetic corpus: a small world of people, places, organisations and works, put into words."""

from docre.data.synthetic.config import SyntheticConfig, SyntheticConfigError
from docre.data.synthetic.corpus import generate, generate_splits
from docre.data.synthetic.noise import clean_labels
from docre.data.synthetic.relations import SYNTHETIC_RELATIONS

__all__ = [
    "SYNTHETIC_RELATIONS",
    "SyntheticConfig",
    "SyntheticConfigError",
    "clean_labels",
    "generate",
    "generate_splits",
]
