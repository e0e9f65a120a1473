"""What docs/security.md promises, as far as it can be seen quickly.

Promise by promise: nothing is unpickled or evaluated (``test_no_code_is_read_from_files``), a
checkpoint chooses neither classes nor functions (``test_settings_of_a_checkpoint``), a
configuration names parts (``test_functions_in_a_configuration``), YAML and packed files are bounded
(``test_yaml_bombs``, ``test_packed_bombs``), links are not followed where docre writes or removes
(``test_links_*``), texts of files stay texts (``test_cells``, ``test_markdown``,
``test_messages_are_short``). Whole commands are in tests/reliability/test_hostile.py.
"""

import ast
import gzip
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from docre import read_documents
from docre.configs import find_config
from docre.data import packed
from docre.data.cache import _clear
from docre.data.formats.official import read_predictions
from docre.data.held_file import held_file
from docre.data.transfer import discard, own_file, unpack_gz
from docre.data.writing import atomic_file
from docre.errors import DataError, DocreError, Problem
from docre.hub.trained_settings import check_loaded, check_trained_settings, packages_of
from docre.hub.whole_folder import clear_leftovers, whole_folder
from docre.markdown_text import plain, table
from docre.model import DocREModel
from docre.named_makers import check_makers
from docre.pipeline.records import open_bytes
from docre.spreadsheet_text import as_cell
from docre.yaml_text import MOST, plain_yaml, require_plain

PACKAGE = Path(__file__).resolve().parents[1] / "docre"
BANNED_CALLS = {"eval", "exec", "compile", "__import__"}
BANNED_NAMES = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "yaml.load", "yaml.full_load"),
    *("yaml.unsafe_load", "os.system", "os.popen", "np.load", "numpy.load", "tempfile.mktemp"),
    *("torch.hub.load", "torch.package", "torch.jit.load", "shutil.unpack_archive"),
}
BANNED_MODULES = {"marshal", "shelve", "dill", "joblib", "cloudpickle", "tarfile", "xml.etree"}
# reads back what it has just written, in the tests of people's own modules
OWN_PICKLES = {"testing/module_tester.py"}


# --- code in files --------------------------------------------------------------------------------


