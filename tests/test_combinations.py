"""Whatever the papers made goes together: contexts, memories, classifiers, losses, stages."""

import re
from dataclasses import replace
from fnmatch import fnmatch
from functools import cache, partial
from itertools import combinations, product
from random import Random

import pytest
import torch
import yaml
from lightning.pytorch.cli import LightningArgumentParser

from docre.configs import config_folder, config_names, find_config
from docre.context import LocalizedContext, UNetContext
from docre.data.modules.base import DocREDataModule
from docre.encoder import Encoder
from docre.heads import GroupedBilinear, PairHead, RefinedClassifier
from docre.losses import (
    AdaptiveFocalLoss,
    AdaptiveThresholdLoss,
    AttentionDistillation,
    BalancedSoftmaxLoss,
    CombinedLoss,
    ConcentratedMarginLoss,
    EvidenceLoss,
    LogitDistillation,
    PositiveUnlabelledLoss,
)
from docre.memory import TokenTuringReader
from docre.model import DocREModel
from docre.outputs import AttentionMaps, Targets, TeacherTargets
from docre.refinement import AxialTransformer, InstanceReasoning
from tests.batches import make_batch
from tests.test_configs import FAST, SHORT, cli, content, leaves, tiny, workplace  # noqa: F401 - fixtures

# --- every part with every part -------------------------------------------------------------------

WIDTH, RELATIONS = 16, 4
BERT = {
    "model_type": "bert",
    "vocab_size": 40,
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 40,
}
AXIAL = partial(AxialTransformer, layers=2, attention_heads=2)
REFINED = partial(RefinedClassifier, features=8, block_size=4)
READER = partial(TokenTuringReader, slots=5, layers=1, attention_heads=2)

CONTEXTS = {
    "localized": LocalizedContext,
    "u_net": partial(UNetContext, channels=2, down=4, out=6),
}
MEMORIES = {
    "none": None,
    "slots": READER,
    "document": partial(READER, axis="document", positions=True, residual_average=False),
}
CLASSIFIERS = {
    "bilinear": partial(GroupedBilinear, block_size=4),
    "bilinear_without_threshold": partial(GroupedBilinear, block_size=4, learned_threshold=False),
    "projection": REFINED,
    "axial": partial(REFINED, refinements=[AXIAL]),
    "iara": partial(REFINED, refinements=[InstanceReasoning]),
    "iara_axial": partial(REFINED, refinements=[InstanceReasoning, AXIAL]),
    "axial_iara": partial(REFINED, refinements=[AXIAL, InstanceReasoning]),
}
LOSSES = {
    "atl": AdaptiveThresholdLoss,
    "afl": AdaptiveFocalLoss,
    "balanced": BalancedSoftmaxLoss,
    "pn": partial(PositiveUnlabelledLoss, risk="pn"),
    "pu": partial(PositiveUnlabelledLoss, risk="pu", prior_multiple=2.0),
    "s_pu": partial(PositiveUnlabelledLoss, risk="s-pu", prior_multiple=2.0),
    "cmm_a": partial(ConcentratedMarginLoss, form="A"),
    "cmm_b": partial(ConcentratedMarginLoss, form="B"),
}
EXTRAS = {
    "none": (),
    "evidence": (EvidenceLoss,),
    "logits": (LogitDistillation,),
    "attention": (AttentionDistillation,),
    "all": (EvidenceLoss, LogitDistillation, AttentionDistillation),
}
# What no loss can move, whatever is put together: batch normalisation takes a bias before it away,
# a softmax one that all its scores share.
UNMOVED = (
    *(f"conv{k}.linear.bias" for k in (1, 2)),
    "memory.summarizer.mlp.output.bias",
    "attention.self.key.bias",
)


