import math

import pytest
import torch

from docre.losses import PositiveUnlabelledLoss, class_risks, class_sums, corrected
from tests.losses.cases import PRIORS, parts_of, random_pairs, total
from tests.losses.test_adaptive_threshold import LABELS, LOGITS, PRINTED


def slow_risks(logits, labels, priors, e, m, scale, risk):
    """Risks of each relation, as the paper writes them."""
    found = []
    for r in range(1, logits.shape[1]):
        sets = {True: [], False: []}
        for row, mask in zip(logits.tolist(), labels.tolist(), strict=True):
            sets[bool(mask[r])].append(row[r] - row[0])

        def mean(values, y):
            return sum(scale * (y * f - m) ** 2 for f in values) / len(values) if values else 0.0

        un, pn, pp = mean(sets[False], -1), mean(sets[True], -1), mean(sets[True], 1)
        pl = float(priors[r - 1])
        po = e * pl
        pu = (po - pl) / (1 - pl)
        w = math.sqrt((1 - po) / po) if po else 0.0
        negative = {
            "pn": (1 - po) * un,
            "pu": un - po * pn,
            "s-pu": (1 - po) / (1 - pu) * un - (pu - pu * po) / (1 - pu) * pn,
        }[risk]
        found.append((negative, po * w * pp))
    return found


def slow(logits, labels, priors, e, m, scale, risk, correction, beta=0.0, gamma=1.0):
    result = 0.0
    for negative, positive in slow_risks(logits, labels, priors, e, m, scale, risk):
        if risk == "pn" or correction == "none":
            result += negative + positive
        elif correction == "clamp":
            result += max(0.0, negative) + positive
        elif negative < beta:
            result -= gamma * negative
        else:
            result += negative + positive
    return result


@pytest.mark.parametrize("correction", ["flip", "clamp", "none"])
@pytest.mark.parametrize("risk", ["pn", "pu", "s-pu"])
@pytest.mark.parametrize(
    ("e", "m", "scale", "beta", "gamma"),
    [(1.0, 1.0, 0.25, 0.0, 1.0), (3.0, 0.25, 0.25, 0.0, 1.0), (2.5, 1.0, 1.0, 0.5, 0.3)],
)
def test_equal_to_the_definition(risk, correction, e, m, scale, beta, gamma):
    for seed in range(3):
        logits, labels = random_pairs(23, seed)
        labels[:, 2] = 0  # a relation without a labelled pair
        labels[:, 5] = 1  # and one without any other
        loss = PositiveUnlabelledLoss(
            PRIORS,
            risk=risk,
            correction=correction,
            prior_multiple=e,
            margin=m,
            scale=scale,
            beta=beta,
            gamma=gamma,
        )
        expected = slow(logits, labels, PRIORS, e, m, scale, risk, correction, beta, gamma)
        assert float(total(loss, logits, labels)) == pytest.approx(expected, abs=1e-12, rel=1e-12)


# the same example: whether ranked, m, e, scale; PN, PU, S-PU
TABLE = [
    (True, 0.25, 3.0, 0.25, (0.4587490, 0.5743825, 0.4378825)),
    (True, 0.25, 1.0, 0.25, (0.5080758, 0.2833259, 0.5080758)),
    (False, 1.0, 3.0, 0.25, (0.5086961, 1.3446592, 0.8785967)),
    (True, 1.0, 1.0, 1.0, (None, 2.5738268, 1.6240770)),
    (True, 1.0, 3.0, 1.0, (None, 4.8495150, 3.7597651)),
    (True, 0.25, 3.0, 1.0, (None, 2.2975302, 1.7515302)),
]
WORKED_PRIORS = torch.tensor([0.10, 0.05, 0.20], dtype=torch.float64)


def scores(ranked):
    """Without ranking the threshold column is the constant 0."""
    logits = LOGITS.clone()
    if not ranked:
        logits[:, 0] = 0
    return logits


@pytest.mark.parametrize(("ranked", "m", "e", "scale", "values"), TABLE)
def test_worked_example(ranked, m, e, scale, values):
    for risk, value in zip(("pn", "pu", "s-pu"), values, strict=True):
        loss = PositiveUnlabelledLoss(
            WORKED_PRIORS, risk=risk, margin=m, prior_multiple=e, scale=scale
        )
        if value is not None:
            found = float(total(loss, scores(ranked), LABELS))
            assert found == pytest.approx(value, abs=PRINTED)


