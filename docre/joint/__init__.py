"""Joint extraction: mentions, entities, their types and relations from plain text.

Beside the vocabulary of :mod:`docre`: ``N`` spans, ``C`` pairs of mentions scored for coreference,
``Q`` pairs of mentions of the entities of a pair, ``G`` gaps between mentions.
"""

from docre.joint.clustering import clusters
from docre.joint.coreference_head import CoreferenceHead
from docre.joint.entity_head import EntityStates, EntityTypeHead
from docre.joint.loss import JointLogits, JointTargets, joint_loss
from docre.joint.mention_head import MentionHead
from docre.joint.mention_pairs import Gaps, MentionPairs, all_mention_pairs, gaps_between
from docre.joint.relation_heads import (
    GlobalRelationHead,
    MultiInstanceRelationHead,
    RelationHead,
    RelationHeadFactory,
    RelationInput,
)
from docre.joint.span_pooling import span_max
from docre.joint.spans import Spans, candidate_spans

__all__ = [
    "CoreferenceHead",
    "EntityStates",
    "EntityTypeHead",
    "Gaps",
    "GlobalRelationHead",
    "JointLogits",
    "JointTargets",
    "MentionHead",
    "MentionPairs",
    "MultiInstanceRelationHead",
    "RelationHead",
    "RelationHeadFactory",
    "RelationInput",
    "Spans",
    "all_mention_pairs",
    "candidate_spans",
    "clusters",
    "gaps_between",
    "joint_loss",
    "span_max",
]
