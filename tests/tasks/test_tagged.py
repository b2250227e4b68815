"""Reading tagged words: whatever is wrong is told by file and line."""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bertpipe.errors import TaskDataError
from bertpipe.tasks import describe, kind_of
from bertpipe.tasks.formats import Sentence
from bertpipe.tasks.kinds import Tagging, TaggingDescription

ENDINGS = {"conll": "conll", "conllu": "conllu", "klue_ner": "tsv", "jsonl": "jsonl"}


def read(folder: Path, content: str | bytes, name: str = "", **description: Any) -> list[Sentence]:
    described = TaggingDescription(kind="tagging", **description)
    path = folder / (name or f"dev.{ENDINGS[described.format]}")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Tagging.read(folder, "dev", described)


def told(sentences: list[Sentence]) -> list[tuple[str, str]]:
    return [("|".join(s.words), "|".join(s.tags or ())) for s in sentences]


COLUMNS_2003 = """-DOCSTART- -X- O O

U.N. NNP I-NP I-ORG
# NN I-NP O

visits VBZ I-VP O
"""


def test_words_in_columns_are_read(tmp_path: Path) -> None:
    """Documents are skipped, blank lines end sentences, a number sign is a word."""
    first, second = read(tmp_path, COLUMNS_2003)
    assert first == Sentence("0", ("U.N.", "#"), ("I-ORG", "O"), f"{tmp_path}/dev.conll:3")
    assert (second.id, second.words, second.place) == ("1", ("visits",), f"{tmp_path}/dev.conll:6")


def test_any_column_may_hold_words_or_tags(tmp_path: Path) -> None:
    """By number, from the first or from the last."""
    (only,) = read(tmp_path, "1\tB-PER\tAnna\tNNP\n2\tO\truns\tVBZ", token_column=2, tag_column=1)
    assert told([only]) == [("Anna|runs", "B-PER|O")]
    (only,) = read(tmp_path, "1\tB-PER\tAnna\tNNP\n2\tO\truns\tVBZ", token_column=-2, tag_column=3)
    assert told([only]) == [("Anna|runs", "NNP|VBZ")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a\tO\r\nb\tO\r\n\r\nc\tO\r\n", [("a|b", "O|O"), ("c", "O")]),
        ("\ufeffa\tO\n", [("a", "O")]),
        ("\n\na O\n \n\t\nb  O \n\n\n", [("a", "O"), ("b", "O")]),
        ("New York\tO\n\tO\n \tO", [("New York|| ", "O|O|O")]),
        ("a\u00a0b O\nc\u2028 O\n", [("a\u00a0b|c\u2028", "O|O")]),
    ],
    ids=["CRLF", "BOM", "blank lines and spaces", "tabs keep spaces and nothing", "only a space is a space"],
)
def test_real_files_are_read(content: str, expected: list[tuple[str, str]], tmp_path: Path) -> None:
    """Line ends, marks and blanks as they are met."""
    assert told(read(tmp_path, content)) == expected


CONLLU = """# newdoc id = n
# sent_id = first-1
# text = Don't go
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
3.1\tgone\tgo\tVERB\tVBN\t_\t_\t_\t_\t_

1\t#\t#\tSYM\tNN\t_\t0\troot\t_\t_
"""


@pytest.mark.parametrize(("column", "tags"), [(None, ["AUX|PART|VERB", "SYM"]), ("xpos", ["VB|RB|VB", "NN"])])
def test_universal_dependencies_are_read(column: str | None, tags: list[str], tmp_path: Path) -> None:
    """Comments, ranges and empty nodes are no words; sentences have their own names or numbers."""
    sentences = read(tmp_path, CONLLU, format="conllu", tag_column=column)
    assert told(sentences) == list(zip(["Do|n't|go", "#"], tags, strict=True))
    assert [s.id for s in sentences] == ["first-1", "1"]
    assert sentences[0].place == f"{tmp_path}/dev.conllu:5"


KLUE = "## 문장 구분자 : \\n\\n\n## ner-1\t<서울:LC> 가\n서\tB-LC\n울\tI-LC\n \tO\n가\tO\n#\tO\n"