@pytest.mark.parametrize(
    ("ranked", "m", "e", "scale", "expected"),
    [
        (True, 0.25, 3.0, 0.25, (0.16144, 0.03853, -0.20375)),
        (False, 1.0, 3.0, 0.25, (-0.00988, 0.10469, -0.75600)),
        (True, 1.0, 3.0, 1.0, (0.20700, 0.35475, -2.48000)),
    ],
)
def test_negative_risk_of_the_worked_example(ranked, m, e, scale, expected):
    sums = class_sums(scores(ranked), LABELS, m, scale)
    negative, _ = class_risks(sums, WORKED_PRIORS, e * WORKED_PRIORS)
    assert negative.tolist() == pytest.approx(expected, abs=1e-5)


def test_with_the_multiple_1_s_pu_is_pn():
    logits, labels = random_pairs(30)
    pn, s_pu = (PositiveUnlabelledLoss(PRIORS, risk=risk) for risk in ("pn", "s-pu"))
    assert torch.equal(total(pn, logits, labels), total(s_pu, logits, labels))


def test_sums_of_two_batches_are_the_sums_of_both():
    logits, labels = random_pairs(30)
    both = class_sums(logits[:11], labels[:11]) + class_sums(logits[11:], labels[11:])
    assert torch.allclose(both, class_sums(logits, labels), atol=1e-12)


def test_corrections():
    negative = torch.tensor([-2.0, 0.5, 3.0])
    positive = torch.tensor([10.0, 20.0, 30.0])
    flipped = corrected(negative, positive, "flip", beta=1.0, gamma=0.5)
    assert [risk.tolist() for risk in flipped] == [[1.0, -0.25, 3.0], [0, 0, 30]]
    clamped = corrected(negative, positive, "clamp", beta=1.0, gamma=0.5)
    assert [risk.tolist() for risk in clamped] == [[0.0, 0.5, 3.0], [10, 20, 30]]
    assert corrected(negative, positive, "none") == (negative, positive)


def test_flip_turns_the_gradient_round():
    logits, labels = random_pairs(40)
    gradients = []
    for correction in ("flip", "none"):
        leaf = logits.clone().requires_grad_()
        sums = class_sums(leaf, labels)
        negative, positive = class_risks(sums, PRIORS, 3 * PRIORS, "pu")
        fired = negative < 0
        assert fired.any()
        assert not fired.all()
        negative, _ = corrected(negative, positive, correction)
        gradients.append(torch.autograd.grad(negative.sum(), leaf)[0][:, 1:])
    flip, none = gradients
    assert torch.equal(flip[:, fired], -none[:, fired])
    assert torch.equal(flip[:, ~fired], none[:, ~fired])


def test_a_relation_without_training_examples():
    logits, labels = random_pairs(20)
    labels[:, 4] = 0
    logits.requires_grad_()
    sums = class_sums(logits, labels)
    negative, positive = class_risks(sums, PRIORS, 3 * PRIORS)
    assert positive[3] == 0
    mean = 0.25 * (logits[:, 4] - logits[:, 0] + 0.25).square().mean()
    assert negative[3].tolist() == pytest.approx(mean.tolist())
    total(PositiveUnlabelledLoss(PRIORS), logits, labels).backward()
    assert logits.grad.isfinite().all()
    # labelled all the same: it still has no weight
    labels[3, 4] = 1
    assert class_risks(class_sums(logits, labels), PRIORS, 3 * PRIORS)[1][3] == 0


@pytest.mark.parametrize("power", [0.0, 0.25, 0.5, 1.0])
def test_class_weight_of_another_power(power):
    sums = class_sums(*random_pairs(20))
    true = 2 * PRIORS
    _, plain = class_risks(sums, PRIORS, true, class_weight="none")
    _, positive = class_risks(sums, PRIORS, true, class_weight=power)
    weight = ((1 - true) / true) ** power
    seen = PRIORS > 0
    torch.testing.assert_close(positive[seen], (plain * weight)[seen])
    named = {0.0: "none", 0.5: "sqrt"}.get(power)
    if named is not None:
        torch.testing.assert_close(positive, class_risks(sums, PRIORS, true, "s-pu", named)[1])


def test_class_weight():
    logits, labels = random_pairs(20)
    sums = class_sums(logits, labels)
    weighted = class_risks(sums, PRIORS, 2 * PRIORS)
    plain = class_risks(sums, PRIORS, 2 * PRIORS, class_weight="none")
    assert torch.equal(weighted[0], plain[0])
    weight = ((1 - 2 * PRIORS) / (2 * PRIORS)).sqrt()
    seen = PRIORS > 0
    assert torch.allclose(weighted[1][seen], (plain[1] * weight)[seen], rtol=1e-12)