def offences(source):
    """Say where a source reads code from files, or could."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            module = getattr(node, "module", None)
            for name in [module] if module else names:
                if any(f"{name}.".startswith(f"{bad}.") for bad in BANNED_MODULES):
                    yield f"imports {name}"
            if module in ("pickle", "yaml", "torch"):
                yield from (f"imports {n}" for n in names if f"{module}.{n}" in BANNED_NAMES)
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        last = called.rpartition(".")[2]
        if called in BANNED_CALLS or called in BANNED_NAMES or last == "extractall":
            yield f"calls {called}"
        if called == "torch.load" and given.get("weights_only") != "True":
            yield "calls torch.load without weights_only=True"
        if given.get("shell", "False") != "False":
            yield f"calls {called} with a shell"
        reads = ("msgspec.yaml.decode", "yaml.safe_load", "yaml.SafeLoader")
        if called in reads and not ast.unparse(node.args[0]).startswith(("plain_yaml(", "name")):
            yield f"calls {called} on text that plain_yaml has not seen"
        fetches = last == "from_pretrained" and called.startswith("Auto")
        if fetches and given.get("trust_remote_code") != "False":
            yield f"calls {called} without trust_remote_code=False"


def test_no_code_is_read_from_files():
    found = [
        (str(path.relative_to(PACKAGE)), offence)
        for path in sorted(PACKAGE.rglob("*.py"))
        for offence in offences(path.read_text())
    ]
    assert {(path, said) for path, said in found if path not in OWN_PICKLES} == set()
    assert {path for path, _ in found} == OWN_PICKLES


@pytest.mark.parametrize(
    "source",
    [
        "import pickle; pickle.loads(x)",
        "import torch; torch.load(x)",
        "torch.load(x, weights_only=False)",
        "eval('1')",
        "import tarfile",
        "AutoModel.from_pretrained(x)",
        "archive.extractall(place)",
        "subprocess.run(x, shell=True)",
        "from pickle import loads",
        "yaml.safe_load(path.read_text())",
    ],
)
def test_offences_are_seen(source):
    assert list(offences(source))


class Touching:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("how", ["file", "open", "remote", "forced"])
def test_load_from_checkpoint_does_not_unpickle(tmp_path, monkeypatch, how):
    made, path = tmp_path / "made", tmp_path / "evil.ckpt"
    torch.save({"state_dict": {}, "evil": Touching(made)}, path)
    given = {"open": io.BytesIO(path.read_bytes()), "remote": f"http://127.0.0.1:9/{path}"}
    if how == "forced":  # of torch, for whoever trusts all files
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(DocreError, match="no checkpoint that can be read"):
        DocREModel.load_from_checkpoint(given.get(how, path), weights_only=False)
    assert not made.exists()


EVIL = {"class_path": "subprocess.getoutput", "init_args": {"cmd": "true"}}
SETTINGS = [
    {"encoder": EVIL},
    {"head": {"class_path": "docre.heads.PairHead", "init_args": {"memory": EVIL}}},
    {"extra_losses": [EVIL]},
    {"encoder": "subprocess.getoutput"},
    {"encoder": "{class_path: subprocess.getoutput}"},
    {"encoder": "evil.yaml"},
    {"head": {"class_path": "docre.heads.PairHead", "init_args": {"memory": "../evil.yaml"}}},
    {"encoder": {"class_path": "docre.data.transfer.discard", "init_args": {"part": "x"}}},
    {"encoder": {"class_path": "docre.hub.building.import_module"}},
    {"encoder": {"class_path": "torch.hub.load", "init_args": {"repo_or_dir": "x"}}},
    {"encoder": {"class_path": "torch.nn.modules.module.torch"}},
    {"encoder": {"class_path": "docre.__main__.main"}},
    {"encoder": {"class_path": 7}},
    {"_class_path": "subprocess.Popen"},
    {"teacher": {"class_path": "docre.heads.PairHead", "init_args": {"run": "../x.yaml"}}},
    {"teacher": {"class_path": "docre.distillation.OnlineTeacher", "init_args": {"run": EVIL}}},
    ["encoder"],
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_of_a_checkpoint(settings):
    with pytest.raises(DocreError, match="hyper_parameters"):
        check_trained_settings(settings)
    if isinstance(settings, dict):
        with pytest.raises(DocreError, match="hyper_parameters"):
            check_loaded({"hyper_parameters": {**settings, "_instantiator": "x"}})


def test_settings_that_are_fine():
    encoder = {"class_path": "docre.encoder.Encoder", "init_args": {"weights": "org/na.me"}}
    teacher = {
        "class_path": "docre.distillation.OnlineTeacher",
        "init_args": {"run": "runs/a/best.ckpt"},
    }
    fine = {
        "encoder": encoder,
        "teacher": teacher,
        "init_from": "runs/b/best.ckpt",
        "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"betas": [0.9, 0.99]}},
        "head": None,
    }
    check_trained_settings(fine)
    own = {**fine, "head": {"class_path": "tests.batches.Head"}}
    with pytest.raises(DocreError, match="--allow tests"):
        check_trained_settings(own)
    assert packages_of(own) == ["docre", "tests", "torch"]
    # what the caller gives itself counts more; without a parser, values are only values
    check_loaded({"hyper_parameters": {"head": EVIL, "_instantiator": "x"}}, given=["head"])
    check_loaded({"hyper_parameters": {"head": EVIL}})
    with pytest.raises(DocreError, match="hparams"):
        check_loaded({"hparams": {"head": EVIL}})


def make_layer(width) -> torch.nn.Linear:
    return torch.nn.Linear(width, width)


def test_functions_in_a_configuration():
    for path in ("subprocess.getoutput", "torch.hub.load", "os.system", "shutil.rmtree"):
        with pytest.raises(DocreError, match=r"model\.parts\[0\]\.class_path: .* is a function"):
            check_makers({"model": {"parts": [{"class_path": path}]}})
    for path in ("docre.heads.PairHead", "lightning.pytorch.callbacks.EarlyStopping"):
        check_makers({"model": {"class_path": path, "init_args": {"a": 1}}})
    check_makers({"class_path": f"{__name__}.make_layer"})  # says that it makes a module
    with pytest.raises(DocreError, match="does not say what it makes"):
        check_makers({"class_path": f"{__name__}.laughs"})


# --- YAML -----------------------------------------------------------------------------------------


def laughs() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (laughs(), "aliases written out"),
        ("a: " + "[" * 100_000, "levels deep"),
        ("{a: " * 100_000, "levels deep"),
        ("- " * 100_000, "levels deep"),
        ("".join(" " * n + "a:\n" for n in range(200)), "levels deep"),
        ("a: &a [*a]", "inside of itself"),
        (f"a: {'9' * 5000}", "digits"),
        (f"[{'1,' * (MOST + 1)}]", "more than"),
    ],
)
def test_yaml_bombs(tmp_path, text, said):
    path = tmp_path / "evil.yaml"
    path.write_text(text)
    for reading in (plain_yaml, lambda file: find_config(str(file))):
        with pytest.raises(DocreError, match=rf"evil\.yaml: .*{said}"):
            reading(path)


def test_yaml_that_is_fine():
    for text in ("a: &a {x: 1}\nb: {<<: *a, y: [*a, *a]}", "", "a: [", 'a: "' + "9" * 5000 + '"'):
        require_plain(text)


# --- packed files ---------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(packed, "_ALWAYS", 1 << 20)


def test_packed_bombs(small, tmp_path):
    bomb = b"[" + b" " * (8 << 20) + b"]"
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(bomb))
    with pytest.raises(DataError, match="unpacks to more than"):
        read_documents(path)
    with pytest.raises(DataError, match="unpacks to more than"), open_bytes(path) as file:
        file.readline()
    with pytest.raises(DocreError, match="unpacks to more than"):
        unpack_gz(path, tmp_path / "out", limit=1000)
    zipped = tmp_path / "bomb.zip"
    for packing in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(zipped, "w", packing) as archive:
            archive.writestr("result.json", bomb)
        with pytest.raises(DataError, match=r"unpacks to more than|packed in a way"):
            read_predictions(zipped)


def test_packed_files_that_are_fine(small, tmp_path):
    path = tmp_path / "fine.json.gz"
    data = json.dumps([{"id": str(k), "sentences": [["a"]], "entities": []} for k in range(30_000)])
    path.write_bytes(gzip.compress(data.encode()))
    assert len(data) > 1 << 20
    assert len(read_documents(path)) == 30_000
    zipped = tmp_path / "fine.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("../../result.json", "[]")  # a name that is never used
    assert read_predictions(zipped) == []
    assert not (tmp_path.parent.parent / "result.json").exists()


# --- links ----------------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path):
    """A file and a folder of somebody else."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious").write_text("mine")
    yield folder
    assert (folder / "precious").read_text() == "mine"
    assert [path.name for path in folder.iterdir()] == ["precious"]


