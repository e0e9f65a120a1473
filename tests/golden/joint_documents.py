"""The documents, samples and settings of published joint systems, as ours take them."""

from __future__ import annotations

import json
from functools import cache, partial
from itertools import accumulate

import torch
from safetensors.torch import load_file

from docre.batch import Batch
from docre.encoder import Encoder
from docre.joint import (
    CoreferenceHead,
    EntityTypeHead,
    GlobalRelationHead,
    JointBatch,
    JointSample,
    MentionHead,
    MultiInstanceRelationHead,
    Spans,
    candidate_spans,
    join_samples,
    join_spans,
    pairs_of,
)
from tests.corpora import golden

KINDS = ("grc", "mrc")
DOCUMENTS = range(5)


@cache
def listed(folder, name):
    return json.loads(golden(f"joint/{folder}/{name}").read_text())


@cache
def stored(folder, name):
    """The tensors of each document in one file."""
    found = [{} for _ in DOCUMENTS]
    for place, tensor in load_file(golden(f"joint/{folder}/{name}.safetensors")).items():
        document, _, place = place.partition(".")
        found[int(document.removeprefix("doc"))][place] = tensor
    return found


@cache
def inputs(folder, document):
    """What a document asks: its token ids, training sample and candidates."""
    if folder == "memory":
        return stored(folder, "inputs")[document]
    return load_file(golden(f"joint/{folder}/doc{document}.safetensors"))


def document_lengths(folder, document):
    """Words of each sentence, and where the tokens of each word begin."""
    sentences = listed(folder, "tokenized.json")[document]
    tokens = [len(word) for sentence in sentences for word in sentence]
    words = torch.tensor([len(sentence) for sentence in sentences], dtype=torch.long)
    return words, torch.tensor([0, *accumulate(tokens)])


def candidates(folder, documents):
    largest = listed(folder, "config.json")["max_span_words"]
    return join_spans([candidate_spans(*document_lengths(folder, d), largest) for d in documents])


def sample(folder, document):
    """The published training sample of a document."""
    n = {
        name.removeprefix("train."): tensor
        for name, tensor in inputs(folder, document).items()
        if name.startswith("train.")
    }
    words, _ = document_lengths(folder, document)
    first_word = n["mention_word_spans"][:, 0].contiguous()
    sentence = torch.bucketize(first_word, words.cumsum(0), right=True)
    spans = Spans(
        torch.zeros_like(sentence),
        sentence,
        *n["mention_word_spans"].unbind(1),
        *n["mention_spans"].unbind(1),
    )
    return JointSample(
        spans,
        n["mention_types"].float(),
        n["entity_mentions"],
        n["entity_offsets"],
        n["entity_types"],
        *n["coref_pairs"].unbind(1),
        n["coref_edit"],
        n["coref_types"].float(),
        *n["rel_pairs"].unbind(1),
        *n["rel_types"].nonzero().unbind(1),
    )


def texts(folder, documents):
    ids = [inputs(folder, document)["input_ids"] for document in documents]
    padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
    mask = torch.arange(padded.shape[1]) < torch.tensor([len(each) for each in ids]).unsqueeze(1)
    names = tuple(f"document {document}" for document in documents)
    labelled = torch.ones(len(ids), dtype=torch.bool)
    return Batch.of_texts(names, torch.tensor(documents), padded, mask, labelled)


def training_batch(folder, documents):
    joined = join_samples([sample(folder, document) for document in documents])
    return JointBatch(texts(folder, documents), (), (), joined, pairs_of(joined))


def candidate_batch(folder, documents):
    spans = candidates(folder, documents)
    return JointBatch(texts(folder, documents), (), (), candidates=spans)


def network_settings(folder, kind):
    """Arguments of our network, without dropout: the same in training and evaluation."""
    c, off = listed(folder, "config.json"), 0.0
    meta = c["meta_dim"]
    rows = {"token_rows": c["token_dist_rows"], "sentence_rows": c["sent_dist_rows"]}
    relation = {
        "grc": partial(GlobalRelationHead, type_features=meta, dropout=off),
        "mrc": partial(
            MultiInstanceRelationHead,
            type_features=meta,
            distance_features=meta,
            dropout=off,
            **rows,
        ),
    }
    return {
        "in_features": c["bert"]["hidden_size"],
        "num_types": c["n_entity_types"],
        "num_relations": c["n_relation_types"],
        "mention": partial(MentionHead, size_rows=c["size_rows"], size_features=meta, dropout=off),
        "coreference": partial(
            CoreferenceHead, edit_rows=c["edit_rows"], edit_features=meta, dropout=off
        ),
        "entity": partial(EntityTypeHead, dropout=off),
        "relation": relation[kind],
        "dropout": off,
    }