def test_where_priors_come_from():
    logits, labels = random_pairs(20)
    counted = PositiveUnlabelledLoss(PRIORS, prior_multiple=3.0)
    given = PositiveUnlabelledLoss(torch.zeros(5), given_priors=PRIORS.tolist(), prior_multiple=3.0)
    true = PositiveUnlabelledLoss(PRIORS, true_priors=(3 * PRIORS).tolist())
    expected = float(total(counted, logits, labels))
    # lists are in the default precision
    assert float(total(given, logits, labels)) == pytest.approx(expected, rel=1e-6)
    assert float(total(true, logits, labels)) == pytest.approx(expected, rel=1e-6)
    alone = PositiveUnlabelledLoss(given_priors=PRIORS.tolist(), prior_multiple=3.0)
    assert torch.equal(total(alone, logits, labels), total(given, logits, labels))
    floored = PositiveUnlabelledLoss(PRIORS, prior_floor=0.01, prior_multiple=3.0)
    shifted = PositiveUnlabelledLoss(PRIORS + 0.01, prior_multiple=3.0)
    assert torch.equal(total(floored, logits, labels), total(shifted, logits, labels))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "given_priors"),
        ({"priors": torch.tensor([0.1, 0.4]), "prior_multiple": 2.5}, "prior_multiple: relation 1"),
        ({"priors": torch.tensor([0.5, 0.1]), "prior_multiple": 2.0}, "prior_multiple: relation 0"),
        ({"priors": torch.tensor([0.1, float("nan")])}, "priors: relation 1"),
        ({"priors": torch.tensor([0.1, -0.1])}, "priors: relation 1"),
        ({"given_priors": [0.1, 1.0]}, "given_priors: relation 1"),
        ({"priors": torch.tensor([0.1]), "given_priors": [0.1, 0.2]}, "2 numbers for 1 relations"),
        ({"priors": torch.tensor([0.1]), "true_priors": [1.0]}, "true_priors: relation 0"),
        ({"priors": torch.tensor([0.1]), "true_priors": [0.1, 0.2]}, "true_priors has 2 numbers"),
        ({"given_priors": [0.1], "true_priors": [0.1], "prior_multiple": 2.0}, "one of them"),
        ({"given_priors": [0.1], "risk": "spu"}, "risk is one of pn, pu, s-pu"),
        ({"given_priors": [0.1], "correction": "max"}, "correction is one of"),
        ({"given_priors": [0.1], "class_weight": "yes"}, "class_weight is one of"),
        ({"given_priors": [0.1], "class_weight": 1.5}, "class_weight: 1.5 is not within 0 and 1"),
    ],
)
def test_impossible_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PositiveUnlabelledLoss(**arguments)


def test_priors_of_another_number_of_relations_are_refused():
    logits, labels = random_pairs(4, num_relations=7)
    with pytest.raises(ValueError, match="5 priors, but the head scores 8 columns"):
        total(PositiveUnlabelledLoss(PRIORS), logits, labels)


def test_priors_are_in_the_checkpoint_and_settings_are_not():
    loss = PositiveUnlabelledLoss(PRIORS)
    assert list(loss.state_dict()) == ["priors"]
    other = PositiveUnlabelledLoss(torch.zeros(5).double(), prior_multiple=3.0)
    other.load_state_dict(loss.state_dict())
    logits, labels = random_pairs(12)
    expected = total(PositiveUnlabelledLoss(PRIORS, prior_multiple=3.0), logits, labels)
    assert torch.equal(total(other, logits, labels), expected)
    estimated = PositiveUnlabelledLoss(PRIORS, true_priors=[0.2] * 5)
    assert list(estimated.state_dict()) == ["priors", "true_priors"]


def test_the_priors_given_are_not_shared():
    given = PRIORS.clone()
    loss = PositiveUnlabelledLoss(given)
    given.zero_()
    assert torch.equal(loss.priors, PRIORS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_model_in_half_precision_keeps_its_priors(dtype):
    loss = PositiveUnlabelledLoss(PRIORS.float(), true_priors=(2 * PRIORS).tolist())
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), loss).to(dtype)
    assert model[0].weight.dtype == dtype
    assert torch.equal(loss.priors, PRIORS.float())
    assert torch.equal(loss.true_priors, (2 * PRIORS).float())
    assert loss.double().priors.dtype == torch.float64


def test_parts_add_up():
    logits, labels = random_pairs(15)
    parts = parts_of(PositiveUnlabelledLoss(PRIORS, prior_multiple=3.0), logits, labels)
    assert sorted(parts.scalars()) == ["negative", "positive"]
    assert float(sum(parts.scalars().values())) == pytest.approx(float(parts.total()))
