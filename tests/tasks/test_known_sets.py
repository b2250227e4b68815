"""Known sets in the form of their official files: small ones made here, and the real ones where they are."""

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bertpipe.errors import TaskDataError
from bertpipe.tasks import describe, kind_of
from bertpipe.tasks.catalog import CATALOG
from bertpipe.tasks.kinds.classification import label_of
from bertpipe.tasks.texts import TextExample

STS = "index genre filename year old_index source1 source2 sentence1 sentence2 score"
MNLI = (
    "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse "
    "sentence2_parse sentence1 sentence2 label1 gold_label"
)
AX = "Lexical Semantics,Predicate-Argument Structure,Logic,Knowledge,Domain,Premise,Hypothesis,Label"
SICK = "pair_ID sentence_A sentence_B relatedness_score entailment_judgment"
HATE = "comments contain_gender_bias bias hate"
KORSTS = "genre filename year id score sentence1 sentence2"
KLUE_STS = {"label": 4.9, "real-label": 4.857, "binary-label": 1}


def table(*lines: str) -> str:
    """Return lines whose fields are divided by ``|`` as TSV."""
    return "".join(line.replace("|", "\t") + "\n" for line in lines)


def header(names: str) -> str:
    return "|".join(names.split())


# Task, split, the file's official name, its content; then id, texts and target of its one example.
OFFICIAL: Sequence[tuple[str, str, str, str, str, tuple[str, ...], Any]] = [
    ("cola", "train", "train.tsv", table('gj04|1||It "is".'), "0", ('It "is".',), "acceptable"),
    ("cola", "dev", "dev.tsv", "cj99\t0\t*\tIt are.", "0", ("It are.",), "unacceptable"),
    ("sst-2", "train", "train.tsv", table("sentence|label", "a charm |1"), "0", ("a charm ",), "positive"),
    (
        "mrpc",
        "dev",
        "dev.tsv",
        "\ufeff" + table("Quality|#1 ID|#2 ID|#1 String|#2 String", '1|7|8|He said.|"He said.'),
        "0",
        ("He said.", '"He said.'),
        "equivalent",
    ),
    (
        "sts-b",
        "dev",
        "dev.tsv",
        table(header(STS), "3|main|MSRvid|2012test|0007|none|none|A hat.|A cap.|2.400"),
        "3",
        ("A hat.", "A cap."),
        2.4,
    ),
    (
        "qqp",
        "train",
        "train.tsv",
        table("id|qid1|qid2|question1|question2|is_duplicate", "9|1|2|Why?||0", "10|broken"),
        "9",
        ("Why?", ""),
        "not_duplicate",
    ),
    (
        "mnli",
        "train",
        "train.tsv",
        table(header(MNLI), "4|31|31n|fiction|( A )|( B )|(A)|(B)|A.|B.|neutral|neutral"),
        "4",
        ("A.", "B."),
        "neutral",
    ),
    *(
        (
            task,
            "dev",
            f"{name}.tsv",
            table("index|sentence1|sentence2|gold_label", "0|A|B|entailment"),
            "0",
            ("A", "B"),
            "entailment",
        )
        for task, name in (("mnli", "dev_matched"), ("mnli-mismatched", "dev_mismatched"))
    ),
    ("qnli", "dev", "dev.tsv", table("index|question|sentence|label", "0|A?|B.|entailment"), "0",
     ("A?", "B."), "entailment"),
    ("rte", "dev", "dev.tsv", table("index|sentence1|sentence2|label", "0|A|B|not_entailment"), "0",
     ("A", "B"), "not_entailment"),
    ("wnli", "dev", "dev.tsv", table("index|sentence1|sentence2|label", "0|A|B|1"), "0", ("A", "B"),
     "entailment"),
    ("ax", "test", "diagnostic.tsv", table("index|sentence1|sentence2", "5|A|B"), "5", ("A", "B"), None),
    (
        "ax-full",
        "test",
        "diagnostic-full.tsv",
        table(AX.replace(",", "|"), "Lexical entailment||||News|A|B|neutral"),
        "0",
        ("A", "B"),
        "neutral",
    ),
    ("sick-entailment", "dev", "SICK_trial.txt", table(header(SICK), "4|A|B|3.6|NEUTRAL"), "4",
     ("A", "B"), "NEUTRAL"),
    (
        "sick-relatedness",
        "test",
        "SICK_test_annotated.txt",
        table(header(SICK), "4|A|B|3|NEUTRAL").replace("\n", "\r\n"),
        "4",
        ("A", "B"),
        3.0,
    ),
    ("korean-hate-speech", "dev", "labeled/dev.tsv", table(header(HATE), '"꺄""~~"|False|none|offensive'),
     "0", ('꺄"~~',), "offensive"),
    ("korean-hate-speech-bias", "dev", "labeled/dev.tsv", table(header(HATE), "꺄|True|gender|hate"), "0",
     ("꺄",), "gender"),
    ("korean-hate-speech-gender", "dev", "labeled/dev.tsv", table(header(HATE), "꺄|True|gender|hate"), "0",
     ("꺄",), "gender_bias"),
    (
        "klue-nli",
        "dev",
        "klue-nli-v1.1_dev.json",
        json.dumps([{"guid": "g0", "premise": "가", "hypothesis": "나", "gold_label": "neutral"}]),
        "g0",
        ("가", "나"),
        "neutral",
    ),
    (
        "klue-sts",
        "dev",
        "klue-sts-v1.1_dev.json",
        json.dumps([{"guid": "g0", "sentence1": "가", "sentence2": "나", "labels": KLUE_STS}]),
        "g0",
        ("가", "나"),
        4.857,
    ),
    ("korsts", "test", "sts-test.tsv", table(header(KORSTS), 'm|f|2012|0024|2.500|"가|나'), "0",
     ('"가', "나"), 2.5),
    ("nsmc", "train", "ratings_train.txt", table("id|document|label", "99|흠...|0", "100||1"), "99",
     ("흠...",), "negative"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("task", "split", "name", "content", "example_id", "texts", "target"),
    OFFICIAL,
    ids=[f"{task}-{split}" for task, split, *_ in OFFICIAL],
)
def test_an_official_file_is_read(
    task: str,
    split: str,
    name: str,
    content: str,
    example_id: str,
    texts: tuple[str, ...],
    target: Any,
    tmp_path: Path,
) -> None:
    """Under its name, or compressed; what it holds is taken from the right columns."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    description = describe(task, {})
    (example,) = kind_of(description).read(tmp_path, split, description)
    assert (example.id, example.texts) == (example_id, texts)
    found = example.target
    if description.kind == "classification" and found is not None:
        found = label_of(example, description)
    assert found == target
    packed = gzip.compress((tmp_path / name).read_bytes())
    (tmp_path / name).unlink()
    (tmp_path / f"{name}.gz").write_bytes(packed)
    assert kind_of(description).read(tmp_path, split, description)[0].texts == texts


def test_every_known_set_of_texts_is_tried() -> None:
    """A set that is added to the catalog needs a small official file above; the samples have their own."""
    texts = {name for name, known in CATALOG.items() if known.kind in ("classification", "regression")}
    assert texts - {task for task, *_ in OFFICIAL} == {"film-reviews", "product-reviews"}


@pytest.mark.parametrize("task", ["cola", "sts-b"])
def test_a_test_set_without_labels_leads_to_predict(task: str, tmp_path: Path) -> None:
    """GLUE's test files have none: they can be read, but not scored."""
    (tmp_path / "test.tsv").write_text(table("index|sentence|sentence1|sentence2", "0|A|A|B"))
    description = describe(task, {})
    kind = kind_of(description)
    examples = kind.read(tmp_path, "test", description)
    labels = ("acceptable", "unacceptable") if task == "cola" else ()
    with pytest.raises(TaskDataError, match=r"test\.tsv:2: no label in the field '(label|score)'") as caught:
        kind.restore(task, description, labels=labels, config={}).check(examples)
    assert caught.value.hint is not None and "bertpipe predict" in caught.value.hint


# Folder, task, and the examples of train, dev and test: the published counts, less empty documents of NSMC.
REAL = [
    ("glue/CoLA", "cola", (8551, 1043, 1063)),
    ("glue/SST-2", "sst-2", (67349, 872, 1821)),
    ("glue/MRPC", "mrpc", (3668, 408, 1725)),
    ("glue/STS-B", "sts-b", (5749, 1500, 1379)),
    ("glue/QQP", "qqp", (21000, 2496, None)),  # a part of the official file
    ("glue/MNLI", "mnli", (None, 9815, None)),
    ("glue/QNLI", "qnli", (None, 5463, 5463)),
    ("glue/WNLI", "wnli", (635, 71, 146)),
    ("sick", "sick-entailment", (4500, 500, 4927)),
    ("sick", "sick-relatedness", (4500, 500, 4927)),
    ("ko/nsmc", "nsmc", (150_000 - 5, 50_000 - 3, 50_000 - 3)),
    ("ko/klue/klue-nli-v1.1", "klue-nli", (None, 3000, None)),
    ("ko/klue/klue-sts-v1.1", "klue-sts", (None, 519, None)),
    ("ko/korsts", "korsts", (5749, 1500, 1379)),
    ("ko/korean-hate-speech", "korean-hate-speech", (7896, 471, 974)),
    ("ko/korean-hate-speech", "korean-hate-speech-bias", (7896, 471, 974)),
    ("ko/korean-hate-speech", "korean-hate-speech-gender", (7896, 471, 974)),
]


def real_examples(folder: Path, task: str, split: str) -> list[TextExample]:
    description = describe(task, {})
    examples: list[TextExample] = kind_of(description).read(folder, split, description)
    return examples


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "task", "counts"), REAL, ids=[task for _, task, _ in REAL])
def test_a_real_set_is_read_whole(
    folder: str, task: str, counts: tuple[int | None, ...], real_data: Path
) -> None:
    """As many examples as published, each with a target that the task knows where there are any."""
    description = describe(task, {})
    for split, count in zip(("train", "dev", "test"), counts, strict=True):
        if count is None:
            continue
        examples = real_examples(real_data / folder, task, split)
        assert len(examples) == count
        if examples[0].target is not None:
            learned = kind_of(description).learn(task, description, examples)
            known = set(description.label_names.values()) if description.kind == "classification" else set()
            assert not known or set(learned.labels) == known


