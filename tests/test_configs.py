"""Settings are read once, strictly, and everything that is wrong is told at once."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import Field, ValidationError, model_validator

from bertpipe.configs import SECTIONS, Params, Settings
from bertpipe.errors import ConfigError


class VocabSection(Settings):
    size: int = Field(100, ge=5)
    lowercase: bool = True
    learning_rate: float = 0.1
    limit_alphabet: int | None = 7
    name: str = "x"
    first: int = 0
    last: int = 9

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"first = {self.first} is behind last = {self.last}")
        return self


class CorpusSection(Settings):
    documents: str = "file"


class Entry(Settings):
    kind: str = "a"


class Named(Settings):
    kind: Literal["named"]
    names: tuple[str, ...] = Field(("a",), strict=False, max_length=2)


class Counted(Settings):
    kind: Literal["counted"]
    most: int = 1


Choice = Annotated[Named | Counted, Field(discriminator="kind")]


class StageSettings(Settings):
    vocab: VocabSection
    corpus: CorpusSection
    tasks: dict[str, Entry]
    eval: dict[str, Choice]


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str = "", *overrides: str) -> StageSettings:
    path = Path("settings.yaml")
    path.write_text(text, encoding="utf-8")
    return Params.load(path, overrides).read(StageSettings)


def error_of(text: str = "", *overrides: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read(text, *overrides)
    assert "\n" not in caught.value.message
    return caught.value


def test_all_errors_are_told_at_once() -> None:
    """Unknown sections, unknown keys, wrong types and impossible values stand in one message."""
    message = error_of(
        "vokab: {}\nvocab: {sise: 3, size: 1, lowercase: 'yes'}\ncorpus: {document: file}\ntasks: 3\n"
    ).message
    for part in (
        "unknown setting vokab, did you mean vocab?",
        "unknown setting vocab.sise, did you mean vocab.size?",
        "vocab.size = 1: input should be greater than or equal to 5",
        "vocab.lowercase = 'yes': input should be a valid boolean",
        "unknown setting corpus.document, did you mean corpus.documents?",
        "tasks: expected settings by name, found 3",
    ):
        assert f"settings.yaml: {part}" in message
    assert message.count(";") == 5


def test_a_name_like_no_other_is_told_all_known_names() -> None:
    """Where no name is near, the message lists what there is."""
    assert error_of("zzz: {}").message.endswith(f"unknown setting zzz, known are {', '.join(SECTIONS)}")
    assert error_of("corpus: {zzz: 1}").message.endswith("unknown setting corpus.zzz, known are documents")


def test_the_nearest_name_is_found_below_names_of_the_users_choice() -> None:
    """A misspelt key of one task gets a suggestion, too."""
    assert "unknown setting tasks.mine.kimd, did you mean tasks.mine.kind?" in error_of(
        "tasks: {mine: {kimd: a}}"
    ).message  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{kind: named, names: [a, b, c]}", "eval.x.names = ['a', 'b', 'c']: tuple should have at most 2"),
        ("{kind: counted, mist: 2}", "unknown setting eval.x.mist, did you mean eval.x.most?"),
        ("{kind: counted, names: [a]}", "unknown setting eval.x.names, known are kind, most"),
        ("{kind: counter}", "unknown setting eval.x.kind = counter, did you mean eval.x.kind = counted?"),
        ("{kind: zzz}", "unknown setting eval.x.kind = zzz, known are named, counted"),
        ("{most: 2}", "eval.x.kind is not set, known are named, counted"),
        ("3", "eval.x: expected settings by name, found 3"),
        ("{kind: counted, most: a}", "eval.x.most = 'a': input should be a valid integer"),
    ],
)
def test_settings_that_a_word_chooses_are_told_as_they_are_written(entry: str, message: str) -> None:
    """The word that has chosen them does not stand in the name of what is wrong."""
    assert message in error_of(f"eval: {{x: {entry}}}").message


def test_known_sections_of_other_stages_are_left_alone() -> None:
    """A stage does not judge what only another stage reads."""
    assert read("pretrain: {no_such_key: 1}\ninputs: {corpus: x}").vocab.size == 100


def test_numbers_are_read_as_yaml_1_2() -> None:
    """``1e-4`` is a number and ``0o17`` is octal, as in the YAML 1.2 specification (10.3.2)."""
    assert read("vocab: {learning_rate: 1e-4, size: 0o17}").vocab == VocabSection(
        learning_rate=0.0001, size=15
    )


@pytest.mark.parametrize("value", ["yes", "on", "'true'", "1"])
def test_only_true_and_false_are_booleans(value: str) -> None:
    """YAML 1.1's ``yes`` is text, and no other type is taken for a boolean."""
    assert "vocab.lowercase" in error_of(f"vocab: {{lowercase: {value}}}").message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size", "'10'"),
        ("size", "10.0"),
        ("size", "1e1"),
        ("size", "true"),
        ("size", "null"),
        ("learning_rate", "'0.1'"),
        ("learning_rate", ".inf"),
        ("learning_rate", ".nan"),
        ("name", "3"),
        ("name", "2020-01-02"),
    ],
)
def test_types_are_strict(key: str, value: str) -> None:
    """Nothing is converted in silence, and an error names the setting with its value."""
    assert f"vocab.{key} = " in error_of(f"vocab: {{{key}: {value}}}").message


def test_a_whole_number_is_a_float() -> None:
    """``learning_rate: 1`` is no mistake."""
    assert read("vocab: {learning_rate: 1}").vocab.learning_rate == 1.0


