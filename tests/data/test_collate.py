"""Batches against a slow loop over documents."""

import numpy as np
import pytest
import torch

from docre.data.collate import Collate
from docre.data.columns import to_record_batch
from docre.data.feature_table import FeatureTable
from docre.data.features import FeatureSettings, Featurizer
from docre.documents import Document
from docre.errors import DataError
from tests.toy import RELATIONS, TYPES, document, pieces


def table_of(documents, **settings):
    featurizer = Featurizer(pieces(), RELATIONS, TYPES, FeatureSettings(**settings))
    return FeatureTable.from_batches([to_record_batch(featurizer(documents))])


def rows_of(documents, **settings):
    return Featurizer(pieces(), RELATIONS, TYPES, FeatureSettings(**settings))(documents)


def typed(made, keep):
    pairs = tuple(p for k, p in enumerate(made.pairs()) if keep(k))
    labels = tuple(r for r in made.relations if (r.head, r.tail) in pairs)
    return type(made)(made.id, made.sentences, made.entities, labels, candidates=pairs)


DOCUMENTS = [
    *(document(seed) for seed in range(12)),
    document(100, entities=0),
    document(101, entities=1),
    document(102, entities=5, labelled=False),
    *(typed(document(seed, entities=5), lambda k: k % 3) for seed in range(200, 204)),
]


@pytest.mark.parametrize("chosen", [range(len(DOCUMENTS)), [12], [13], [14, 3], [16, 12, 1, 17]])
def test_collate_equals_a_loop_over_documents(chosen):
    chosen = list(chosen)
    table, rows = table_of(DOCUMENTS), rows_of(DOCUMENTS)
    batch = Collate(pad_id=9)(table[chosen])
    tokens, mentions, pairs, labels, evidence, sentences = [], [], [], [], [], []
    entity_base = pair_base = label_base = sentence_base = 0
    longest = max(len(rows[d].input_ids) for d in chosen)
    for b, d in enumerate(chosen):
        row = rows[d]
        tokens.append(row.input_ids + [9] * (longest - len(row.input_ids)))
        for token, end, entity in zip(
            row.mention_token, row.mention_end, row.mention_entity, strict=True
        ):
            mentions.append((token, end, entity + entity_base))
        listed = list(DOCUMENTS[d].pairs())
        pairs += [(h + entity_base, t + entity_base, b) for h, t in listed]
        for h, t, r in zip(row.label_head, row.label_tail, row.label_relation, strict=True):
            labels.append((listed.index((h, t)) + pair_base, r))
        for k, s in zip(row.evidence_label, row.evidence_sentence, strict=True):
            evidence.append((k + label_base, s + sentence_base))
        sentences += [(b, *span) for span in zip(row.sentence_start, row.sentence_end, strict=True)]
        entity_base += len(row.entity_type)
        pair_base += len(listed)
        label_base += len(row.label_relation)
        sentence_base += len(row.sentence_start)
        assert batch.entity_offset[b + 1] == entity_base
        assert batch.pair_offset[b + 1] == pair_base
    assert batch.document_ids == tuple(DOCUMENTS[d].id for d in chosen)
    assert batch.document_index.tolist() == chosen
    assert batch.input_ids.tolist() == tokens
    assert batch.token_mask.sum(1).tolist() == [len(rows[d].input_ids) for d in chosen]
    flat = zip(batch.mention_token, batch.mention_end, batch.mention_entity, strict=True)
    assert [tuple(map(int, m)) for m in flat] == mentions
    flat = zip(batch.pair_head, batch.pair_tail, batch.pair_doc, strict=True)
    assert [tuple(map(int, p)) for p in flat] == pairs
    flat = zip(batch.label_pair, batch.label_relation, strict=True)
    assert [tuple(map(int, x)) for x in flat] == labels
    flat = zip(batch.evidence_label, batch.evidence_sentence, strict=True)
    assert [tuple(map(int, x)) for x in flat] == evidence
    flat = zip(batch.sentence_doc, batch.sentence_start, batch.sentence_end, strict=True)
    assert [tuple(map(int, x)) for x in flat] == sentences
    assert batch.labelled.tolist() == [DOCUMENTS[d].relations is not None for d in chosen]
    assert batch.entity_doc.tolist() == [
        b for b, d in enumerate(chosen) for _ in DOCUMENTS[d].entities
    ]
    dense = torch.zeros(len(pairs), 1 + len(RELATIONS))
    for pair, relation in labels:
        dense[pair, 1 + relation] = 1
    dense[:, 0] = (dense[:, 1:].sum(1) == 0).float()
    assert torch.equal(batch.labels(len(RELATIONS)), dense)


def test_sentences_and_mentions_point_at_their_tokens():
    for made, row in zip(DOCUMENTS, rows_of(DOCUMENTS, markers="none"), strict=True):
        words = [pieces().of_words(sentence) for sentence in made.sentences]
        for s, (a, b) in enumerate(zip(row.sentence_start, row.sentence_end, strict=True)):
            expected = [i for word in made.sentences[s] for i in words[s][word]]
            assert row.input_ids[a:b] == expected
        spans = iter(zip(row.mention_token, row.mention_end, strict=True))
        for entity in made.entities:
            for m in entity.mentions:
                a, b = next(spans)
                expected = [
                    i
                    for word in made.sentences[m.sentence][m.start : m.end]
                    for i in words[m.sentence][word]
                ]
                assert row.input_ids[a:b] == expected