@pytest.mark.slow
def test_real_quotes_are_where_they_belong(real_data: Path) -> None:
    """STS-B keeps those of its 252 rows; NSMC loses those around a field and keeps half of those within."""
    sts = real_examples(real_data / "glue/STS-B", "sts-b", "train")
    assert sum('"' in "".join(example.texts) for example in sts) == 252
    nsmc = {one.id: one.texts[0] for one in real_examples(real_data / "ko/nsmc", "nsmc", "train")}
    raw = gzip.decompress((real_data / "ko/nsmc/ratings_train.txt.gz").read_bytes()).decode()
    quoted = [row.split("\t") for row in raw.split("\n") if '\t"' in row]
    assert len(quoted) == 623
    for name, document, _ in quoted:
        assert nsmc[name] == document[1:-1].replace('""', '"')


@pytest.mark.slow
def test_real_labels_are_distributed_as_published(real_data: Path) -> None:
    """KLUE-NLI has 1,000 of each, MNLI the counts of its paper; KLUE-STS's binary label is 1 from 3 on."""
    counts = Counter(e.target for e in real_examples(real_data / "ko/klue/klue-nli-v1.1", "klue-nli", "dev"))
    assert counts == {"entailment": 1000, "neutral": 1000, "contradiction": 1000}
    counts = Counter(e.target for e in real_examples(real_data / "glue/MNLI", "mnli", "dev"))
    assert counts == {"entailment": 3479, "neutral": 3123, "contradiction": 3213}
    path = real_data / "ko/klue/klue-sts-v1.1/klue-sts-v1.1_dev.json"
    binary = [row["labels"]["binary-label"] for row in json.loads(path.read_text(encoding="utf-8"))]
    assert [int(e.target >= 3) for e in real_examples(path.parent, "klue-sts", "dev")] == binary
