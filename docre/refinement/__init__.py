"""Refinements: what the features of a pair gain from other pairs and from the tokens."""

from docre.refinement.axial import AxialTransformer
from docre.refinement.base import Refinement, RefinementFactory
from docre.refinement.instance_reasoning import InstanceReasoning

__all__ = ["AxialTransformer", "InstanceReasoning", "Refinement", "RefinementFactory"]
