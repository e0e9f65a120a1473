"""No text becomes a special token, whatever kind of tokenizer cuts it."""

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizer, PreTrainedTokenizerFast

from docre.data.pieces import Pieces
from docre.errors import DocreError
from docre.pretrained import load_tokenizer
from tests import toy

TEXTS = ["</s>", "a</s>b", "<s> a </s></s> b", "<<//ss>>", "</s></s></s>", "ab <pad> é", "", " "]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
NAMES = ["<s>", "<pad>", "</s>", "<unk>"]


def wrapped(made, template="<s> $A </s>", **special):
    special = special or SPECIAL
    made.add_special_tokens([AddedToken(token, special=True) for token in special.values()])
    ends = [("<s>", made.token_to_id("<s>")), ("</s>", made.token_to_id("</s>"))]
    made.post_processor = processors.TemplateProcessing(template, None, ends)
    return Pieces(PreTrainedTokenizerFast(tokenizer_object=made, **special))


def unigram(template="<s> $A </s>"):
    """SentencePiece: the special tokens are pieces of the vocabulary, and likely ones."""
    scores = [(token, 0.0) for token in NAMES]
    scores += [("▁", -2.0), *((letter, -3.0) for letter in "<>/sabpd"), ("ab", -4.0)]
    made = Tokenizer(models.Unigram(scores, unk_id=NAMES.index("<unk>")))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    return wrapped(made, template)


def byte_level(template="<s> $A </s>"):
    """RoBERTa: a byte is always a piece, so nothing is unknown."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*NAMES, *letters])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return wrapped(made, template)


class Letters(PreTrainedTokenizer):
    """A slow tokenizer, which knows no offsets: each letter is a piece."""

    def __init__(self, **options):
        self.letters = {token: n for n, token in enumerate([*NAMES, *"<>/sabpd "])}
        super().__init__(**options)

    @property
    def vocab_size(self):
        return len(self.letters)

    def get_vocab(self):
        return dict(self.letters)

    def _tokenize(self, text):
        return list(text)

    def _convert_token_to_id(self, token):
        return self.letters.get(token, self.letters["<unk>"])

    def _convert_id_to_token(self, index):
        return list(self.letters)[index]


def slow():
    return Pieces(Letters(**SPECIAL))


KINDS = [unigram, byte_level, slow, toy.pieces]


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_becomes_a_special_token(kind):
    pieces = kind()
    special = set(pieces._tokenizer.all_special_ids) - {pieces.unknown_id}
    words = [*TEXTS, "[SEP]", "a[CLS]"]
    table = pieces.of_words(words)
    assert all(special.isdisjoint(table[word]) for word in words)
    assert not special & {i for w in words for i in pieces.ids_of(pieces.tokens_of(w), True)}
    if kind is not slow:
        cut = pieces.of_texts(words)
        assert [list(one.ids) for one in cut] == [table[word] for word in words]
        for text, (ids, offsets) in zip(words, cut, strict=True):
            assert len(ids) == len(offsets)
            assert all(0 <= a <= b <= len(text) for a, b in offsets)
            assert offsets == sorted(offsets)
            covered = {place for a, b in offsets for place in range(a, b)}
            assert covered >= {k for k, letter in enumerate(text) if not letter.isspace()}


def test_a_special_token_in_a_text_keeps_its_characters():
    (ids, offsets), *_ = unigram().of_texts(["a</s>b"])
    tokens = unigram()._tokenizer.convert_ids_to_tokens(ids)
    letters = [(t, span) for t, span in zip(tokens, offsets, strict=True) if t != "▁"]
    assert letters == [(c, (k, k + 1)) for k, c in enumerate("a</s>b")]
    assert byte_level().tokens_of("a</s>") == ["a", "<", "/", "s", ">"]
    assert slow().tokens_of("a</s>") == ["a", "<", "/", "s", ">"]


@pytest.mark.parametrize("kind", [unigram, byte_level])
@pytest.mark.parametrize(
    ("template", "before", "behind"),
    [("<s> $A </s>", 1, 1), ("<s> $A </s> </s>", 1, 2), ("$A </s>", 0, 1), ("$A", 0, 0)],
)
def test_what_stands_around_a_text(kind, template, before, behind):
    pieces = kind(template)
    start, end = pieces.ids_of(["<s>", "</s>"])
    assert (pieces.prefix, pieces.suffix) == ([start] * before, [end] * behind)


def test_unknown_is_no_special_token():
    pieces = unigram()
    assert pieces.of_words(["é"])["é"][-1] == pieces.unknown_id
    assert pieces.unknown_id not in byte_level().of_words(["é"])["é"]


def test_a_special_token_of_one_letter_is_unknown():
    scores = [("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("#", 0.0), ("a", -1.0)]
    made = Tokenizer(models.Unigram(scores, unk_id=2))
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "#"}
    pieces = wrapped(made, **special)
    assert pieces.of_words(["a#a"])["a#a"] == [4, 2, 4]
    assert pieces.of_texts(["a#a"])[0].offsets == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize(
    ("offline", "variable", "expected"),
    [(False, "0", False), (True, "0", True), (False, "1", True)],
)
def test_offline_means_local_files_only(offline, variable, expected, monkeypatch):
    import transformers

    seen = {}

    def fails(name, **options):
        seen.update(options)
        raise OSError("We looked at\nhuggingface.co in vain. Try again.")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fails)
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCRE_OFFLINE", variable)
    with pytest.raises(DocreError) as caught:
        load_tokenizer("no/such", offline=offline)
    assert seen["local_files_only"] is expected
    reason = str(caught.value).partition("\n")[0].partition("'no/such': ")[2]
    if expected:
        assert reason.startswith("it is not on this machine")
    else:
        assert reason == "We looked at huggingface.co in vain."


def test_the_reason_of_a_missing_tokenizer_is_a_whole_sentence(tmp_path):
    with pytest.raises(DocreError) as caught:
        load_tokenizer(str(tmp_path))
    assert str(caught.value).partition("\n")[0].endswith(".")