def test_whole_text_and_single_words_agree_for_word_pieces():
    """Word pieces split at blanks anyway, so both sources give the same tokens."""
    for a, b in zip(
        rows_of(DOCUMENTS, source="words"), rows_of(DOCUMENTS, source="text"), strict=True
    ):
        assert a._replace(id="") == b._replace(id="")


def test_hidden_labels_take_their_evidence_with_them():
    table = table_of(DOCUMENTS)
    keep = np.random.default_rng(0).random(len(table.labels()[1])) < 0.5
    full, hidden = Collate()(table[range(12)]), Collate()(table.with_labels(keep)[range(12)])
    mask = torch.from_numpy(keep[: len(full.label_pair)])
    assert torch.equal(hidden.label_pair, full.label_pair[mask])
    assert torch.equal(hidden.label_relation, full.label_relation[mask])
    kept = mask[full.evidence_label]
    assert torch.equal(hidden.evidence_sentence, full.evidence_sentence[kept])
    old = torch.nonzero(mask).flatten()
    assert torch.equal(old[hidden.evidence_label], full.evidence_label[kept])
    assert torch.equal(hidden.pair_head, full.pair_head)


def test_gold_first_is_the_published_order_and_warns():
    with pytest.warns(UserWarning, match="gold_first"):
        collate = Collate(pair_order="gold_first")
    for index, made in enumerate(DOCUMENTS[:12]):
        batch = collate(table_of(DOCUMENTS)[[index]])
        first = list(dict.fromkeys((r.head, r.tail) for r in made.relations))
        rest = [pair for pair in made.pairs() if pair not in first]
        flat = zip(batch.pair_head.tolist(), batch.pair_tail.tolist(), strict=True)
        assert list(flat) == first + rest
        plain = Collate()(table_of(DOCUMENTS)[[index]])
        found = {
            (int(batch.pair_head[p]), int(batch.pair_tail[p]), int(r))
            for p, r in zip(batch.label_pair, batch.label_relation, strict=True)
        }
        assert found == {
            (int(plain.pair_head[p]), int(plain.pair_tail[p]), int(r))
            for p, r in zip(plain.label_pair, plain.label_relation, strict=True)
        }


def test_batch_moves_and_keeps_its_ids():
    batch = Collate()(table_of(DOCUMENTS)[[0, 1]])
    moved = batch.to("meta")
    assert moved.device.type == "meta"
    assert moved.document_ids == batch.document_ids
    assert len(batch) == 2
    assert batch.num_entities == len(batch.entity_doc)
    with pytest.raises(AttributeError):
        batch.input_ids = batch.input_ids


def test_special_tokens_in_a_document_are_text():
    words = pieces().of_words(["[SEP]", "[CLS]"])
    specials = {pieces().prefix[0], pieces().suffix[0]}
    assert not specials & {i for ids in words.values() for i in ids}


def test_documents_that_are_too_long():
    made = document(7, entities=3)
    length = rows_of([made])[0].num_tokens
    with pytest.raises(ValueError, match="toy 7") as caught:
        rows_of([made], max_tokens=length - 1, truncation="error")
    assert caught.value.problems[0].code == "too-long"
    cut = rows_of([made], max_tokens=10, truncation="cut")[0]
    assert len(cut.input_ids) == 10
    assert cut.lost_tokens == length - 10
    assert len(cut.entity_type) == 3
    assert all(token < 9 for token in cut.mention_token)
    assert rows_of([made], max_tokens=10)[0].num_tokens == length
    with pytest.raises(ValueError, match="needs max_tokens"):
        FeatureSettings(truncation="cut")


def test_settings_are_checked_where_they_are_made():
    for wrong in ({"markers": "typped"}, {"source": "txt"}, {"alignment": "publ"}):
        with pytest.raises(ValueError, match=f"features.{next(iter(wrong))} must be one of"):
            FeatureSettings(**wrong)
    with pytest.raises(ValueError, match="of its own"):
        FeatureSettings(alignment="published", markers="typed")


def test_typed_markers_need_types_and_are_few():
    made = document(3, entities=2)
    with pytest.raises(DataError, match="no typed marker") as caught:
        Featurizer(pieces(), RELATIONS, ("PLANT",), FeatureSettings(markers="typed"))([made])
    assert caught.value.problems[0].document == made.id
    many = [f"T{number}" for number in range(26)]
    with pytest.raises(ValueError, match="25 types"):
        Featurizer(pieces(), RELATIONS, many, FeatureSettings(markers="typed"))


@pytest.mark.parametrize("markers", ["entity", "mention", "none"])
def test_a_text_without_pieces_has_a_place_for_its_mention(markers):
    made = Document.from_text("x", "\x01", {"a": [(0, 1)]})
    row = rows_of([made], source="text", markers=markers)[0]
    assert row.mention_token[0] < len(row.input_ids)
    assert row.mention_end[0] <= len(row.input_ids)