def test_characters_of_klue_are_read(tmp_path: Path) -> None:
    """A space is a line of its own and ends a word; two number signs begin a comment, one is a character."""
    (only,) = read(tmp_path, KLUE, format="klue_ner")
    assert told([only]) == [("서|울|가|#", "B-LC|I-LC|O|O")]
    assert only.id == "ner-1" and only.place == f"{tmp_path}/dev.tsv:3"
    assert only.texts == [["서", "울"], ["가", "#"]]


def test_characters_without_tags_are_read(tmp_path: Path) -> None:
    """They are the same characters, in the same words: a space is still a line of its own."""
    tagged = "".join(f"{line}\n" for line in (*KLUE.splitlines(), "", "나\tO"))
    bare = "\n".join(line if line.startswith("##") else line.split("\t")[0] for line in tagged.split("\n"))
    known = read(tmp_path, tagged, format="klue_ner")
    assert read(tmp_path, bare, format="klue_ner") == [replace(sentence, tags=None) for sentence in known]
    with pytest.raises(TaskDataError, match=r"dev\.tsv:1: '가나' is not one character"):
        read(tmp_path, "가나\n", format="klue_ner")


@pytest.mark.parametrize("tag_column", [None, -1, 1, 3])
def test_a_single_column_has_no_tags(tag_column: int | None, tmp_path: Path) -> None:
    """Wherever they stand in the files that have some; the words must be there."""
    (only,) = read(tmp_path, "Anna\nruns\n", tag_column=tag_column)
    assert (only.words, only.tags) == (("Anna", "runs"), None)
    with pytest.raises(TaskDataError, match=r"dev\.conll:1: no column 1, the line has 1"):
        read(tmp_path, "Anna\n", token_column=1, tag_column=tag_column)


def test_lists_of_words_are_read(tmp_path: Path) -> None:
    """Under the names of the description; without tags there are none."""
    content = '{"tokens": ["a", "b"], "ner": ["B-X", "O"], "id": 7}\n{"tokens": ["c"]}\n'
    first, second = read(tmp_path, content, format="jsonl", token_column="tokens", tag_column="ner")
    assert (first.id, first.words, first.target) == ("7", ("a", "b"), ["B-X", "O"])
    assert second.target is None


@pytest.mark.parametrize("name", ["dev.conll", "dev.txt", "dev.tsv", "dev.conll.gz", "dev.tsv.gz"])
def test_files_are_found_by_split(name: str, tmp_path: Path) -> None:
    """With any ending of the format, packed or not; packed ones are told by their content."""
    content = b"a O\n"
    assert told(read(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name)) == [
        ("a", "O")
    ]


def test_a_file_may_have_another_name(tmp_path: Path) -> None:
    """The description says which; it may be packed too."""
    files = {"dev": "eng.testa"}
    assert told(read(tmp_path, gzip.compress(b"a O\n"), "eng.testa.gz", files=files)) == [("a", "O")]


