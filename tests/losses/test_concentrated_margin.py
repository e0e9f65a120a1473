import math

import pytest
import torch
from torch.nn import functional as F

from docre.losses import ConcentratedMarginLoss, deviation, signed_margins
from tests.losses.cases import parts_of, random_pairs, total

MARGINS = (0.1, 0.2, 0.3, 0.4)
GAMMAS = (1.0, 1.2, 1.4, 1.6, 2.0)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def definition(form, logits, labels, margins, gamma, scale):
    """Both parts of one pair, label by label; the weights are numbers here."""
    found = {True: [], False: []}
    for column, m in enumerate(margins, 1):
        positive = bool(labels[column])
        d = (logits[column] - logits[0]) * (1 if positive else -1)
        optimum = 1 + m if positive else 1 - m
        if form == "A":
            weight = max(optimum - sigmoid(d), 0) ** gamma
            value = weight * math.log1p(math.exp(-d))
        elif form == "B" and positive:
            s = sigmoid(gamma * d)
            value = math.exp(-scale * max(1 + m - s, 0) * (s - (1 - m)))
        elif form == "B":
            s = sigmoid(-gamma * d)
            value = math.exp(scale * max(s + m, 0) * (s - m))
        else:
            value = max(optimum - sigmoid(gamma * d), 0) ** 2
        found[positive].append(value)
    if form == "B":
        return [math.log(1 + sum(found[sign])) for sign in (True, False)]
    return [sum(found[sign]) for sign in (True, False)]


@pytest.mark.parametrize(
    "settings", [{}, {"optimal_margin": 0.4, "concentration": 2.0, "sharpness": 3.0}]
)
@pytest.mark.parametrize("form", "ABC")
def test_equal_to_the_definition(form, settings):
    logits, labels = random_pairs(17)
    loss = ConcentratedMarginLoss(form=form, **settings)
    parts = parts_of(loss, logits, labels).parts
    margins = [loss.optimal_margin] * (logits.shape[1] - 1)
    for row, (one, mask) in enumerate(zip(logits.tolist(), labels.tolist(), strict=True)):
        expected = definition(form, one, mask, margins, loss.concentration, loss.sharpness)
        found = [float(parts[name].values[row]) for name in ("positive", "negative")]
        assert found == pytest.approx(expected, abs=1e-12)


