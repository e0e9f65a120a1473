"""Learning from a teacher: another model's logits, or where its contexts come from.

Logits are small: 16 of 97 columns of 100,000 documents are some 2 GB, so they are computed once
(``docre distil``) and read from a file (:class:`StoredScores`). Where contexts come from is a
number for each pair and token: tens of gigabytes for the same documents, to be made again for every
tokenizer. So the teacher runs beside the student (:class:`OnlineTeacher`) and nothing is stored: it
costs the teacher's weights in memory and one forward pass without gradients more in each step.
Where only logits are learned, over more than one epoch, the file is cheaper.

Names are imported when they are first used: the command line knows its options without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docre.distillation.online_teacher import OnlineTeacher as OnlineTeacher
    from docre.distillation.stored_scores import StoredScores as StoredScores
    from docre.distillation.teacher import Teacher as Teacher

_HOMES = {
    "OnlineTeacher": "docre.distillation.online_teacher",
    "StoredScores": "docre.distillation.stored_scores",
    "Teacher": "docre.distillation.teacher",
}

__all__ = ["OnlineTeacher", "StoredScores", "Teacher"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'docre.distillation' has no attribute {name!r}")
