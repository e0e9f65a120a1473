import pytest
import torch

from docre.losses import (
    PositiveUnlabelledLoss,
    estimate_multiple,
    estimate_multiples,
    estimate_true_priors,
)

LABELLED = torch.tensor([10, 100, 1, 0])
TRUE = torch.tensor([20, 400, 1, 12])


def test_one_multiple_for_all():
    assert estimate_multiple(LABELLED, TRUE) == pytest.approx(433 / 111)
    assert estimate_multiple(LABELLED, LABELLED) == 1


def test_bare_ratios():
    found = estimate_multiples(LABELLED, TRUE, strength=0)
    assert found[:3].tolist() == [2, 4, 1]
    # where none is labelled there is no ratio of its own
    assert float(found[3]) == pytest.approx(433 / 111)


def test_few_examples_say_little():
    overall = 433 / 111
    found = estimate_multiples(LABELLED, TRUE, strength=20)
    for multiple, labelled, true in zip(found, LABELLED.tolist(), TRUE.tolist(), strict=True):
        assert float(multiple) == pytest.approx((true + 20 * overall) / (labelled + 20))
    own = TRUE[:3] / LABELLED[:3]
    share = ((found[:3] - overall) / (own - overall)).tolist()
    assert share[2] < share[0] < share[1] < 1


def test_multiples_of_a_known_corpus_are_found_again():
    generator = torch.Generator().manual_seed(0)
    multiples = torch.tensor([1.5, 2.0, 4.0, 8.0], dtype=torch.float64)
    true = torch.full((4,), 200_000)
    kept = torch.rand(4, 200_000, generator=generator) < (1 / multiples)[:, None]
    found = estimate_multiples(kept.sum(1), true)
    assert found.tolist() == pytest.approx(multiples.tolist(), rel=0.02)


def test_true_priors_are_what_the_loss_takes():
    priors = torch.tensor([0.01, 0.02, 0.3, 0.0])
    true_priors = estimate_true_priors(priors, LABELLED, TRUE)
    expected = priors.double() * estimate_multiples(LABELLED, TRUE)
    assert true_priors[:2] == pytest.approx(expected[:2].tolist())
    assert true_priors[2:] == [0.5, 0.0]
    loss = PositiveUnlabelledLoss(priors, true_priors=true_priors)
    assert loss.true_priors.tolist() == pytest.approx(true_priors)


def test_bad_counts_are_refused():
    with pytest.raises(ValueError, match="all 0"):
        estimate_multiple(torch.zeros(3), torch.ones(3))
    with pytest.raises(ValueError, match=r"not \(4,\) and \(3,\)"):
        estimate_multiple(LABELLED, TRUE[:3])