def test_without_margin_and_concentration_it_is_cross_entropy():
    logits, labels = random_pairs(17)
    above = logits[:, 1:] - logits[:, :1]
    expected = F.binary_cross_entropy_with_logits(above, labels[:, 1:], reduction="sum") / 17
    found = total(ConcentratedMarginLoss(optimal_margin=0.0, concentration=0.0), logits, labels)
    assert float(found) == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize(
    ("margin", "end"), [(0.1, 2.197), (0.2, 1.386), (0.3, 0.847), (0.4, 0.405)]
)
def test_easy_negatives_have_no_gradient(margin, end, gamma):
    border = math.log((1 - margin) / margin)
    assert border == pytest.approx(end, abs=5e-4)
    distances = torch.tensor([border - 1e-3, border + 1e-9, border + 1, 50], dtype=torch.float64)
    logits = torch.stack([distances, torch.zeros(4, dtype=torch.float64)], 1).requires_grad_()
    labels = torch.tensor([[1, 0]]).expand(4, 2)
    total(
        ConcentratedMarginLoss(optimal_margin=margin, concentration=gamma), logits, labels
    ).backward()
    assert (logits.grad[0] != 0).all()
    assert torch.equal(logits.grad[1:], torch.zeros(3, 2, dtype=torch.float64))


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("gamma", GAMMAS)
def test_positives_are_never_done(margin, gamma):
    """A positive that is as right as can be still weighs ``m ** gamma``."""
    logits = torch.tensor([[-20.0, 20.0]], dtype=torch.float64, requires_grad=True)
    loss = ConcentratedMarginLoss(optimal_margin=margin, concentration=gamma)
    total(loss, logits, torch.tensor([[0, 1]])).backward()
    expected = -(margin**gamma) * sigmoid(-40)
    assert float(logits.grad[0, 1]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("gamma", GAMMAS)
def test_on_the_threshold_positives_weigh_more(margin, gamma):
    loss = ConcentratedMarginLoss(optimal_margin=margin, concentration=gamma)
    parts = parts_of(loss, torch.zeros(1, 3), torch.tensor([[0, 1, 0]])).scalars()
    ratio = ((0.5 + margin) / (0.5 - margin)) ** gamma
    assert float(parts["positive"] / parts["negative"]) == pytest.approx(ratio, rel=1e-5)


@pytest.mark.parametrize("form", "ABC")
def test_names_and_levels_do_not_matter(form):
    logits, labels = random_pairs(9)
    loss = ConcentratedMarginLoss(form=form)
    expected = float(total(loss, logits, labels))
    order = torch.tensor([0, 4, 2, 5, 1, 3])
    assert float(total(loss, logits[:, order], labels[:, order])) == pytest.approx(expected)
    assert float(total(loss, logits + 7.5, labels)) == pytest.approx(expected)
    other = labels.clone()
    other[:, 0] = 1 - other[:, 0]  # which nobody reads
    assert float(total(loss, logits, other)) == expected


@pytest.mark.parametrize("form", "ABC")
def test_pairs_without_positives_or_without_negatives(form):
    logits = random_pairs(6)[0] / 10  # nothing is easy
    loss = ConcentratedMarginLoss(form=form)
    none = parts_of(loss, logits, torch.zeros_like(logits))
    assert not none.parts["positive"].values.any()
    assert (none.parts["negative"].values > 0).all()
    every = parts_of(loss, logits, torch.ones_like(logits))
    assert not every.parts["negative"].values.any()
    assert (every.parts["positive"].values > 0).all()


def test_badly_wrong_labels_move_forms_a_and_b_but_not_c():
    found = {}
    for form in "ABC":
        logits = torch.tensor([[4.0, 0.0]], requires_grad=True)
        total(ConcentratedMarginLoss(form=form), logits, torch.tensor([[0, 1]])).backward()
        found[form] = -float(logits.grad[0, 1])
    assert 1.1 < found["A"] < 1.9
    assert 0.002 < found["C"] < 0.04
    assert found["A"] > found["B"] > 0


def test_measures_are_mean_margins():
    logits, labels = random_pairs(8)
    logits.requires_grad_()
    measures = parts_of(ConcentratedMarginLoss(), logits, labels).measures
    found = {"margin_positive": [], "margin_negative": []}
    for row, mask in zip(logits.tolist(), labels.tolist(), strict=True):
        for score, positive in zip(row[1:], mask[1:], strict=True):
            if positive:
                found["margin_positive"].append(score - row[0])
            else:
                found["margin_negative"].append(row[0] - score)
    assert set(measures) == set(found)
    for name, margins in found.items():
        assert not measures[name].requires_grad
        assert float(measures[name]) == pytest.approx(sum(margins) / len(margins), abs=1e-12)


def test_measures_of_nothing_are_zero():
    logits, _ = random_pairs(3)
    loss = ConcentratedMarginLoss()
    assert parts_of(loss, logits, torch.zeros_like(logits)).measures["margin_positive"] == 0
    assert parts_of(loss, logits, torch.ones_like(logits)).measures["margin_negative"] == 0
    measures = parts_of(loss, *random_pairs(0)).measures
    assert all(value == 0 for value in measures.values())


def test_rare_relations_get_a_wider_margin():
    """``m`` for the commonest, twice as much for a sixteenth, and a cap."""
    priors = torch.tensor([0.16, 0.01, 0.16 / 81, 0.0], dtype=torch.float64)
    loss = ConcentratedMarginLoss(priors, optimal_margin=0.2, per_relation=True)
    assert loss.margins.tolist() == pytest.approx([0.2, 0.4, 0.45, 0.45])
    assert "margins" in loss.state_dict()  # priors are unknown where a checkpoint is tested
    logits, labels = random_pairs(5, num_relations=4)
    for form in "ABC":
        loss = ConcentratedMarginLoss(priors, form=form, optimal_margin=0.2, per_relation=True)
        parts = parts_of(loss, logits, labels).parts
        for row, (one, mask) in enumerate(zip(logits.tolist(), labels.tolist(), strict=True)):
            expected = definition(form, one, mask, [0.2, 0.4, 0.45, 0.45], 1.4, 1.0)
            found = [float(parts[name].values[row]) for name in ("positive", "negative")]
            assert found == pytest.approx(expected, abs=1e-12)


def test_relations_that_are_as_frequent_share_the_margin():
    for prior in (0.0, 0.3):
        loss = ConcentratedMarginLoss(
            torch.full((3,), prior), optimal_margin=0.3, per_relation=True
        )
        assert loss.margins.tolist() == pytest.approx([0.3] * 3)
    assert ConcentratedMarginLoss(torch.ones(3), optimal_margin=0.3).margins is None
    none = ConcentratedMarginLoss(torch.tensor([0.1, 0.0]), optimal_margin=0.0, per_relation=True)
    assert none.margins[0] == 0


def test_weights_carry_no_gradient():
    logits, labels = random_pairs(4)
    margins = signed_margins(logits.requires_grad_(), labels)
    assert margins.requires_grad
    assert not deviation(margins.sigmoid(), 1.2).requires_grad


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"form": "D"}, "form is one of A, B, C, not 'D'"),
        ({"optimal_margin": 0.5}, "optimal_margin is at least 0 and below 0.5, not 0.5"),
        ({"optimal_margin": -0.1}, "optimal_margin is at least 0"),
        ({"optimal_margin": math.nan}, "optimal_margin is at least 0"),
        ({"concentration": -1}, "concentration is at least 0, not -1"),
        ({"concentration": 0.0, "form": "B"}, "concentration of form B is a slope"),
        ({"sharpness": 0.0}, "sharpness is above 0, not 0.0"),
        ({"per_relation": True}, "per_relation needs the priors"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ConcentratedMarginLoss(**settings)


def test_a_margin_above_the_cap_is_refused():
    with pytest.raises(ValueError, match=r"caps margins at 0.45, below the margin 0.47"):
        ConcentratedMarginLoss(torch.ones(2), optimal_margin=0.47, per_relation=True)
