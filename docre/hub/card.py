"""The card of a model: what a person who finds the folder, and a hub, want to know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from docre import __version__
from docre.as_written import as_written
from docre.hub.citations import bibtex, papers_of
from docre.markdown_text import plain, table

if TYPE_CHECKING:
    from docre.hub.contents import ModelContents

# Scores that a card shows, where there are any of that name; papers give the first ones.
_SHOWN = {
    "f1": "F1",
    "ign_f1": "Ign F1",
    "precision": "Precision",
    "recall": "Recall",
    "intra/f1": "F1 within a sentence",
    "inter/f1": "F1 across sentences",
    "evidence_f1": "Evidence F1",
    "mention_f1": "Mention F1",
    "coreference_f1": "Coreference F1",
    "entity_f1": "Entity F1",
    "relation_relaxed_f1": "Relation F1 (relaxed)",
    "relation_strict_f1": "Relation F1 (strict)",
}


def model_card(contents: ModelContents) -> str:
    """Return ``README.md`` of a model: front matter for a hub, then text for people.

    What is not known is left out. Of ``contents.facts``, ``about`` is a paragraph of one's own,
    ``license`` goes into the front matter, ``run`` is as in ``run.json``, ``scores`` are bodies of
    score files by split, ``training`` are the arguments of the training.
    """
    with as_written(f"what {contents.source or 'the model'} says of itself"):
        head = msgspec.yaml.encode(_front_matter(contents)).decode()
        return f"---\n{head}---\n\n" + "\n\n".join(_sections(contents)) + "\n"


def _front_matter(contents: ModelContents) -> dict[str, Any]:
    results = [
        _result(body, split) for split, body in _scores(contents).items() if _shown_scores(body)
    ]
    front: dict[str, Any] = {"library_name": "docre"}
    if "license" in contents.facts:
        front["license"] = contents.facts["license"]
    front["tags"] = ["docre", "relation-extraction", "document-level-relation-extraction"]
    if results:
        front["model-index"] = [{"name": _name(contents), "results": results}]
    return front


def _result(body: Mapping[str, Any], split: str) -> dict[str, Any]:
    data = body.get("data", {}).get("module", "unknown")
    return {
        "task": {"type": "relation-extraction", "name": "Document-level relation extraction"},
        "dataset": {"type": str(data).lower(), "name": str(data), "split": split},
        "metrics": [
            {"type": key.replace("/", "_"), "name": label, "value": round(value, 4)}
            for key, label, value in _shown_scores(body)
        ],
    }


def _sections(contents: ModelContents) -> Iterator[str]:
    yield f"# {_name(contents)}"
    yield _summary(contents)
    if "about" in contents.facts:
        yield str(contents.facts["about"]).replace("<", "&lt;")  # Markdown, and no HTML
    yield _usage(contents)
    scores = {split: body for split, body in _scores(contents).items() if _shown_scores(body)}
    if scores:
        yield "## Scores"
        yield _score_table(scores)
    run = contents.facts.get("run", {})
    data = list(_data_lines(run, scores))
    if data:
        yield "## Data"
        yield "\n".join(data)
    if run:
        yield "## Training"
        yield "\n".join(_training_lines(run))
    yield "## Relations"
    yield "\n".join(_relation_lines(contents))
    yield "## Citation"
    yield f"```bibtex\n{bibtex(_papers(contents))}\n```"


def _name(contents: ModelContents) -> str:
    systems = [paper.system for paper in _papers(contents)]
    return systems[-1] if systems else contents.recipe.model_class.rpartition(".")[2]


def _papers(contents: ModelContents) -> list[Any]:
    return papers_of(contents.recipe.to_dict(), contents.facts.get("training", {}))


def _summary(contents: ModelContents) -> str:
    parameters = sum(value.numel() for value in contents.model.parameters())
    calibrated = "calibrated" if contents.calibration is not None else "not calibrated"
    return (
        f"A model of document-level relation extraction: {len(contents.relations)} relations, "
        f"{parameters:,} parameters, probabilities {calibrated}. Made with "
        f"docre {__version__}. Loading it runs no code: weights are safetensors, the rest is JSON."
    )


def _usage(contents: ModelContents) -> str:
    return (
        "## Use\n\n"
        "```python\nimport docre\n\n"
        'extractor = docre.load("PATH_OR_NAME_OF_THIS_MODEL")\n'
        'for found in extractor.predict(docre.read_documents("documents.jsonl")):\n'
        '    print(*found.triples, sep="\\n")\n```\n\n'
        "```sh\ndocre predict PATH_OR_NAME_OF_THIS_MODEL documents.jsonl --output found.jsonl\n```"
    )


def _scores(contents: ModelContents) -> Mapping[str, Any]:
    scores: Mapping[str, Any] = contents.facts.get("scores", {})
    return scores


def _shown_scores(body: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    known = body.get("scores", {})
    return [(key, label, float(known[key])) for key, label in _SHOWN.items() if key in known]


def _score_table(scores: Mapping[str, Any]) -> str:
    columns = {split: {k: v for k, _, v in _shown_scores(body)} for split, body in scores.items()}
    keys = [key for key in _SHOWN if any(key in column for column in columns.values())]
    rows = [
        [_SHOWN[key], *(f"{100 * c[key]:.2f}" if key in c else "" for c in columns.values())]
        for key in keys
    ]
    return table(["", *map(plain, columns)], rows)


def _data_lines(run: Mapping[str, Any], scores: Mapping[str, Any]) -> Iterator[str]:
    for body in (run, *scores.values()):
        for split, known in body.get("data", {}).items():
            if isinstance(known, Mapping) and known.get("documents") is not None:
                yield (
                    f"* {plain(split)}: {known['documents']:,} documents, "
                    f"{_code(known.get('file'))}, xxh3_128 {_code(known.get('xxh3_128'))}"
                )


def _training_lines(run: Mapping[str, Any]) -> Iterator[str]:
    if run.get("command"):
        yield f"* command: {_code(' '.join(run['command']))}"
    if run.get("seed") is not None:
        yield f"* seed: {plain(str(run['seed']))}"
    if run.get("parent"):
        yield f"* begun from: {_code(run['parent'].get('path'))}"
    commit = ((run.get("git") or {}).get("docre") or {}).get("commit")
    if commit:
        yield f"* code: docre at {_code(commit)}"
    if run.get("versions"):
        yield "* versions: " + ", ".join(
            plain(f"{name} {version}") for name, version in run["versions"].items()
        )


def _relation_lines(contents: ModelContents) -> Iterator[str]:
    for name in contents.relations:
        meaning = contents.relations.descriptions.get(name, "")
        yield f"* {_code(name)}{': ' + plain(meaning) if meaning else ''}"


def _code(value: Any) -> str:
    """Return what is shown as it stands: in more backticks than it has in a row, on one line."""
    text = " ".join(str(value).split())
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"
