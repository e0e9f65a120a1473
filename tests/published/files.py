"""Files as the authors of published systems would have left them, small."""

from __future__ import annotations

import json

import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel, BertTokenizer

from tests.corpora import golden

SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", "*", "[unused1]"]


def config_of(hidden, layers=1, heads=4, vocab=60, positions=512, feed_forward=None):
    """A BERT's configuration."""
    return {
        "model_type": "bert",
        "vocab_size": vocab,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": feed_forward or 2 * hidden,
        "max_position_embeddings": positions,
        "pad_token_id": 0,
    }


def encoder_folder(folder, config, special=SPECIAL):
    """Write what a pretrained encoder's folder has beside its weights."""
    words = [*special, *(f"w{k}" for k in range(config["vocab_size"] - len(special)))]
    BertTokenizer(vocab={word: k for k, word in enumerate(words)}).save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def relations_file(path, number):
    """Write the names and numbers of so many relations, as DocRED has them."""
    path.write_text(json.dumps({"Na": 0, **{f"P{k}": k for k in range(1, number + 1)}}))
    return path


def bert_weights(config, prefix, seed=0):
    """A BERT's weights as older versions of transformers saved them: with pooler and positions."""
    torch.manual_seed(seed)
    given = {name: value for name, value in config.items() if name != "model_type"}
    weights = BertModel(BertConfig(**given)).state_dict()
    weights["embeddings.position_ids"] = torch.arange(config["max_position_embeddings"])[None]
    return {prefix + name: value for name, value in weights.items()}


def golden_weights(name):
    """Published weights by their golden file's name, without its ending."""
    return load_file(golden(f"{name}.safetensors"))
