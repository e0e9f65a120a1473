"""The data of joint models: from documents to batches in which everything is to be found."""

from docre.joint_data.examples import JointExamples
from docre.joint_data.rows import JointFeaturizer, JointRow, JointRowSettings

__all__ = [
    "JointExamples",
    "JointFeaturizer",
    "JointRow",
    "JointRowSettings",
]