def bert(folder):
    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = {**listed(folder, "config.json")["bert"], "model_type": "bert", **off}
    return Encoder(config=config)


def recorded(network, seen):
    """Keep what goes through the parts of a network, by the names of published tensors."""

    def keep(name):
        def hook(_module, _given, output):
            seen[name] = output

        return hook

    for name, part in (
        ("mention_logits", network.mention),
        ("coref_logits", network.coreference),
        ("entity_repr", network.entity_states),
        ("entity_logits", network.entity),
        ("rel_logits", network.relation),
    ):
        part.register_forward_hook(keep(name))
    states = network.relation.pair_states

    def pair_states(given):
        seen["given"] = given
        seen["pair_repr"] = states(given)
        return seen["pair_repr"]

    network.relation.pair_states = pair_states
    return network


def close(found, expected, tolerance=1e-5):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


# comparisons of what is found in whole documents


def word_spans(spans):
    return torch.stack((spans.word_start, spans.word_end), 1).tolist()


def canonical(words, entities, relations):
    """Mentions, entities and relations without an order."""
    sets = [
        (frozenset(tuple(words[mention]) for mention in members), kind)
        for members, kind in entities
    ]
    holding = {(sets[head], sets[tail], name): score for head, tail, name, score in relations}
    assert len(holding) == len(relations)
    return set(map(tuple, words)), set(sets), holding


def ours(folder, found):
    types, relations = (list(listed(folder, "types.json")[k]) for k in ("entities", "relations"))
    members = [[] for _ in found.entity_type]
    for mention, entity in enumerate(found.mention_entity.tolist()):
        members[entity].append(mention)
    kinds = [types[index] for index in found.entity_type.tolist()]
    columns = (found.head, found.tail, found.relation, found.relation_probability)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    labels = [(head, tail, relations[relation], score) for head, tail, relation, score in rows]
    return canonical(word_spans(found.mentions), zip(members, kinds, strict=True), labels)


def theirs(raw):
    """From the published file of predictions, where entities list the numbers of mentions."""
    words = [(mention["start"], mention["end"]) for mention in raw["mentions"]]
    entities = [(entity["mentions"], entity["type"]) for entity in raw["entities"]]
    relations = [(r["head"], r["tail"], r["type"], None) for r in raw["relations"]]
    return canonical(words, entities, relations)


def theirs_with_scores(raw):
    """From the sorted form, where entities list spans."""
    words = [tuple(mention) for mention in raw["mentions"]]
    entities = [
        ([words.index(tuple(m)) for m in e["mentions"]], e["type"]) for e in raw["entities"]
    ]
    relations = [(r["head"], r["tail"], r["type"], r["score"]) for r in raw["relations"]]
    return canonical(words, entities, relations)


def check_found(found, expected, logits):
    """Compare what was found in documents of a batch, and the logits of all heads on the way.

    Args:
        found: What was found in each document.
        expected: The published tensors of each.
        logits: What heads said about the batch, by the name of the published tensor.
    """
    upper = [torch.triu_indices(*each["edit"].shape, 1).unbind() for each in expected]
    rows = zip(expected, upper, strict=True)
    wanted = torch.cat([each["coref_logits"][first, second] for each, (first, second) in rows])
    close(logits["coref_logits"], wanted)  # these pairs, and no others
    labels, pairs = [], []
    for each, known in zip(found, expected, strict=True):
        assert word_spans(each.mentions) == known["accepted_word_spans"].tolist()
        close(each.mention_probability, known["accepted_prob"])
        first = [each.mention_entity.tolist().index(e) for e in range(len(each.entity_type))]
        label = known["cluster_of"][first]  # published label of each of our entities
        assert torch.equal(label[each.mention_entity], known["cluster_of"])
        assert torch.equal(each.entity_type, known["entity_types"][label])
        close(each.entity_probability, known["entity_logits"].softmax(1)[label].amax(1))
        labels.append(label)
        place = {tuple(pair): row for row, pair in enumerate(known["rel_pairs"].tolist())}
        label = label.tolist()
        ordered = [(h, t) for h in label for t in label if h != t]
        assert sorted(ordered) == sorted(place)
        pairs.append([place[pair] for pair in ordered])
    rows = list(zip(expected, labels, pairs, strict=True))
    if "entity_repr" in expected[0]:
        close(logits["entity_repr"], torch.cat([s["entity_repr"][at] for s, at, _ in rows]))
    close(logits["entity_logits"], torch.cat([s["entity_logits"][at] for s, at, _ in rows]))
    close(logits["rel_logits"], torch.cat([s["rel_logits"][at] for s, _, at in rows]))
