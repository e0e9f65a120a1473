"""What can be set about the synthetic corpus."""

from __future__ import annotations

from dataclasses import dataclass

from docre.errors import DocreError

LONGEST = 40


class SyntheticConfigError(DocreError, ValueError):
    """A setting of the synthetic corpus that cannot be, with its name and value."""


@dataclass(frozen=True, slots=True)
class SyntheticConfig:
    """Settings of the synthetic corpus; equal settings give equal documents everywhere.

    The words of a document depend on ``seed``, ``sentences``, ``pronouns``, ``annotated_pronouns``
    and ``distractors`` and its index only: the noise settings change labels, never the text.
    """

    documents: int = 1000
    """Number of documents."""

    seed: int = 13
    """Every document is a function of this number and its index."""

    sentences: tuple[int, int] = (5, 12)
    """Fewest and most sentences in a document."""

    pronouns: float = 0.9
    """How often a paragraph goes on with "She" or "The company" where that is unambiguous."""

    annotated_pronouns: float = 0.2
    """How many of those count as mentions, among entities whose facts stay unique by that name."""

    distractors: float = 0.22
    """Share of sentences that name entities together and state no relation."""

    unlabelled_fraction: float = 0.0
    """Share of the labels that are removed at random."""

    wrong_fraction: float = 0.0
    """Number of wrong labels that are added, as a share of the true ones."""

    distant: bool = False
    """Take labels from the knowledge base, whether the text says so or not; no evidence."""

    kb_missing: float = 0.25
    """Share of the facts that the knowledge base does not know, where ``distant`` is set."""

    def __post_init__(self) -> None:
        if self.documents < 0:
            raise SyntheticConfigError(f"documents must not be negative, it is {self.documents}")
        object.__setattr__(self, "sentences", tuple(self.sentences))
        if len(self.sentences) != 2 or not 2 <= self.sentences[0] <= self.sentences[1] <= LONGEST:
            raise SyntheticConfigError(
                f"sentences must be two numbers in order between 2 and {LONGEST}, "
                f"it is {self.sentences}"
            )
        for name in (
            "pronouns",
            "annotated_pronouns",
            "distractors",
            "unlabelled_fraction",
            "kb_missing",
        ):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise SyntheticConfigError(f"{name} must be between 0 and 1, it is {value}")
        if not 0.0 <= self.wrong_fraction <= 2.0:
            raise SyntheticConfigError(
                f"wrong_fraction must be between 0 and 2, it is {self.wrong_fraction}"
            )

    @property
    def noisy(self) -> bool:
        """Whether the labels differ from what the text says."""
        return self.distant or self.unlabelled_fraction > 0 or self.wrong_fraction > 0
