"""params.yaml: refused with key, value and constraint before any work; a stage reads only what it declares."""

import pytest

from pipeline.common.recipe import by_recipe, with_values
from pipeline.running.errors import UserError
from pipeline.running.params import PARAMS, load, validate

TEXT = PARAMS.read_text()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("lambda1: 0.1", "lambda1: 1.5", "lambda1 is 1.5; it has to be less than or equal to 1."),
        ("lambda1: 0.1", "lambda1: abc", "lambda1 is 'abc'; it has to be a valid number."),
        ("lambda1: 0.1", "lambda1: .nan", "lambda1 is nan; it has to be"),
        ("lambda1: 0.1", "lambda1: 0.7", "lambda1 + lambda2 is 1.15; it has to be at most 1, as lambda3"),
        ("lambda1: 0.1\n", "lamda1: 0.1\n", "lamda1 is not a known key"),
        ("lambda1: 0.1\n", "lamda1: 0.1\n", "lambda1 is missing."),
        ("  min_overlap:", "  min_overlp:", "text.min_overlp is not a known key"),
        ("  size: 300", "  size: 3.5", "words.size is 3.5; it has to be a valid integer"),
        ("  margin: 0.2", "  margin: 0", "train.margin is 0; it has to be greater than 0."),
        ("  filters: [512, 256, 256]", "  filters: [512]", "model: 3 windows and 1 filters"),
        ("  filters: []", "  filters: [512]", "best, in the place of values of model: 0 windows and 1 filters"),
        ("  aligned: false", "  aligned: true", "model: aligned needs word_mean: true"),
        ("  windows: []\n  filters: []", "  windows: [21]\n  filters: [9]", "a window of 21 words does not fit"),
        (
            "  source: openclipart",
            "  source: twitter",
            "corpus.source is 'twitter'; it has to be 'openclipart', 'table'",
        ),
        ("seed: 7", "seed: 7\nseed: 8", "is not valid YAML"),
        (
            "  images: null",
            "  images: 20240501",
            "corpus.images is 20240501, which YAML takes for a number; put it in quotes: in params.yaml "
            '"20240501", on the command line -S \'corpus.images="20240501"\'.',
        ),
        ("  images: null", "  images: false", "corpus.images is False; it has to be a valid string."),
        ("  text_encoder: words", "  text_encoder: wrods", "model.text_encoder is 'wrods'; it has to be 'words'"),
        ("  brands: null", "  brands: b.csv", "edges and brands make interests where source is export"),
        ("  dim: 1024", "  dim: 1", "model.dim is 1; it has to be greater than or equal to 2."),
        ("  learning_rate: 5.0e-4", "  learning_rate: .inf", "learning_rate is inf; it has to be a finite number"),
        ("  activity: [10, 50]", "  activity: [50, 10]", "retrieval: activity is [50, 10]; the second number"),
        ("  activity: [10, 50]", "  activity: [10]", "it has to be a list of at least 2; this one has 1."),
        ("  languages: auto", "  languages: en", "text.languages is 'en'; it has to be 'auto', or a list."),
        (
            "  languages: auto",
            "  languages: [English]",
            "text.languages.0 is 'English'; it has to be of the form [a-z]{2,3}.",
        ),
        (
            "  encoder: minilm",
            "  encoder: bert",
            "sentences.encoder is 'bert'; it has to be one of none, minilm, onnx, open_clip",
        ),
        ("  max_posts_per_user: auto", "  max_posts_per_user: 0", "it has to be greater than 0, or 'auto'."),
        ("  val: 0.05", "  val: null", "split.val is null; it has to be a valid number."),
        ("seed: 7", "seed: true", "seed is True; it has to be a valid integer."),
    ],
)
def test_a_bad_value_is_refused_by_name(tmp_path, old, new, sentence):
    path = tmp_path / "params.yaml"
    assert old in TEXT
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(UserError) as refused:
        validate(path)
    assert sentence in str(refused.value)
    assert "constrained" not in str(refused.value) and "literal[" not in str(refused.value)


