"""A head, a context, a memory, a loss and a data module for docre."""

from my_docre_plugin.between import BetweenContext
from my_docre_plugin.logistic import LogisticLoss
from my_docre_plugin.name_texts import NameTexts
from my_docre_plugin.perceptron import PerceptronHead
from my_docre_plugin.slots import SlotMemory

__all__ = ["BetweenContext", "LogisticLoss", "NameTexts", "PerceptronHead", "SlotMemory"]