def test_null_turns_a_setting_off() -> None:
    """``null`` is None where the setting allows it, in the file and with ``--set``."""
    assert read("vocab: {limit_alphabet: null}").vocab.limit_alphabet is None
    assert read("", "vocab.limit_alphabet=null").vocab.limit_alphabet is None


def test_an_empty_section_has_its_defaults() -> None:
    """A section without entries, or none at all, is no error."""
    assert read("vocab:\ncorpus: {}\n") == read("") == read("# nothing\n")


def test_cross_field_validators_tell_their_own_words() -> None:
    """A message that a settings class raises is passed on, after the section that it is about."""
    message = error_of("vocab: {first: 5, last: 4}").message
    assert message == "settings.yaml: vocab: first = 5 is behind last = 4"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("vocab.size=30", {"size": 30}),
        ("vocab.learning_rate=1e-3", {"learning_rate": 0.001}),
        ("vocab.name=a=b", {"name": "a=b"}),
        ("vocab.name='12'", {"name": "12"}),
        ('vocab.name="a: b"', {"name": "a: b"}),
        ("vocab.name=[1", {"name": "[1"}),
        ("vocab.name=2020-13-45", {"name": "2020-13-45"}),
        ("vocab={size: 6, name: y}", None),
        ("vocab.lowercase=false", {"lowercase": False}),
    ],
)
def test_overrides_are_yaml_values(override: str, expected: dict[str, Any] | None) -> None:
    """``--set KEY=VALUE`` reads the value as the file would; what is no YAML is text."""
    if expected is None:
        assert "not of the form KEY=VALUE" in error_of("", override).message
    else:
        assert read("", override).vocab == VocabSection(**expected)


def test_overrides_win_and_keep_the_rest() -> None:
    """An override replaces one setting of the file, the last one wins, the others stay."""
    settings = read("vocab: {size: 10, name: kept}", "vocab.size=11", "vocab.size=12", "tasks.mine.kind=b")
    assert settings.vocab == VocabSection(size=12, name="kept")
    assert settings.tasks == {"mine": Entry(kind="b")}


@pytest.mark.parametrize(
    "override", ["vocab.size", "=3", "size=3", ".size=3", "vocab.=3", "vocab..size=3", ""]
)
def test_a_bad_override_is_named_with_its_form(override: str) -> None:
    """What is not KEY=VALUE with a dotted key is refused, with an example."""
    error = error_of("", override)
    assert error.message == f"--set {override}: not of the form KEY=VALUE"
    assert error.hint is not None and "--set pretrain.learning_rate=1e-3" in error.hint


def test_an_override_below_a_value_is_refused() -> None:
    """A plain value of the file has no settings inside."""
    assert "--set vocab.size: expected settings by name, found 5" in error_of(
        "vocab: {size: 5}", "vocab.size.x=1"
    ).message  # fmt: skip


@pytest.mark.parametrize("text", ["- a\n", "text\n", "3\n", "[]\n"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    """The file has to hold sections by name."""
    assert "settings.yaml: expected settings by name, found" in error_of(text).message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("vocab:\n\tsize: 3\n", "settings.yaml:2: not valid YAML: "),
        (
            "vocab: {}\ncorpus: {}\nvocab: {}\n",
            'settings.yaml:3: not valid YAML: found duplicate key "vocab"',
        ),
        ("vocab: {name: &a [*b]}\n", "settings.yaml:1: not valid YAML: "),
        ("vocab: {size: 2020-13-45}\n", "settings.yaml: not valid YAML: "),
        ("vocab: \x07\n", "settings.yaml: not valid YAML: "),
    ],
)
def test_invalid_yaml_is_named_with_its_line(text: str, place: str) -> None:
    """A syntax error is told with file and line where the parser knows it, in one line."""
    assert error_of(text).message.startswith(place)


@pytest.mark.parametrize("text", ["1: 2\n", "null: 2\n", "[a, b]: 2\n", "vocab: {1: 2}\n"])
def test_a_key_that_is_no_text_is_refused(text: str) -> None:
    """YAML allows any key; settings have names."""
    assert error_of(text).exit_code == 3


def test_a_long_value_is_cut() -> None:
    """A text file named by mistake does not fill the terminal."""
    assert len(error_of("text " * 1000).message) < 200
    assert len(error_of(f"vocab: {{size: {'x' * 1000}}}").message) < 200


def test_a_missing_file_is_named() -> None:
    """A file named with ``--params`` has to exist."""
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file") as caught:
        Params.load(Path("nowhere.yaml"))
    assert caught.value.hint == "name another file with --params"


def test_a_file_that_is_not_utf8_or_a_folder_is_refused(tmp_path: Path) -> None:
    """What cannot be read as text is one clear line."""
    Path("latin.yaml").write_bytes(b"vocab: {name: \xff}")
    for path in (Path("latin.yaml"), tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            Params.load(path)


def test_params_yaml_is_the_default_where_there_is_one() -> None:
    """Without ``--params`` the file beside the user is read, and no file means defaults."""
    assert Params.load(None).read(StageSettings).vocab.size == 100
    Path("params.yaml").write_text("vocab: {size: 8}", encoding="utf-8")
    assert Params.load(None).read(StageSettings).vocab.size == 8


def test_settings_cannot_be_changed() -> None:
    """What a run was given stays what it was given."""
    with pytest.raises(ValidationError, match="frozen"):
        read().vocab.size = 9  # type: ignore[misc]
