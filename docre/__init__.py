"""Document-level relation extraction with pluggable parts.

Vocabulary, the same in every file: ``B`` documents, ``T`` tokens, ``M`` mentions, ``E`` entities,
``P`` pairs, ``R`` relations (without the threshold class), ``D`` pair width, ``H`` attention heads,
``S`` memory slots. A shape note such as ``# [P, D]`` stands on a line that changes a shape.

Names are imported when they are first used, so ``import docre`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from docre.batch import Batch as Batch
    from docre.data.reading import read_documents as read_documents
    from docre.data.writing import write_documents as write_documents
    from docre.documents import Document as Document
    from docre.documents import Entity as Entity
    from docre.documents import Mention as Mention
    from docre.documents import Relation as Relation
    from docre.errors import DataError as DataError
    from docre.joint_metrics import JointScore as JointScore
    from docre.metrics import DocREScore as DocREScore
    from docre.model import DocREModel as DocREModel
    from docre.pipeline.extraction import Extraction as Extraction
    from docre.pipeline.extractor import Extractor as Extractor
    from docre.pipeline.extractor import load as load
    from docre.scoring import score as score
    from docre.scoring import score_joint as score_joint

_HOMES = {
    "Batch": "docre.batch",
    "DataError": "docre.errors",
    "DocREModel": "docre.model",
    "DocREScore": "docre.metrics",
    "Document": "docre.documents",
    "Entity": "docre.documents",
    "Extraction": "docre.pipeline.extraction",
    "Extractor": "docre.pipeline.extractor",
    "JointScore": "docre.joint_metrics",
    "Mention": "docre.documents",
    "Relation": "docre.documents",
    "load": "docre.pipeline.extractor",
    "read_documents": "docre.data.reading",
    "score": "docre.scoring",
    "score_joint": "docre.scoring",
    "write_documents": "docre.data.writing",
}

__all__ = [
    "Batch",
    "DataError",
    "DocREModel",
    "DocREScore",
    "Document",
    "Entity",
    "Extraction",
    "Extractor",
    "JointScore",
    "Mention",
    "Relation",
    "__version__",
    "load",
    "read_documents",
    "score",
    "score_joint",
    "write_documents",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'docre' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
