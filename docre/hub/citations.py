"""What to cite for a model: the library, and the papers of the parts it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Paper(NamedTuple):
    """One paper.

    Args:
        system: What its method is called.
        authors: As BibTeX wants them.
        title: Of the paper.
        venue: Where it was published.
        year: When.
    """

    system: str
    authors: str
    title: str
    venue: str
    year: int


_ATLOP = Paper(
    "ATLOP",
    "Zhou, Wenxuan and Huang, Kevin and Ma, Tengyu and Huang, Jing",
    "Document-Level Relation Extraction with Adaptive Thresholding and Localized Context Pooling",
    "AAAI",
    2021,
)
_DOCUNET = Paper(
    "DocuNet",
    "Zhang, Ningyu and Chen, Xiang and Xie, Xin and Deng, Shumin and Tan, Chuanqi and Chen, Mosha "
    "and Huang, Fei and Si, Luo and Chen, Huajun",
    "Document-level Relation Extraction as Semantic Segmentation",
    "IJCAI",
    2021,
)
_KD_DOCRE = Paper(
    "KD-DocRE",
    "Tan, Qingyu and He, Ruidan and Bing, Lidong and Ng, Hwee Tou",
    "Document-Level Relation Extraction with Adaptive Focal Loss and Knowledge Distillation",
    "Findings of ACL",
    2022,
)
_SSR_PU = Paper(
    "SSR-PU",
    "Wang, Ye and Liu, Xinxin and Hu, Wenxin and Zhang, Tao",
    "A Unified Positive-Unlabeled Learning Framework for Document-Level Relation Extraction with "
    "Different Levels of Labeling",
    "EMNLP",
    2022,
)
_DREEAM = Paper(
    "DREEAM",
    "Ma, Youmi and Wang, An and Okazaki, Naoaki",
    "DREEAM: Guiding Attention with Evidence for Improving Document-Level Relation Extraction",
    "EACL",
    2023,
)
_TTM_RE = Paper(
    "TTM-RE",
    "Gao, Chufan and Wang, Xuan and Sun, Jimeng",
    "TTM-RE: Memory-Augmented Document-Level Relation Extraction",
    "ACL",
    2024,
)
_COMM = Paper(
    "COMM",
    "Duan, Zhichao and Pan, Tengyu and Li, Zhenyu and Li, Xiuxing and Wang, Jianyong",
    "COMM: Concentrated Margin Maximization for Robust Document-Level Relation Extraction",
    "arXiv 2503.13885",
    2025,
)
_JEREX = Paper(
    "JEREX",
    "Eberts, Markus and Ulges, Adrian",
    "An End-to-end Model for Entity-level Relation Extraction using Multi-instance Learning",
    "EACL",
    2021,
)
_SIMILARITY = Paper(
    "similarity-memory JEREX",
    r"Ko{\'s}ciukiewicz, Witold and W{\'o}jcik, Mateusz and Kajdanowicz, Tomasz "
    "and Gonczarek, Adam",
    "Similarity-based Memory Enhanced Joint Entity and Relation Extraction",
    "ICCS",
    2023,
)
# By the class that stands for the method. What nearly every model has comes first.
_PAPERS = {
    "LocalizedContext": _ATLOP,
    "AdaptiveThresholdLoss": _ATLOP,
    "GroupedBilinear": _ATLOP,
    "UNetContext": _DOCUNET,
    "BalancedSoftmaxLoss": _DOCUNET,
    "RefinedClassifier": _KD_DOCRE,
    "AxialTransformer": _KD_DOCRE,
    "AdaptiveFocalLoss": _KD_DOCRE,
    "EvidenceLoss": _DREEAM,
    "AttentionDistillation": _DREEAM,
    "PositiveUnlabelledLoss": _SSR_PU,
    "TokenTuringReader": _TTM_RE,
    "InstanceReasoning": _COMM,
    "ConcentratedMarginLoss": _COMM,
    "JointModel": _JEREX,
    "SimilarityMemories": _SIMILARITY,
}
_LIBRARY = """@software{docre,
  title = {docre: document-level relation extraction with pluggable parts},
  author = {{The docre authors}},
  year = {2026}
}"""


def papers_of(*settings: Any) -> list[Paper]:
    """Return the papers of all classes that are named somewhere in plain values, each once.

    Args:
        settings: Class paths, nested as a checkpoint has them.
    """
    named = {path.rpartition(".")[2] for value in settings for path in _class_paths(value)}
    return list(dict.fromkeys(paper for name, paper in _PAPERS.items() if name in named))


def bibtex(papers: list[Paper]) -> str:
    """Return entries for the library and for papers."""
    return "\n\n".join([_LIBRARY, *map(_entry, papers)])


def _entry(paper: Paper) -> str:
    name = paper.system.lower().replace(" ", "-")
    return (
        f"@inproceedings{{{name},\n"
        f"  title = {{{paper.title}}},\n"
        f"  author = {{{paper.authors}}},\n"
        f"  booktitle = {{{paper.venue}}},\n"
        f"  year = {{{paper.year}}}\n}}"
    )


def _class_paths(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ("class_path", "model_class") and isinstance(inner, str):
                yield inner
            yield from _class_paths(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _class_paths(inner)
