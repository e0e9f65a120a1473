"""All pieces of ours pass the suites that we give to others."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial

import pytest

from docre.context import LocalizedContext, UNetContext
from docre.data.modules import (
    CDR,
    GDA,
    ChemDisGene,
    DocRED,
    DocREDFormat,
    ReadSettings,
    SyntheticDocRED,
)
from docre.data.vocabulary import learn_word_pieces, save_tokenizer
from docre.data.writing import write_documents
from docre.documents import Relation
from docre.heads import GroupedBilinear, PairHead, RefinedClassifier
from docre.losses import (
    AdaptiveFocalLoss,
    AdaptiveThresholdLoss,
    AttentionDistillation,
    BalancedSoftmaxLoss,
    CombinedLoss,
    ConcentratedMarginLoss,
    EvidenceLoss,
    LogitDistillation,
    PositiveUnlabelledLoss,
)
from docre.memory import (
    CosineSimilarity,
    DotProductSimilarity,
    SimilarityReader,
    TokenTuringReader,
)
from docre.pooling import AttentionPooling, MaxPooling, MeanPooling
from docre.refinement import AxialTransformer, InstanceReasoning
from docre.testing import (
    ClassifierTester,
    ContextTester,
    DataModuleTester,
    HeadTester,
    LossTester,
    MemoryTester,
    RefinementTester,
)
from tests.toy import TYPES, document

BILINEAR = partial(GroupedBilinear, block_size=4)
READER = partial(TokenTuringReader, slots=5, layers=1, attention_heads=2)
SIMILAR = partial(SimilarityReader, slots=5)
AXIAL = partial(AxialTransformer, layers=1, attention_heads=2)
U_NET = partial(UNetContext, channels=2, down=4, out=6)
REFINED = partial(RefinedClassifier, features=8, block_size=4)

# --- what is so by design -------------------------------------------------------------------------

# a softmax over slots and tokens does not see what all scores share
READ = {"without_gradient": ("summarizer.mlp.output.bias",)}
# a picture has an order; batch normalisation takes away what is the same for all cells
PICTURE = {
    "order_of_entities_matters": True,
    "without_gradient": ("conv1.linear.bias", "conv2.linear.bias"),
}
EVERYTHING = {
    **PICTURE,
    "without_gradient": (*PICTURE["without_gradient"], *READ["without_gradient"]),
}
ACROSS_PAIRS = {"sees_other_pairs": True, **READ}
IN_CHUNKS = {"sees_other_documents": True, "order_of_pairs_matters": True, **READ}
NO_LABELS = {"judges_labels": False}


def pair_head(**options):
    return partial(PairHead, **{"classifier": BILINEAR, "width": 16, **options})


def chunks(width):
    with warnings.catch_warnings():  # it says itself what it depends on
        warnings.simplefilter("ignore")
        return READER(width, axis="chunks", chunk=4)


def combined(priors):
    teaching = [AttentionDistillation(priors), LogitDistillation(priors, weight=0.5)]
    return CombinedLoss([AdaptiveThresholdLoss(priors), EvidenceLoss(priors), *teaching])


# --- how each is made, and what it says of itself -------------------------------------------------

MARGIN, RISK = ConcentratedMarginLoss, partial(PositiveUnlabelledLoss, prior_multiple=3.0)
PIECES = {
    HeadTester: {
        "PlainHead": (pair_head(), {}),
        "TuringHead": (pair_head(memory=READER), READ),
        "EverythingHead": (
            pair_head(
                context=U_NET,
                memory=READER,
                classifier=partial(REFINED, refinements=[AXIAL, InstanceReasoning]),
            ),
            EVERYTHING,
        ),
    },
    ContextTester: {"Localized": (LocalizedContext, {}), "UNet": (U_NET, PICTURE)},
    ClassifierTester: {
        "Bilinear": (BILINEAR, {}),
    },
    RefinementTester: {"Axial": (AXIAL, {}), "Reasoning": (InstanceReasoning, {})},
    MemoryTester: {
        "Turing": (READER, READ),
        "TuringOfDocuments": (partial(READER, axis="document"), ACROSS_PAIRS),
        "TuringInChunks": (chunks, IN_CHUNKS),
        "Similarity": (SIMILAR, {}),
    },
    LossTester: {
        "Threshold": (AdaptiveThresholdLoss, {}),
        "Focal": (AdaptiveFocalLoss, {}),
        "Balanced": (BalancedSoftmaxLoss, {}),
        "Pn": (partial(RISK, risk="pn"), {}),
        "SPu": (RISK, {}),
        "MarginA": (MARGIN, {}),
        "Evidence": (EvidenceLoss, NO_LABELS),
        "TeacherAttention": (AttentionDistillation, NO_LABELS),
        "TeacherLogits": (LogitDistillation, NO_LABELS),
        "Combined": (combined, {}),
    },
}
VARIANTS = {  # slow, all together
    HeadTester: {
        "AttentionPooling": (pair_head(pooling=AttentionPooling), {}),
        "SharedHead": (pair_head(shared_extractor=True), {}),
        "MeanHead": (pair_head(pooling=MeanPooling), {}),
        "MaxHead": (pair_head(pooling=MaxPooling), {}),
        "DocumentHead": (pair_head(memory=partial(READER, axis="document")), ACROSS_PAIRS),
        "SimilarityHead": (pair_head(memory=SIMILAR), {}),
        "DocuNetHead": (pair_head(context=U_NET), PICTURE),
    },
    ContextTester: {
        "DreeamContext": (partial(LocalizedContext, eps=1e-30), {}),
        "UNetOfEight": (partial(U_NET, height=8), PICTURE),
    },
    ClassifierTester: {
        "WithoutThreshold": (partial(BILINEAR, learned_threshold=False), {}),
        "BilinearInSteps": (partial(BILINEAR, pair_budget=3), {}),
        "Projection": (REFINED, {}),
        "ProjectionInSteps": (partial(REFINED, pair_budget=3), {}),
    },
    RefinementTester: {"AxialPadded": (partial(AXIAL, padding="published"), {})},
    MemoryTester: {
        "TuringWithPositions": (partial(READER, positions=True, init="normal"), READ),
        "TuringAsRead": (partial(READER, layers=0, residual_average=False), READ),
        "NarrowSlots": (partial(SIMILAR, slot_features=8), {}),
        "Cosine": (partial(SIMILAR, similarity=CosineSimilarity), {}),
        "DotProduct": (partial(SIMILAR, similarity=DotProductSimilarity), {}),
    },
    LossTester: {
        "FocalHalf": (partial(AdaptiveFocalLoss, gamma=0.5), {}),
        "Pu": (partial(RISK, risk="pu"), {}),
        "PuUncorrected": (partial(RISK, risk="pu", correction="none"), {}),
        "SPuClamped": (partial(RISK, correction="clamp"), {}),
        "MarginB": (partial(MARGIN, form="B"), {}),
        "MarginC": (partial(MARGIN, form="C"), {}),
        "MarginRare": (partial(MARGIN, per_relation=True), {}),
    },
}
COMPILED = ("Similarity",)  # beside the slow tests


class CompiledSlowly:
    """Compiling takes seconds a piece."""

    @pytest.mark.slow
    def test_compiled_is_the_same(self):
        super().test_compiled_is_the_same()


def suite(tester, name, make, says):
    """Return a test class, as an author writes it in three lines."""
    bases = (tester,) if name in COMPILED else (CompiledSlowly, tester)
    return type(f"Test{name}", bases, {"make": lambda _, *sizes: make(*sizes), **says})


for pieces, marked in ((PIECES, lambda suite: suite), (VARIANTS, pytest.mark.slow)):
    for tester, makers in pieces.items():
        for name, (make, says) in makers.items():
            globals()[f"Test{name}"] = marked(suite(tester, name, make, says))


# --- data -----------------------------------------------------------------------------------------


def once(folder, name, write):
    """Return a folder whose files are written the first time."""
    place = folder / name
    if not place.exists():
        write(place)
    return place


def tokenizer(place):
    made = [document(seed, entities=4) for seed in range(40)]
    save_tokenizer(learn_word_pieces(made, 300), place)


def settings(folder):
    words = once(folder, "tokenizer", tokenizer)
    return {"tokenizer": str(words), "reading": ReadSettings(cache_dir=str(folder / "cache"))}


class TestSynthetic(DataModuleTester):
    def make(self, folder):
        return SyntheticDocRED(
            data_dir=str(folder / "data"),
            train_documents=12,
            dev_documents=5,
            test_documents=5,
            vocabulary_size=300,
            reading=ReadSettings(cache_dir=str(folder / "cache")),
        )


class TestOwnFiles(DataModuleTester):
    def make(self, folder):
        place = once(folder, "files", self.write)
        named = {f"{split}_file": str(place / f"{split}.jsonl") for split in ("train", "dev")}
        return DocREDFormat(**named, types=list(TYPES), **settings(folder))

    def write(self, place):
        made = [document(seed, entities=seed % 5) for seed in range(20)]
        made[2::5] = [self.with_candidates(one) for one in made[2::5]]
        write_documents(place / "train.jsonl", made[:14])
        write_documents(place / "dev.jsonl", made[14:])

    def with_candidates(self, made):
        pairs = {(label.head, label.tail) for label in made.relations} | {(1, 0)}
        return replace(made, candidates=tuple(sorted(pairs)))


class HereDocRED(DocRED):
    """Files that are there and not the official ones."""

    def fetch(self):
        pass


@pytest.mark.slow
class TestDocRED(DataModuleTester):
    def make(self, folder):
        place = once(folder, "docred", self.write)
        return HereDocRED(data_dir=str(place), **settings(folder))

    def write(self, place):
        for first, name in enumerate(("train_annotated", "dev", "test")):
            made = [document(seed, entities=4) for seed in range(20 * first, 20 * first + 8)]
            known = [
                replace(m, relations=tuple({Relation(r.head, r.tail, "P17") for r in m.relations}))
                for m in made
            ]
            write_documents(place / f"{name}.json", known, "docred")


def write_pairs(place, names, types, relation):
    from tests.test_configs import typed

    for first, name in enumerate(names):
        made = [typed(seed, types, relation) for seed in range(20 * first, 20 * first + 8)]
        write_documents(place / name, made, "eog")


@pytest.mark.slow
class TestCDR(DataModuleTester):
    def make(self, folder):
        names = [f"{split}_filter.data" for split in ("train", "dev", "test")]
        write = partial(write_pairs, names=names, types=("Chemical", "Disease"), relation="CID")
        return CDR(data_dir=str(once(folder, "cdr", write)), **settings(folder))


@pytest.mark.slow
class TestGDA(DataModuleTester):
    def make(self, folder):
        names = ["train.data", "dev.data", "test.data"]
        write = partial(write_pairs, names=names, types=("Gene", "Disease"), relation="GDA")
        return GDA(data_dir=str(once(folder, "gda", write)), **settings(folder))


class HereChemDisGene(ChemDisGene):
    """Files that are there and not the official ones."""

    def fetch(self):
        pass


@pytest.mark.slow
class TestChemDisGene(DataModuleTester):
    def make(self, folder):
        from tests.test_configs import write_chemdisgene

        place = once(folder, "chemdisgene", write_chemdisgene)
        return HereChemDisGene(data_dir=str(place), **settings(folder))
