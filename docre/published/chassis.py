"""What the pair systems share: how they read documents, and the parts of their head."""

from __future__ import annotations

from typing import Any, Literal

from docre.data.features import FeatureSettings
from docre.data.markers import MarkerStyle
from docre.published.system import PUBLISHED_TOKENS, Setting

# our prefix -> the published one
EXTRACTORS = {
    "head.head_extractor.": "head_extractor.",
    "head.tail_extractor.": "tail_extractor.",
}
HEAD = {**EXTRACTORS, "head.classifier.": "bilinear."}
Decoder = Literal["ThresholdDecoder", "ZeroDecoder"]


def part(class_path: str, **init_args: Any) -> dict[str, Any]:
    """Return a part of a model as a configuration has it; arguments that are ``None`` are left out.

    Args:
        class_path: Within docre.
        init_args: Plain values and parts.
    """
    given = {name: value for name, value in init_args.items() if value is not None}
    return {"class_path": f"docre.{class_path}", "init_args": given}


def encoder(setting: Setting, layers: int = 1) -> dict[str, Any]:
    """Return an encoder that reads as the released code does.

    Args:
        setting: What is known of the weights.
        layers: Last layers that are averaged.
    """
    if not setting.exact:
        return part("encoder.Encoder", layers=layers)
    # an end of two tokens is taken behind RoBERTa's windows, whatever the encoder has
    end_tokens = 1 if setting.is_bert else 2
    return part("encoder.Encoder", layers=layers, end_tokens=end_tokens, uncovered="published")


def decoder(setting: Setting, most: int, name: Decoder = "ThresholdDecoder") -> dict[str, Any]:
    """Return what predicts at most so many relations of a pair.

    Args:
        setting: Its ``top_k`` counts more.
        most: That of the released code; 0 for no cap.
        name: Of the decoder.
    """
    return part(f"decoding.{name}", top_k=most if setting.top_k is None else setting.top_k)


def most_relations(setting: Setting, on_docred: int = 4) -> int:
    """Return the cap that the scripts of a system with a cap have: one relation on CDR and GDA."""
    return 1 if setting.dataset in ("cdr", "gda") else on_docred


def features(setting: Setting, markers: MarkerStyle | None = None) -> FeatureSettings:
    """Return how documents are read.

    Args:
        setting: What is known of the weights.
        markers: Those of the system, on DocRED.
    """
    limit: dict[str, Any] = {}
    if setting.exact:  # longer documents are cut there, and read in more windows here
        limit = {"max_tokens": PUBLISHED_TOKENS, "truncation": "cut"}
    if setting.dataset == "chemdisgene":
        alignment = "published" if setting.exact else "corrected"
        return FeatureSettings(markers="entity", source="text", alignment=alignment, **limit)  # type: ignore[arg-type]
    if setting.dataset in ("cdr", "gda"):
        return FeatureSettings(markers="mention", source="words", **limit)
    return FeatureSettings(markers=markers or "entity", source="words", **limit)
