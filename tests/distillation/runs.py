"""A tiny run of ``docre fit`` on a few made-up documents."""

import os
from contextlib import chdir

from docre.training import run

TINY = """
seed_everything: 7
model:
  encoder:
    class_path: docre.encoder.Encoder
    init_args:
      config:
        model_type: bert
        vocab_size: 900
        hidden_size: 16
        num_hidden_layers: 1
        num_attention_heads: 2
        intermediate_size: 32
        max_position_embeddings: 512
  head:
    class_path: docre.heads.PairHead
    init_args:
      width: 16
      classifier:
        class_path: docre.heads.GroupedBilinear
        init_args: {block_size: 4}
  rates:
    encoder: {lr: 2.0e-3}
    head: {lr: 2.0e-3}
data:
  class_path: docre.data.modules.SyntheticDocRED
  init_args:
    data_dir: data
    train_documents: 12
    dev_documents: 5
    test_documents: 5
    vocabulary_size: 900
    batches: {eval_batch_size: 2}
    reading: {cache_dir: cache}
dashboard: {drawings: 0}  # pictures take longer than the training
trainer:
  accelerator: cpu
  devices: 1
  max_epochs: 1
  enable_progress_bar: false
"""


def fit(folder, *arguments, name="tiny"):
    """Train in a folder and return the run folder."""
    (folder / f"{name}.yaml").write_text(TINY)
    with chdir(folder):
        run(["fit", "--config", f"{name}.yaml", *map(str, arguments)])
    versions = (folder / "runs" / name).iterdir()
    return max(versions, key=os.path.getmtime)


def made_file(folder, split):
    """The file of a split that the run made up."""
    (found,) = (folder / "data").glob(f"*/{split}.json")
    return found
