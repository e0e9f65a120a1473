"""Joint extraction: mentions, entities, their types and relations from plain text.

Beside the vocabulary of :mod:`docre`: ``N`` spans, ``C`` pairs of mentions scored for coreference,
``Q`` pairs of mentions of the entities of a pair, ``G`` gaps between mentions.
"""

from docre.joint.batch import JointBatch, join_samples, join_spans, pairs_of
from docre.joint.clustering import clusters
from docre.joint.coreference_head import CoreferenceHead
from docre.joint.edit_distance import edit_distances, phrases_of_tokens, phrases_of_words
from docre.joint.entity_head import EntityStates, EntityTypeHead
from docre.joint.extracted import Extracted
from docre.joint.inference import JointHeads, extract
from docre.joint.loss import JointLogits, JointLoss, JointTargets, joint_loss
from docre.joint.mention_head import MentionHead
from docre.joint.mention_pairs import Gaps, MentionPairs, all_mention_pairs, gaps_between
from docre.joint.network import JointNetwork
from docre.joint.relation_base import (
    RelationHead,
    RelationHeadFactory,
    RelationInput,
    above_threshold,
)
from docre.joint.relation_heads import GlobalRelationHead, MultiInstanceRelationHead
from docre.joint.samples import JointSample, JointTruth
from docre.joint.sampling import JointSampler, NegativeCounts
from docre.joint.similarity_memories import MemoryClassifier, MemoryTypes, SimilarityMemories
from docre.joint.span_pooling import span_max
from docre.joint.spans import Spans, candidate_spans
from docre.joint.thresholds import JointThresholds
from docre.joint.to_documents import to_document

__all__ = [
    "CoreferenceHead",
    "EntityStates",
    "EntityTypeHead",
    "Extracted",
    "Gaps",
    "GlobalRelationHead",
    "JointBatch",
    "JointHeads",
    "JointLogits",
    "JointLoss",
    "JointNetwork",
    "JointSample",
    "JointSampler",
    "JointTargets",
    "JointThresholds",
    "JointTruth",
    "MemoryClassifier",
    "MemoryTypes",
    "MentionHead",
    "MentionPairs",
    "MultiInstanceRelationHead",
    "NegativeCounts",
    "RelationHead",
    "RelationHeadFactory",
    "RelationInput",
    "SimilarityMemories",
    "Spans",
    "above_threshold",
    "all_mention_pairs",
    "candidate_spans",
    "clusters",
    "edit_distances",
    "extract",
    "gaps_between",
    "join_samples",
    "join_spans",
    "joint_loss",
    "pairs_of",
    "phrases_of_tokens",
    "phrases_of_words",
    "span_max",
    "to_document",
]
