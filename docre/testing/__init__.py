"""Whole test suites for pieces of one's own, in three lines each; needs pytest.

A test class that says how a piece is made gets all checks of its family::

    from docre.testing import HeadTester

    class TestMyHead(HeadTester):
        def make(self, in_features, num_relations):
            return MyHead(in_features, num_relations)

What a piece is not meant to fulfil is said by class attributes, such as
``sees_other_documents = True``. ``docs/plugins.md`` is the tutorial.
"""

from docre.testing.context_tester import ContextTester
from docre.testing.data_module_tester import DataModuleTester
from docre.testing.documents import CASES, NUM_RELATIONS, ToyDocument
from docre.testing.head_tester import ClassifierTester, HeadTester, RefinementTester
from docre.testing.loss_tester import LossTester
from docre.testing.memory_tester import MemoryTester
from docre.testing.module_tester import ModuleTester
from docre.testing.pair_tester import PairTester
from docre.testing.toy_batches import batch_of, encoded_of, loss_inputs

__all__ = [
    "CASES",
    "NUM_RELATIONS",
    "ClassifierTester",
    "ContextTester",
    "DataModuleTester",
    "HeadTester",
    "LossTester",
    "MemoryTester",
    "ModuleTester",
    "PairTester",
    "RefinementTester",
    "ToyDocument",
    "batch_of",
    "encoded_of",
    "loss_inputs",
]
