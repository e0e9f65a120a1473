"""Lightning data modules, one a data set."""

from docre.data.modules.base import BatchSettings, DocREDataModule, ReadSettings
from docre.data.modules.biomedical import CDR, GDA, ChemDisGene
from docre.data.modules.docred import DocRED, DocREDDistant, DocREDFiles, ReDocRED
from docre.data.modules.docred_joint import DocREDJoint
from docre.data.modules.own_files import DocREDFormat
from docre.data.modules.synthetic import SyntheticDocRED

__all__ = [
    "CDR",
    "GDA",
    "BatchSettings",
    "ChemDisGene",
    "DocRED",
    "DocREDDistant",
    "DocREDFiles",
    "DocREDFormat",
    "DocREDJoint",
    "DocREDataModule",
    "ReDocRED",
    "ReadSettings",
    "SyntheticDocRED",
]
