"""The official files of the data sets: where they are and what they must be.

A note says of each checksum whether it was computed on a file at hand or is second-hand, that is,
published by others who had the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from docre.data.download import RemoteFile
from docre.errors import DocreError

DownloadName = Literal["redocred", "docred", "docred-distant", "chemdisgene"]

_REDOCRED_COMMIT = "ccfb54f5ddf5836027c87badda10f6dfc56efaac"
_CHEMDISGENE_COMMIT = "03834f3afecd5ea9942cbfd3e13b906affa21efd"

_AT_HAND = "checksum computed on a copy of the file."
_LMRC = "checksum computed on a copy, and equal to one recorded independently."
_INFOS = (
    "checksum second-hand: recorded by Hugging Face for DocRED's own download "
    "(dataset_infos.json of huggingface/datasets)"
)
_LFS = "checksum second-hand: from the Git LFS pointer of the official repository."


def _redocred(name: str, size: int, sha256: str, note: str) -> RemoteFile:
    github = f"https://raw.githubusercontent.com/tonytan48/Re-DocRED/{_REDOCRED_COMMIT}/data/{name}"
    hub = f"https://huggingface.co/datasets/tonytan48/Re-DocRED/resolve/main/{name}"
    return RemoteFile(name, (github, hub), sha256, size, note=note)


def _docred(
    name: str, size: int, sha256: str, note: str, sha256_packed: str | None = None
) -> RemoteFile:
    hosts = ("https://huggingface.co", "https://hf-mirror.com")
    return RemoteFile(
        name,
        tuple(f"{host}/datasets/thunlp/docred/resolve/main/data/{name}.gz" for host in hosts),
        sha256,
        size,
        unpack="gz",
        sha256_packed=sha256_packed,
        note=note,
    )


def _chemdisgene(name: str, size: int, sha256: str) -> RemoteFile:
    # raw.githubusercontent.com has only the LFS pointers; the content is behind these two.
    media = "https://media.githubusercontent.com/media/chanzuckerberg/ChemDisGene"
    github = "https://github.com/chanzuckerberg/ChemDisGene/raw"
    urls = (f"{media}/{_CHEMDISGENE_COMMIT}/data/{name}", f"{github}/main/data/{name}")
    return RemoteFile(name, urls, sha256, size, note=_LFS)


REDOCRED = (
    _redocred(
        "train_revised.json",
        18_602_933,
        "c40a137a1c57f3e2daaf5ebf511eaa1518f9305ffaa3052d46271921a91826f2",
        "checksum second-hand: published by several users of the file, never computed here.",
    ),
    _redocred(
        "dev_revised.json",
        3_245_588,
        "051ee1d057204a5d08ef5502beacdadf191245b5eaf0e29ec2c607cf002c016f",
        _LMRC,
    ),
    _redocred(
        "test_revised.json",
        3_207_228,
        "ea673b7ef91e16510d7eb88863d3903e47318dc5653ef361266f27ae3b84723c",
        _LMRC,
    ),
)

DOCRED = (
    _docred(
        "train_annotated.json",
        13_029_595,
        "7e706348a02cf91f38bd8c379f934ab61aedadc901fca10d962c1d82ab78e95b",
        f"{_INFOS}.",
        "0d01cd07cabd7f9077db6ea8628832cf60281b4228ec1ba54647f836a3b17d02",
    ),
    _docred(
        "dev.json",
        4_287_303,
        "4554f7487a6fda3bab4d4e59432e065b7485dfb885bd7f05fd60fc7e93ee7e3e",
        f"{_INFOS}.",
        "6ae4d7f5b0b9d2cbe74b9634ed43b35b7cb5b7c0dc3a16226dbe343139a4ae05",
    ),
    _docred(
        "test.json",
        3_674_242,
        "09386b5cb58249d8e087863c379ebd64557169c52ee502193d2f4f215e704ae8",
        f"{_AT_HAND[:-1]}; Hugging Face recorded the same.",
    ),
    _docred(
        "rel_info.json",
        2_452,
        "5ecf4e5e55c179fc83a3a3d19baa01efffecb26ba5edc0b4ac5a54ddf61fe3de",
        f"{_AT_HAND[:-1]}; Hugging Face recorded the same.",
        "7ef27efff537ba89ae66f6f4e60e4908d4df3860a4c2819ea94fa5ed696bdc70",
    ),
)

DOCRED_DISTANT = (
    _docred(
        "train_distant.json",
        437_046_821,
        "db6d3cdaab8d36926318bb9339f6fd82d19dbacd186c74d7c20c734355a58b36",
        f"{_INFOS}.",
    ),
)

# Named as in the folder data/ of the repository, so that a clone of it can be the data_dir.
CHEMDISGENE = (
    _chemdisgene(
        "ctd_derived/train_abstracts.txt.gz",
        55_066_163,
        "0ffd32f30fb7080ed59ce8652aefc49f5695e4cd00a23b342a956ab215f05afc",
    ),
    _chemdisgene(
        "ctd_derived/train_relationships.tsv.gz",
        1_322_458,
        "1e42efe780accc5978d554e9772f91b5029862977a319fcd8c2e2d5d8b432667",
    ),
    _chemdisgene(
        "ctd_derived/dev_abstracts.txt.gz",
        1_322_033,
        "fc2d9dd60a6f8250458d79f4dee1e3981e6a33d60ea3675a50f51a2a32bd8df8",
    ),
    _chemdisgene(
        "ctd_derived/dev_relationships.tsv.gz",
        25_798,
        "fd3a4c5f5cabcd5ede60e6a6a473e48250437104e37769e95fc197f3352c5ca9",
    ),
    _chemdisgene(
        "ctd_derived/test_abstracts.txt.gz",
        1_730_801,
        "340b2a392a713961c60c8998580fd3b895cda31427e7c8ca404e92e8fe2cf61e",
    ),
    _chemdisgene(
        "ctd_derived/test_relationships.tsv.gz",
        38_304,
        "8d56d155a5439d3f774015cd212e8dfef76c2dcd5b93052cc1e3648ab2611bf5",
    ),
    _chemdisgene(
        "curated/abstracts.txt.gz",
        466_431,
        "d78a63689f9efb1bdaaf46afabcebc8b4b115a7215a4a94593678a76284363d1",
    ),
    _chemdisgene(
        "curated/approved_relns_ctd_v1.tsv.gz",
        10_743,
        "f95163e8a10bbf2bc0b0effffc6a1944b731ae634c659c32b007b83d074f5f4f",
    ),
    _chemdisgene(
        "curated/approved_relns_new_v1.tsv.gz",
        19_926,
        "94af8118099aec8505cbf964e3ec6cb995d1b91e92083a5c14f663a54dab0505",
    ),
)

SOURCES: Mapping[DownloadName, tuple[RemoteFile, ...]] = MappingProxyType(
    {
        "redocred": REDOCRED,
        "docred": DOCRED,
        "docred-distant": DOCRED_DISTANT,
        "chemdisgene": CHEMDISGENE,
    }
)

_EOG = "the scripts of https://github.com/fenchri/edge-oriented-graph"

# Data sets whose terms ask everyone to get them from their makers, or that nobody can be sure of
# getting.
BY_HAND: Mapping[str, str] = MappingProxyType(
    {
        "cdr": (
            "CDR is not downloaded for you. It is the BioCreative V CDR corpus, CDR_Data.zip at "
            "https://biocreative.bioinformatics.udel.edu/tasks/biocreative-v/track-3-cdr/. Put "
            "into data_dir either its CDR_TrainingSet.PubTator.txt, "
            "CDR_DevelopmentSet.PubTator.txt and CDR_TestSet.PubTator.txt, or train_filter.data, "
            f"dev_filter.data and test_filter.data made of them by {_EOG}."
        ),
        "gda": (
            "GDA is not downloaded for you. It is the gene-disease corpus of RENET, labelled from "
            "DisGeNET: https://bitbucket.org/alexwuhkucs/gda-extraction. Put into data_dir "
            f"train.data, dev.data and test.data made of it by {_EOG}."
        ),
        "docred-joint": (
            "The published split for joint extraction is not downloaded for you, its server is "
            "often out of reach: "
            "http://lavis.cs.hs-rm.de/storage/jerex/public/datasets/docred_joint/. Put its "
            "train_joint.json, dev_joint.json and test_joint.json into data_dir, or none of them: "
            "docre then makes a split of its own, of as many documents, and says so."
        ),
    }
)


def files_of(dataset: str) -> tuple[RemoteFile, ...]:
    """Return the official files of a data set.

    Raises:
        DocreError: If it is unknown, or has to be got by hand; the message says how.
    """
    for name in get_args(DownloadName):
        if name == dataset:
            return SOURCES[name]
    if dataset in BY_HAND:
        raise DocreError(BY_HAND[dataset])
    known = ", ".join([*SOURCES, *BY_HAND])
    raise DocreError(f"unknown data set {dataset!r}; known are {known}")


def file_of(dataset: str, name: str) -> RemoteFile:
    """Return one official file by its name in the data folder.

    Raises:
        DocreError: If the data set has no such file.
    """
    files = files_of(dataset)
    for remote in files:
        if remote.name == name:
            return remote
    known = ", ".join(remote.name for remote in files)
    raise DocreError(f"{dataset} has no file {name!r}; its files are {known}")
