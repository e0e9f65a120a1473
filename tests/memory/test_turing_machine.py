"""The parts of the Token Turing Machine against slow loops."""

from __future__ import annotations

import pytest
import torch

from docre.memory import (
    AddEraseWriter,
    LearnedQueries,
    MeanGroups,
    MixerProcessor,
    MLPProcessor,
    PositionedSummarizer,
    ReadWriteUnit,
    SummaryWriter,
    TokenLearner,
    TokenTuringMachine,
    TransformerProcessor,
    add_erase,
    add_erase_published,
    collapse,
    read_tokens,
    read_weights,
    weighted_tokens,
)

WIDTH, SLOTS, TOKENS = 16, 6, 4


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def test_prototypes_read_like_all_slots():
    memory, tokens = random(9, WIDTH), random(5, 2, WIDTH)
    slot_scores, token_scores = 3 * random(9, 2), 3 * random(5, 2, 2)
    weights = read_weights(slot_scores, token_scores)
    assert weights.shape == (5, 2, 11)
    torch.testing.assert_close(weights.sum(-1), torch.ones(5, 2, dtype=torch.float64))
    for pair in range(5):
        for output in range(2):
            raw = [*slot_scores[:, output], *token_scores[pair, :, output]]
            total = sum(score.exp() for score in raw)
            expected = sum(
                score.exp() / total * row
                for score, row in zip(raw, [*memory, *tokens[pair]], strict=True)
            )
            found = read_tokens(tokens, token_scores, collapse(memory, slot_scores))
            torch.testing.assert_close(found[pair, output], expected)


def test_weighted_tokens_loop():
    tokens, scores = random(2, 5, 3), random(2, 5, 4)
    expected = torch.stack(
        [
            torch.stack(
                [
                    sum(scores[b, :, k].softmax(0)[n] * tokens[b, n] for n in range(5))
                    for k in range(4)
                ]
            )
            for b in range(2)
        ]
    )
    torch.testing.assert_close(weighted_tokens(tokens, scores), expected)


@pytest.mark.parametrize("published", [False, True])
def test_add_erase_loop(published):
    memory, address = random(2, SLOTS, 3), random(2, SLOTS, TOKENS).softmax(1)
    erase, add = random(2, TOKENS, 3), random(2, TOKENS, 3)
    expected = torch.empty_like(memory)
    for b in range(2):
        for s in range(SLOTS):
            kept, added = torch.ones(3, dtype=torch.float64), 0
            for k in range(TOKENS):
                weight = address[b, s, k]
                bound = erase[b, k] if published else erase[b, k].sigmoid()
                kept = kept * (1 - weight * bound)
                change = weight * add[b, k]
                added = added + ((1 - change) / TOKENS if published else change)
            expected[b, s] = memory[b, s] * kept + added
    write = add_erase_published if published else add_erase
    torch.testing.assert_close(write(memory, address, erase, add), expected)


def test_corrected_write_can_leave_the_memory_alone():
    """Nothing erased and nothing added changes nothing; the published rule adds one."""
    memory, address = random(1, SLOTS, 3), random(1, SLOTS, 2).softmax(1)
    nothing = torch.zeros(1, 2, 3, dtype=torch.float64)
    kept = add_erase(memory, address, nothing - 1e3, nothing)
    torch.testing.assert_close(kept, memory)
    torch.testing.assert_close(add_erase_published(memory, address, nothing, nothing), memory + 1)


def test_mean_groups():
    tokens = random(2, 6, 3)
    expected = torch.stack([tokens[:, start : start + 2].mean(1) for start in (0, 2, 4)], 1)
    torch.testing.assert_close(MeanGroups(3)(tokens), expected)
    assert MeanGroups(4)(tokens).shape == (2, 4, 3)


def test_order_of_tokens_matters_only_with_positions():
    tokens = torch.randn(2, 5, WIDTH)
    turned = tokens.flip(1)
    learner = TokenLearner(WIDTH, TOKENS)
    torch.testing.assert_close(learner(turned), learner(tokens))
    placed = PositionedSummarizer(learner, WIDTH, 5)
    assert not torch.allclose(placed(turned), placed(tokens))


SUMMARIZERS = {
    "learner": lambda count: TokenLearner(WIDTH, count),
    "queries": lambda count: LearnedQueries(WIDTH, count),
    "groups": MeanGroups,
}
PROCESSORS = {
    "transformer": lambda: TransformerProcessor(WIDTH, TOKENS, attention_heads=4),
    "mixer": lambda: MixerProcessor(WIDTH, TOKENS),
    "mlp": lambda: MLPProcessor(WIDTH, layers=2),
}


@pytest.mark.parametrize("summarizer", SUMMARIZERS)
@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("erases", [False, True])
def test_any_parts_make_a_machine(summarizer, processor, erases):
    make = SUMMARIZERS[summarizer]
    writer = AddEraseWriter(WIDTH, TOKENS) if erases else SummaryWriter(make(SLOTS))
    machine = TokenTuringMachine(
        ReadWriteUnit(make(TOKENS), PROCESSORS[processor](), writer), SLOTS
    )
    inputs = torch.randn(2, 3, 5, WIDTH, requires_grad=True)
    output, memory = machine(inputs)
    assert output.shape == (2, 3, TOKENS, WIDTH)
    assert memory.shape == (2, 3, SLOTS, WIDTH)
    output[:, -1].square().sum().backward()
    # the last output knows the first input, through the memory alone
    assert inputs.grad[:, 0].abs().sum() > 0
    assert all(parameter.grad is not None for parameter in machine.parameters())


def test_steps_go_on_where_they_stopped():
    unit = ReadWriteUnit(
        TokenLearner(WIDTH, TOKENS), MLPProcessor(WIDTH), SummaryWriter(TokenLearner(WIDTH, SLOTS))
    )
    machine, inputs = TokenTuringMachine(unit, SLOTS), torch.randn(2, 4, 5, WIDTH)
    whole = machine(inputs)
    first = machine(inputs[:, :2])
    second = machine(inputs[:, 2:], first.memory[:, -1])
    torch.testing.assert_close(torch.cat((first.output, second.output), 1), whole.output)
    torch.testing.assert_close(torch.cat((first.memory, second.memory), 1), whole.memory)


def test_impossible_options_are_named():
    with pytest.raises(ValueError, match="slots: 0"):
        TokenTuringMachine(ReadWriteUnit(MeanGroups(1), MLPProcessor(4), None), 0)
    with pytest.raises(ValueError, match="rule: 'other'"):
        AddEraseWriter(WIDTH, TOKENS, rule="other")