@pytest.mark.parametrize(
    ("content", "description", "message"),
    [
        ("a O\nb X O\n", {}, r"dev\.conll:2: 3 columns, the first line has 2"),
        ("a\tO\n\nb O\n", {}, r"dev\.conll:3: 1 column, the first line has 2"),
        ("a\tO\nb\t\n", {}, r"dev\.conll:2: no tag for 'b'"),
        ("a O\n", {"tag_column": 3}, r"dev\.conll:1: no column 3, the line has 2"),
        (b"a O\ncaf\xe9 O\n", {}, r"dev\.conll:2: not valid UTF-8"),
        (gzip.compress(b"a O\n", mtime=0)[:-5], {}, r"dev\.conll: damaged gzip data"),
        ("\n \n", {}, r"dev\.conll holds no examples"),
        ("1\ta\tO\n", {"format": "conllu"}, r"dev\.conllu:1: 3 columns, a line of CoNLL-U has 10"),
        ("# nothing\n", {"format": "conllu"}, r"dev\.conllu holds no examples"),
        ("가\tO\n나 O\n", {"format": "klue_ner"}, r"dev\.tsv:2: 1 column, a line of KLUE-NER has 2"),
        ("가나\tO\n", {"format": "klue_ner"}, r"dev\.tsv:1: '가나' is not one character"),
        ("가\t\n", {"format": "klue_ner"}, r"dev\.tsv:1: no tag for '가'"),
        ('{"words": ["a"], "tags": ["O", "O"]}', {"format": "jsonl"}, r"dev\.jsonl:1: 1 words, but 2 tags"),
        ('{"words": "a b"}', {"format": "jsonl"}, r"'words' must be a list of words, found 'a b'"),
        ('{"words": []}', {"format": "jsonl"}, r"'words' must be a list of words, found \[\]"),
        ('{"words": ["a"], "tags": ["\\t"]}', {"format": "jsonl"}, r"'tags' holds '\\t', which is no tag"),
        ('{"tokens": ["a"]}', {"format": "jsonl"}, r"dev\.jsonl:1: no field 'words', only 'tokens'"),
    ],
)
def test_what_cannot_be_read_is_told(
    content: str | bytes, description: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """With file and line, in one line."""
    with pytest.raises(TaskDataError, match=message) as caught:
        read(tmp_path, content, **description)
    assert "\n" not in caught.value.message


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """A folder or a file, with the names that were looked for."""
    described = TaggingDescription(kind="tagging")
    with pytest.raises(TaskDataError, match="nowhere does not exist"):
        Tagging.read(tmp_path / "nowhere", "dev", described)
    with pytest.raises(TaskDataError, match=r"has no dev\.conll \(or \.txt, \.tsv\) for the split 'dev'"):
        Tagging.read(tmp_path, "dev", described)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"token_column": "words"}, "token_column must be a number with format = conll"),
        ({"format": "conllu", "tag_column": "lemma"}, "tag_column must be upos or xpos"),
        ({"format": "conllu", "token_column": 1}, "token_column must be unset with format = conllu"),
        ({"format": "klue_ner", "tag_column": 1}, "tag_column must be unset with format = klue_ner"),
        ({"format": "jsonl", "tag_column": -1}, "tag_column must be a name with format = jsonl"),
    ],
)
def test_columns_go_with_the_format(description: dict[str, Any], message: str) -> None:
    """What a format does not have cannot be set."""
    with pytest.raises(ValidationError, match=message):
        TaggingDescription(kind="tagging", **description)


KLUE_HEAD = TaggingDescription(
    kind="tagging",
    format="klue_ner",
    files={"train": "klue-ner-v1_train_head.tsv", "dev": "klue-ner-v1.1_dev.tsv"},
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "folder", "sizes"),
    [
        (
            "broad-twitter-ner",
            "ner/broad-twitter-corpus",
            {"train": (6338, 99_933), "dev": (1001, 15_027), "test": (2001, 35_428)},
        ),
        (
            "ud-english-ewt-pos",
            "pos/UD_English-EWT",
            {"train": (12_544, 204_577), "dev": (2001, 25_147), "test": (2077, 25_094)},
        ),
        ("ud-korean-kaist-pos", "pos/UD_Korean-Kaist", {"dev": (2066, 25_278), "test": (2287, 28_366)}),
        ("klue-ner", "ko/klue/klue-ner-v1.1", {"train": (5000, 215_847), "dev": (5000, 225_550)}),
    ],
)
def test_real_sets_are_read_whole(
    name: str, folder: str, sizes: dict[str, tuple[int, int]], real_data: Path
) -> None:
    """As many sentences and words as the sets say of themselves; every dev and test tag is known."""
    described = describe(name, {"klue-ner": KLUE_HEAD})
    splits = {split: kind_of(described).read(real_data / folder, split, described) for split in sizes}
    assert {s: (len(found), sum(len(e.words) for e in found)) for s, found in splits.items()} == sizes
    task = kind_of(described).learn(name, described, splits.get("train") or splits["dev"])
    for sentences in splits.values():
        task.check(sentences)