@cache
def scene():
    """Return a batch with evidence, and what a loss compares with."""
    sizes, lengths = (4, 6, 5), (15, 22, 18)
    batch = make_batch(
        [[3 + (7 * d + k) % 37 for k in range(n)] for d, n in enumerate(lengths)],
        [[[1 + 2 * e, *([2 * e + 4] if e % 2 else [])] for e in range(n)] for n in sizes],
        labels=[
            [(e, (e + 1 + d) % n, (e + r) % RELATIONS) for e in range(n) for r in range(1 + e % 2)]
            for d, n in enumerate(sizes)
        ],
    )
    halves = [(d, *span) for d, n in enumerate(lengths) for span in ((0, n // 2), (n // 2, n))]
    document, start, end = torch.tensor(halves).unbind(1)
    label = torch.arange(len(batch.label_pair))[::2]  # the others have no evidence
    sentence = 2 * batch.pair_doc[batch.label_pair[label]] + label % 2
    batch = replace(
        batch,
        sentence_doc=document,
        sentence_start=start,
        sentence_end=end,
        evidence_label=label,
        evidence_sentence=sentence,
    )
    draw = torch.Generator().manual_seed(1)
    scores = torch.randn(batch.num_pairs, 1 + RELATIONS, dtype=torch.float64, generator=draw)
    looks = torch.randn(batch.num_pairs, batch.num_tokens, dtype=torch.float64, generator=draw)
    looks = looks.masked_fill(~batch.token_mask[batch.pair_doc], -torch.inf).softmax(1)
    taught = TeacherTargets(scores, attention=AttentionMaps(looks))
    return batch, Targets(batch.labels(RELATIONS, torch.float64), batch, taught)


def losses():
    """Yield each loss with each extra: its name, that of the extra, and the loss."""
    priors = torch.full((RELATIONS,), 0.05, dtype=torch.float64)
    for (name, make), (more, others) in product(LOSSES.items(), EXTRAS.items()):
        made = [part(priors) for part in (make, *others)]
        yield f"{name} + {more}", more, made[0] if len(made) == 1 else CombinedLoss(made)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("context", CONTEXTS)
def test_every_loss_reaches_every_parameter(context, memory, classifier):
    batch, targets = scene()
    torch.manual_seed(0)
    encoder = Encoder("nothing", config=BERT).double().train()
    head = PairHead(
        WIDTH,
        RELATIONS,
        context=CONTEXTS[context],
        memory=MEMORIES[memory],
        classifier=CLASSIFIERS[classifier],
        width=WIDTH,
    )
    head.double().train()
    for module in head.modules():
        if isinstance(module, InstanceReasoning):  # its value begins at zero: query, key stay then
            torch.nn.init.normal_(module.value.weight)
    encoded = encoder(batch)
    output = head(encoded, batch)
    names, parameters = zip(*head.named_parameters(), strict=True)
    wanted = [*parameters, encoded.mention_attention]
    for name, extra, loss in losses():
        parts = loss(output, targets)
        total = parts.total()
        assert torch.isfinite(torch.stack([total, *parts.scalars().values()])).all(), name
        *gradients, of_attention = torch.autograd.grad(total, wanted, retain_graph=True)
        assert_moved(dict(zip(names, gradients, strict=True)), name)
        if extra == "none":
            alone = of_attention
        else:  # the way of what is added: evidence has nothing in the head to move
            assert (of_attention - alone).abs().max() > 1e-9, name
    # the rest of the way is the same for all of them
    total.backward()
    assert_moved({name: weight.grad for name, weight in encoder.named_parameters()}, name)


def assert_moved(gradients, of):
    """Check that all gradients are finite, and none is zero but where it has to be."""
    sizes = torch.stack([gradient.abs().max() for gradient in gradients.values()])
    assert torch.isfinite(sizes).all(), of
    still = {name for name, size in zip(gradients, sizes.tolist(), strict=True) if size < 1e-12}
    assert still == {name for name in gradients if name.endswith(UNMOVED)}, of


# --- every overlay with every overlay -------------------------------------------------------------

OVERLAYS = [name for name in config_names() if name.startswith("overlays/")]
BASES = ("redocred_ttm.yaml", "docred_s_pu.yaml", "redocred_comm_kd_docre_bert.yaml")
# One of each is chosen at a time; a classifier goes before the refinements that it gets.
CHOICES = {
    "context": ("context/localized", "context/u_net"),
    "memory": ("memory/ttm", "memory/none", "memory/document_attention"),
    "classifier": (
        *("classifier/bilinear", "classifier/projection"),
        *("refinement/axial", "refinement/iara_token", "refinement/iara_full"),
    ),
    "loss": tuple(f"loss/{n}" for n in "atl afl balanced pn pu s_pu cmm cmm_b".split()),  # noqa: SIM905
    "evidence": ("loss/evidence",),
    "stage": ("stage/teacher_logits", "stage/teacher_attention"),
    "encoder": ("encoder/last_3_layers", "encoder/bert_base"),
    "markers": ("markers/entity", "markers/typed"),
    "pooling": ("pooling/mean", "pooling/attention"),
    "noise": ("noise/keep_19_percent",),
}


def said(name):
    """Return what an overlay says, by place; what it appends stands at a place ending in ``+``."""
    return dict(leaves(content(name)))


def test_overlays_of_two_folders_speak_of_different_things():
    # those of joint models go over other systems
    names = [name for name in OVERLAYS if "/joint/" not in name]
    places = {name: said(name) for name in names}
    clashes = set()
    for one, other in combinations(names, 2):
        folders = one.split("/")[1], other.split("/")[1]
        if folders[0] != folders[1]:
            for (a, value), (b, others) in product(places[one].items(), places[other].items()):
                both_append = a == b and a[-1].endswith("+")
                bare_a, bare_b = ((*path[:-1], path[-1].rstrip("+")) for path in (a, b))
                overlap = all(x == y for x, y in zip(bare_a, bare_b, strict=False))
                if overlap and value != others and not both_append:
                    clashes.add(folders)
    assert clashes == {("classifier", "refinement")}


def stacks():
    """Return choices of one overlay each, in which every two of different kinds meet."""
    chosen, missing = [], {frozenset(pair) for pair in pairs_of(CHOICES.values())}
    for loss, classifier in product(CHOICES["loss"], CHOICES["classifier"]):
        stack = [loss, classifier]
        for kind in [kind for kind in CHOICES if kind not in ("loss", "classifier")]:
            stack.append(max(CHOICES[kind], key=partial(unmet, stack, missing)))
        missing -= {frozenset(pair) for pair in combinations(stack, 2)}
        chosen.append(stack)
    return chosen, missing


def pairs_of(kinds):
    for one, other in combinations(kinds, 2):
        yield from product(one, other)


def unmet(stack, missing, name):
    """Count the overlays in a stack that another one has not met yet."""
    return sum(frozenset((name, other)) in missing for other in stack)


STACKS, UNMET = stacks()


def parsed(tmp_path, base, names):
    """Return model and data of a configuration under overlays."""
    # a parser of its own, as a command has: old versions remember defaults of nested settings
    parser = LightningArgumentParser()
    parser.add_argument("-c", action="config")
    parser.add_class_arguments(DocREModel, "model")
    parser.add_subclass_arguments(DocREDataModule, "data", required=True)
    config = content(base)
    file = tmp_path / "base.yaml"
    file.write_text(yaml.safe_dump({key: config[key] for key in ("model", "data")}))
    files = [file, *(config_folder() / f"overlays/{name}.yaml" for name in names)]
    arguments = [word for path in files for word in ("-c", str(path))]
    if any(name.startswith("stage/") for name in names):
        arguments += ["--model.teacher.init_args.run", "somewhere"]
    return parser.parse_args(arguments).as_dict()


def at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


# each base has a third of them, or all
SHARES = [3, pytest.param(1, marks=pytest.mark.slow)]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("number", range(len(BASES)))
def test_overlays_keep_what_others_say(number, share, tmp_path):
    assert not UNMET
    random = Random(number)
    before = dict(leaves(parsed(tmp_path, BASES[number], [])))
    for chosen in STACKS[number % share :: share]:
        stack = random.sample(chosen, len(chosen))  # in any order
        config = parsed(tmp_path, BASES[number], stack)
        spoken = [said(f"overlays/{name}.yaml") for name in stack]
        for path, value in (item for overlay in spoken for item in overlay.items()):
            if path[-1].endswith("+"):
                place = (*path[:-1], path[-1][:-1])
                old, found = before.get(place) or [], at(config, place)
                assert found[: len(old)] == old, stack
                added = found[len(old) :]
                assert all(any(holds(one, new) for one in added) for new in value), stack
            else:
                assert at(config, path) == value, (stack, path)
        places = {(*p[:-1], p[-1].rstrip("+")) for overlay in spoken for p in overlay}
        now = dict(leaves(config))
        for path in now.keys() & before.keys() - {("c",)} - places:
            if not of_another_class(path, now, before):
                assert now[path] == before[path], (stack, path)


def of_another_class(path, now, before):
    """Say whether an argument belongs to a class that was changed."""
    owners = [(*path[:k], "class_path") for k, key in enumerate(path) if key == "init_args"]
    return any(now[owner] != before[owner] for owner in owners)


def holds(tree, part):
    """Say whether a tree has everything that a part of it has."""
    if not isinstance(part, dict):
        return tree == part
    return all(key in tree and holds(tree[key], value) for key, value in part.items())


def test_contexts_leave_nothing_of_the_one_before(tmp_path):
    """A published system adds other numbers to the attention of a pair."""
    bases = ("docred_dreeam_teacher.yaml", "docred_kd_docre_teacher.yaml", "docred_docunet.yaml")
    for base, name in product(bases, ("localized", "u_net")):
        config = parsed(tmp_path, base, [f"context/{name}"])
        context = config["model"]["head"]["init_args"]["context"]
        assert context["init_args"]["eps"] == 1e-5, (base, name)


def test_refinements_follow_one_another(tmp_path):
    axial, token, full = (f"refinement/{name}" for name in ("axial", "iara_token", "iara_full"))
    bilinear, projection = "classifier/bilinear", "classifier/projection"

    def classifier(*names, base="redocred_ttm.yaml"):
        made = at(parsed(tmp_path, base, names), ("model", "head", "init_args", "classifier"))
        refinements = made["init_args"].get("refinements", [])
        kinds = [one["class_path"].split(".")[-1] for one in refinements]
        return made["class_path"].split(".")[-1], kinds

    a, i = "AxialTransformer", "InstanceReasoning"
    assert classifier() == ("GroupedBilinear", [])
    assert classifier(axial, token) == ("RefinedClassifier", [a, i])
    assert classifier(token, axial) == ("RefinedClassifier", [i, a])
    assert classifier(full) == ("RefinedClassifier", [i, a])
    assert classifier(axial, bilinear) == ("GroupedBilinear", [])
    assert classifier(bilinear, axial) == ("RefinedClassifier", [a])
    kd = "redocred_kd_docre_teacher.yaml"
    assert classifier(token, base=kd) == ("RefinedClassifier", [a, i])
    assert classifier(projection, base=kd) == ("RefinedClassifier", [])


def test_the_page_names_every_overlay():
    page = (config_folder().parent / "docs/ablations.md").read_text(encoding="utf-8")
    named, where = [], ""
    for row in re.findall(r"^\|.*", page, re.M):
        place, files = row.split("|")[1:3]
        where = place.strip(" `/") or where
        named += [f"overlays/{where}/{file}.yaml" for file in re.findall(r"`(\S+)`", files)]
    assert not [name for name in OVERLAYS if not any(fnmatch(name, one) for one in named)]
    for word in re.findall(r"-c ([a-z/_0-9]+\.yaml)", page):
        assert find_config(word)


# --- and trained ----------------------------------------------------------------------------------

SMALL_UNET = [f"--model.head.init_args.context.init_args.{size}=8" for size in ("down", "out")]
NAMED = {
    "TTM-RE + CMM": ("redocred_ttm", ["loss/cmm"], []),
    "DocuNet + SSR-PU": ("docred_ssr_pu", ["context/u_net"], SMALL_UNET),
    "KD-DocRE + TTM-RE": ("redocred_kd_docre_teacher", ["memory/ttm"], []),
    "DocuNet + evidence": ("redocred_docunet", ["loss/evidence"], []),
    "KD-DocRE + evidence": ("redocred_kd_docre_teacher", ["loss/evidence"], []),
}
PARTS = {
    "TTM-RE": TokenTuringReader,
    "CMM": ConcentratedMarginLoss,
    "DocuNet": UNetContext,
    "SSR-PU": PositiveUnlabelledLoss,
    "KD-DocRE": AxialTransformer,
    "evidence": EvidenceLoss,
    "teacher's attention": AttentionDistillation,
    "teacher's logits": LogitDistillation,
}


def train(run, base, overlays, *options):
    """Train a tiny model on toy files, and return it."""
    chosen = [word for name in overlays for word in ("-c", f"overlays/{name}.yaml")]
    made = run("fit", "-c", f"{base}.yaml", *tiny(f"{base}.yaml"), *chosen, *options)
    assert torch.isfinite(made.trainer.callback_metrics["train/loss"])
    return made.model


def has(model, part):
    return any(isinstance(module, PARTS[part]) for module in model.modules())


@pytest.mark.parametrize("name", NAMED)
def test_a_combination_trains(name, cli):  # noqa: F811
    base, overlays, options = NAMED[name]
    model = train(cli, base, overlays, *options, *FAST)
    assert all(has(model, part) for part in name.split(" + "))


def test_a_teacher_of_another_kind(cli):  # noqa: F811
    train(cli, "redocred_atlop", ["context/u_net", "memory/ttm"], *SMALL_UNET, *SHORT)
    overlays = ["refinement/axial", "stage/teacher_logits", "loss/evidence"]
    overlays += ["stage/teacher_attention"]
    options = ["--model.teacher.init_args.run", "runs/redocred_atlop/version_0"]
    model = train(cli, "redocred_atlop", overlays, *options, *FAST)
    for part in ("KD-DocRE", "evidence", "teacher's attention", "teacher's logits"):
        assert has(model, part)
    assert not has(model, "DocuNet")
