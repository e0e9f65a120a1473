"""Heads: from encoded documents to the scores of their pairs."""

from docre.heads.base import Head, HeadFactory
from docre.heads.bilinear import GroupedBilinear, grouped_bilinear
from docre.heads.classifier import Classifier, ClassifierFactory
from docre.heads.pair_head import PairHead
from docre.heads.refined_classifier import RefinedClassifier

__all__ = [
    "Classifier",
    "ClassifierFactory",
    "GroupedBilinear",
    "Head",
    "HeadFactory",
    "PairHead",
    "RefinedClassifier",
    "grouped_bilinear",
]