def test_links_of_unfinished_files(tmp_path, outside):
    part = tmp_path / "file.part"
    for mode in ("wb", "ab"):
        part.symlink_to(outside / "precious")
        with own_file(part, mode) as file:
            file.write(b"theirs")
        assert not part.is_symlink()
        assert part.read_bytes() == b"theirs"
        part.unlink()
    part.symlink_to(outside / "precious")
    discard(part)
    assert not part.exists()
    part.symlink_to(outside / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        held_file(part)


def test_links_of_caches_and_folders(tmp_path, outside):
    root = tmp_path / "cache"
    root.mkdir()
    (root / "entry").symlink_to(outside)
    (root / "entry.part-1").symlink_to(outside)
    _clear(root, root / "entry")
    assert list(root.iterdir()) == []
    target = tmp_path / "model"
    target.symlink_to(outside)
    with whole_folder(target) as part:
        (part / "new").write_text("")
    assert not target.is_symlink()
    assert (target / "new").exists()
    shutil.rmtree(target)
    (tmp_path / ".model.1.old").symlink_to(outside)
    (tmp_path / f".model.{2**22 + 1}.part").symlink_to(outside)
    clear_leftovers(target)
    assert not target.exists()


def test_links_in_place_of_an_output(tmp_path, outside):
    """The link is replaced, not what it points to."""
    target = tmp_path / "out.json"
    target.symlink_to(outside / "precious")
    with atomic_file(target) as file:
        file.write(b"[]")
    assert not target.is_symlink()
    (tmp_path / f".out.json.{os.getpid()}.part").symlink_to(outside / "precious")
    with atomic_file(target) as file:
        file.write(b"{}")
    assert target.read_bytes() == b"{}"


# --- texts ----------------------------------------------------------------------------------------

PAYLOADS = [
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    "<!--<script>",
    "<img src=x onerror=window.hacked=1>",
    '"><svg onload=window.hacked=1>',
    "[x](javascript:window.hacked=1)",
    "![x](http://127.0.0.1:9/x.png)",
    "<javascript:window.hacked=1>",
    "`</code><script>window.hacked=1</script>",
    "| x |\n|---|\n<b>",
    "\u2028window.hacked=1\u2029",
    "&lt;script&gt;",
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", PAYLOADS)
def test_markdown(text):
    markdown = pytest.importorskip("markdown")
    shown = table(["a", plain(text)], [[plain(text), f"**{plain(text)}**"]])
    page = markdown.markdown(f"### {plain(text)}\n\n{shown}\n", extensions=["tables"])
    allowed = ("<h3>", "<table>", "<thead>", "<tbody>", "<tr>", "<th>", "<td>", "<strong>")
    for tag in (*allowed, *(one.replace("<", "</") for one in allowed)):
        page = page.replace(tag, "")
    assert "<" not in page


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff20"])
def test_cells(sign):
    assert as_cell(f"{sign}1+1") == f"'{sign}1+1"
    assert as_cell(f"1{sign}1") == f"1{sign}1"


def test_messages_are_short():
    huge = "x" * 10**6
    assert len(str(Problem("code", huge, huge, huge))) < 3000
    assert "\x1b" not in str(Problem("code", "wrong", "\x1b[31mred"))