def test_discriminants_that_start_the_papers_recipe_need_not_fit_best(tmp_path):
    path = tmp_path / "params.yaml"
    text = TEXT.replace("  discriminant: false", "  discriminant: true", 1).replace(
        "  aligned: false", "  aligned: true", 1
    )
    path.write_text(text.replace("  text_encoder: words", "  text_encoder: both", 1))
    assert validate(path).model.discriminant
    path.write_text(path.read_text().replace("recipe: paper", "recipe: best", 1))
    with pytest.raises(UserError, match="discriminants either start the model"):
        validate(path)


@pytest.mark.parametrize("section", ["model", "best"])
def test_a_model_that_reads_sentences_needs_them(tmp_path, section):
    path, text = tmp_path / "params.yaml", TEXT.replace("  encoder: minilm", "  encoder: none")
    path.write_text(text)
    validate(path)  # `best` is not used, and `words` needs none
    changed = {"model": ("  text_encoder: words", "  text_encoder: both"), "best": ("recipe: paper", "recipe: best")}
    path.write_text(text.replace(*changed[section], 1))
    with pytest.raises(UserError, match=rf"{section}\.text_encoder reads sentence vectors"):
        validate(path)


def test_of_a_list_the_wrong_value_is_told_and_not_what_could_stand_in_its_place(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace("  languages: auto", "  languages: [en, English]"))
    with pytest.raises(UserError) as refused:
        validate(path)
    assert str(refused.value).splitlines() == [
        f"{path}: text.languages.1 is 'English'; it has to be of the form [a-z]{{2,3}}."
    ]


def test_every_fault_is_named_at_once(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace("seed: 7", "seed: -1").replace("folds: 5", "folds: 1"))
    with pytest.raises(UserError, match=r"(?s)seed is -1.*interests\.folds is 1"):
        validate(path)


def test_lambda3_is_what_the_other_two_leave():
    assert validate().lambdas == pytest.approx((0.1, 0.45, 0.45))
    assert sum(validate().lambdas) == pytest.approx(1.0)


def test_a_key_that_was_not_asked_for_cannot_be_read():
    params = load("seed", "images.encoder", "images.dtype")
    assert params.seed == validate().seed and params.images.dtype == validate().images.dtype
    with pytest.raises(AttributeError):
        _ = params.split
    with pytest.raises(AttributeError):
        _ = params.images.min_cosine


def test_one_over_ten_thousand_may_be_written_as_1e_4(tmp_path):
    # PyYAML reads 1e-4 as text; ruamel, like DVC, as the number it is.
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace("learning_rate: 5.0e-4", "learning_rate: 1e-4"))
    assert validate(path).train.learning_rate == 1e-4


def test_the_recipe_best_takes_the_place_of_values_and_paper_changes_nothing():
    held = validate()
    assert by_recipe(held.model_copy(update={"recipe": "paper"})) == held
    best = by_recipe(held.model_copy(update={"recipe": "best"}))
    wanted = dict(held.best)
    for name in ("images", "model", "train", "words"):
        before, after = getattr(held, name).model_dump(), getattr(best, name).model_dump()
        assert after == before | {key: wanted.pop(key) for key in before.keys() & wanted.keys()}
    assert not wanted
    assert best.words.min_count == held.best.min_count != held.words.min_count


def test_a_value_that_two_sections_have_is_that_of_what_trains():
    held = validate()
    changed = with_values(held, {"epochs": held.train.epochs + 1})
    assert (changed.train.epochs, changed.words) == (held.train.epochs + 1, held.words)


def test_a_stage_sees_the_recipe_in_the_sections_that_it_asked_for():
    held = load("recipe", "best.min_count", "words").model_copy(update={"recipe": "best"})
    assert by_recipe(held).words.min_count == validate().best.min_count


def test_words_in_images_need_a_model_that_reads_sentences(tmp_path):
    path, text = tmp_path / "params.yaml", TEXT.replace("  read: false", "  read: true")
    path.write_text(text)
    with pytest.raises(UserError, match=r"images\.read.*model\.text_encoder"):
        validate(path)
    path.write_text(text.replace("recipe: paper", "recipe: best"))
    validate(path)  # best.text_encoder reads them
    path.write_text(text.replace("  text_encoder: words", "  text_encoder: both", 1))
    validate(path)
