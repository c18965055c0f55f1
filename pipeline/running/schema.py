"""What params.yaml may hold: a class a section, the type and range of each value; what it means is said there.

No field has a default: params.yaml is the one place where values stand, each with its comment.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Cosine = Annotated[float, Field(ge=0, le=1)]
Precision = Literal["float32", "bfloat16"]
Stored = Literal["float16", "float32"]
TWO_TOWER = r"open_clip:[A-Za-z0-9_.-]+"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


TRANSLATED_TOPICS = 32


class Synthetic(_Section):
    posts: Annotated[int, Field(ge=200)]
    users: Annotated[int, Field(ge=10)]
    topics: Annotated[int, Field(ge=2)]
    languages: Annotated[
        list[Literal["en", "es", "ja", "ko", "pt", "it", "fr", "de", "fa", "id", "zh", "ru", "tr", "ar"]],
        Field(min_length=1),
    ]
    image_share: Share
    text_share: Share
    text_shown: Share
    text_copies: Annotated[float, Field(ge=0, le=0.5)]
    image_copies: Annotated[float, Field(ge=0, le=0.5)]
    users_independent: bool
    captions_independent: bool
    images: Literal["pixels", "features"]

    @model_validator(mode="after")
    def _posts_have_content(self) -> Self:
        if self.image_share + self.text_share < 1:
            raise ValueError("image_share and text_share have to add up to at least 1: a post has one or the other")
        if self.languages != ["en"] and self.topics > TRANSLATED_TOPICS:
            raise ValueError(f"languages beside en have words for {TRANSLATED_TOPICS} topics at most")
        return self


class Corpus(_Section):
    source: Literal["openclipart", "table", "export", "synthetic"]
    pseudonyms: Literal["keep", "keyed"]
    min_posts_per_user: PositiveInt
    max_posts_per_user: PositiveInt | Literal["auto"] | None
    posts: str
    images: str | None
    users: str | None
    links_into: str | None
    columns: dict[str, Any] | None
    reposts: Literal["drop", "keep"]
    video_covers: bool
    missing_images: Literal["auto", "text", "reject"]
    edges: str | None
    brands: str | None
    interest_share: Share
    interest_posts: PositiveInt
    synthetic: Synthetic

    @model_validator(mode="after")
    def _people_are_real(self) -> Self:
        if self.pseudonyms == "keyed" and self.source == "synthetic":
            raise ValueError("pseudonyms: keyed is for people, and source: synthetic has none")
        return self

    @model_validator(mode="after")
    def _interests_come_from_one_place(self) -> Self:
        if self.source != "export" and (self.edges or self.brands):
            raise ValueError(
                "edges and brands make interests where source is export, which takes a table of yours too; "
                "for a table as such the table of users has them"
            )
        return self


class Text(_Section):
    stanza: Literal["bundled", "download"]
    lemmas: Literal["word", "sentence"]
    languages: Literal["auto"] | Annotated[list[Annotated[str, Field(pattern="^[a-z]{2,3}$")]], Field(min_length=1)]
    emoji: Literal["drop", "names"]
    hashtags: Literal["whole", "split"]
    mentions: Literal["keyed", "drop"]
    min_overlap: Annotated[float, Field(ge=0.5, le=1)]
    min_written: Annotated[float, Field(ge=0.5, le=1)] | Literal[0]
    duplicates: Literal["drop", "group"]


class Sentences(_Section):
    encoder: Annotated[str, Field(pattern=rf"^(none|minilm|onnx|{TWO_TOWER})$")]
    weights: str | None
    weights_sha256: Sha256 | None
    tokenizer: str | None

    @model_validator(mode="after")
    def _files_are_given_for_who_takes_them(self) -> Self:
        given = [value is not None for value in (self.weights, self.weights_sha256, self.tokenizer)]
        onnx, two_tower = self.encoder == "onnx", self.encoder.startswith("open_clip:")
        if given != [onnx or two_tower, onnx or two_tower, onnx]:
            raise ValueError(
                "encoder: onnx needs weights, weights_sha256 and tokenizer, open_clip:NAME the first two; what is not "
                "needed has to be null"
            )
        return self


class Images(_Section):
    max_pixels: PositiveInt
    max_side: Annotated[int, Field(ge=224)]
    encoder: Annotated[str, Field(pattern=rf"^(efficientnet_lite0|resnet152|stored|timm:[A-Za-z0-9_.-]+|{TWO_TOWER})$")]
    style: bool
    read: bool
    weights: str | None
    weights_sha256: Sha256 | None
    precision: Precision
    dtype: Stored
    batch_size: PositiveInt
    min_cosine: Cosine
    neighbours: Annotated[int, Field(ge=1, le=1000)]

    @model_validator(mode="after")
    def _weights_are_verified(self) -> Self:
        if (self.weights is None) != (self.weights_sha256 is None):
            raise ValueError("weights and weights_sha256 have to be given together, or both be null")
        if self.encoder.startswith("open_clip:") and self.weights is None:
            raise ValueError(f"encoder: {self.encoder} needs weights and weights_sha256, a local file")
        return self


class Split(_Section):
    test: Annotated[float, Field(gt=0, lt=1)]
    val: Annotated[float, Field(gt=0, lt=1)]
    protocol: Literal["retrieval", "interests"]
    max_group_share: Annotated[float, Field(gt=0, le=1)]
    allow_empty: bool
    max_image_text_pairs: PositiveInt
    text_queries: Literal["none", "all", "auto"]
    fit_on: Literal["train", "all"]
    audit_min_overlap: Share
    audit_min_cosine: Cosine
    max_excluded_share: Share

    @model_validator(mode="after")
    def _train_is_left(self) -> Self:
        if self.test + self.val >= 1:
            raise ValueError(
                f"test + val is {self.test + self.val:g}; it has to be less than 1, to leave posts to train on"
            )
        return self


class Words(_Section):
    min_count: PositiveInt
    size: PositiveInt
    skip_gram: bool
    window: PositiveInt
    epochs: PositiveInt
    negative: PositiveInt
    usage: Annotated[int, Field(ge=0)]
    subwords: bool
    workers: PositiveInt


Dropout = Annotated[float, Field(ge=0, lt=1)]
TextEncoder = Literal["words", "sentence", "both"]


class Model(_Section):
    dim: Annotated[int, Field(ge=2)]
    text_length: PositiveInt
    windows: list[PositiveInt]
    filters: list[PositiveInt]
    word_mean: bool
    aligned: bool
    text_encoder: TextEncoder
    discriminant: bool
    late_fusion: bool
    letters: bool
    dropout: Dropout
    image_dropout: Dropout
    tune_words: bool

    @model_validator(mode="after")
    def _blocks_fit(self) -> Self:
        self.check_blocks()
        return self

    def check_blocks(self) -> None:
        """Raise ValueError where windows, filters, text_length, word_mean, aligned, text_encoder do not go together."""
        if len(self.windows) != len(self.filters):
            raise ValueError(f"{len(self.windows)} windows and {len(self.filters)} filters; each block has one of both")
        if not self.windows and not self.word_mean:
            raise ValueError("a text needs windows, or word_mean: true")
        if self.aligned and not self.word_mean and self.text_encoder == "words":
            raise ValueError(
                "aligned needs word_mean: true, or a text_encoder with sentences: means that texts and users share"
            )
        if self.discriminant and not self.aligned:
            raise ValueError("discriminant needs aligned: true, a start that texts and users share")
        if self.discriminant and self.late_fusion:
            raise ValueError("discriminants either start the model (discriminant) or stand beside it (late_fusion)")
        if self.letters and not (self.late_fusion and self.text_encoder != "words"):
            raise ValueError("letters needs late_fusion: true, and a text_encoder with sentences")
        if max(self.windows, default=0) > self.text_length:
            raise ValueError(f"a window of {max(self.windows)} words does not fit text_length, {self.text_length}")


Loss = Literal["hinge", "hinge_both", "hinge_hardest", "infonce", "sigmoid"]
Schedule = Literal["steps", "cosine"]


class Train(_Section):
    margin: PositiveFloat
    loss: Loss
    learning_rate: PositiveFloat
    decay_every: PositiveInt
    decay_by: Annotated[float, Field(ge=1)]
    schedule: Schedule
    user_rate: PositiveFloat
    batch_size: Annotated[int, Field(ge=2)]
    epochs: PositiveInt
    patience: PositiveInt
    precision: Precision


class Best(_Section):
    """Values in the place of those of the same name in `images`, `words`, `model` and `train`."""

    style: bool
    read: bool
    min_count: PositiveInt
    window: PositiveInt
    usage: Annotated[int, Field(ge=0)]
    loss: Loss
    learning_rate: PositiveFloat
    schedule: Schedule
    user_rate: PositiveFloat
    windows: list[PositiveInt]
    filters: list[PositiveInt]
    word_mean: bool
    aligned: bool
    text_encoder: TextEncoder
    late_fusion: bool
    letters: bool
    dropout: Dropout
    image_dropout: Dropout
    tune_words: bool


class Embed(_Section):
    texts: Literal["sets", "all"]
    dtype: Stored


class Retrieval(_Section):
    bootstrap: Annotated[int, Field(ge=100)]
    activity: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _some_comes_before_many(self) -> Self:
        if self.activity[0] >= self.activity[1]:
            raise ValueError(f"activity is {self.activity}; the second number, of many posts, has to be the larger one")
        return self


class Interests(_Section):
    c: PositiveFloat
    folds: Annotated[int, Field(ge=2)]
    repeats: PositiveInt
    scaling: Literal["chosen", "standardised", "unit", "whitened"]
    min_positives: PositiveInt


class Neighbours(_Section):
    top: PositiveInt


class Clusters(_Section):
    k: Annotated[int, Field(ge=2)] | None
    common_words: Annotated[int, Field(ge=0)] | None
    words: PositiveInt
    images: PositiveInt


class Map(_Section):
    most: Annotated[int, Field(ge=100)]
    perplexity: Annotated[float, Field(ge=2)]


class Report(_Section):
    queries: list[list[str]] | None
    people: Literal["shown", "initials", "hidden"]
    pictures: Literal["shown", "blurred", "hidden"]
    top: PositiveInt


class Lambdas(_Section):
    """The weights of Eq. 1. lambda3 is derived, never a knob."""

    lambda1: Share
    lambda2: Share

    @model_validator(mode="after")
    def _lambdas_are_convex(self) -> Self:
        if self.lambda1 + self.lambda2 > 1 + 1e-9:
            raise ValueError(
                f"lambda1 + lambda2 is {self.lambda1 + self.lambda2:g}; it has to be at most 1, "
                "as lambda3 = 1 - lambda1 - lambda2 is a weight too"
            )
        return self

    @property
    def lambdas(self) -> tuple[float, float, float]:
        """Weights of the text-user, image-text and image-user losses (Eq. 1)."""
        return self.lambda1, self.lambda2, max(0.0, round(1 - self.lambda1 - self.lambda2, 12))


class Paper(_Section):
    """All of paper/params.yaml."""

    rows: dict[Annotated[str, Field(pattern=r"^[a-z0-9-]+$")], Lambdas]


class Params(Lambdas):
    """All of params.yaml."""

    recipe: Literal["paper", "best"]
    seed: Annotated[int, Field(ge=0, lt=2**31)]  # faiss and word2vec take no larger one
    corpus: Corpus
    text: Text
    sentences: Sentences
    images: Images
    split: Split
    words: Words
    model: Model
    train: Train
    best: Best
    embed: Embed
    retrieval: Retrieval
    interests: Interests
    neighbours: Neighbours
    clusters: Clusters
    map: Map
    report: Report

    @model_validator(mode="after")
    def _best_fits(self) -> Self:
        try:
            replaced = {key: value for key, value in dict(self.best).items() if key in Model.model_fields}
            if self.recipe == "paper":  # whose start the other recipe has not to bear
                replaced["discriminant"] = False
            self.model.model_copy(update=replaced).check_blocks()
        except ValueError as error:
            raise ValueError(f"best, in the place of values of model: {error}") from None
        return self

    @model_validator(mode="after")
    def _read_words_have_vectors(self) -> Self:
        section, reads = ("best", self.best) if self.recipe == "best" else ("model", self.model)
        read = self.best.read if self.recipe == "best" else self.images.read
        if read and reads.text_encoder == "words":
            raise ValueError(
                f"words in images (images.read) are told as sentences are: {section}.text_encoder has to read these too"
            )
        return self

    @model_validator(mode="after")
    def _sentences_are_there(self) -> Self:
        section = "best" if self.recipe == "best" else "model"
        if getattr(self, section).text_encoder != "words" and self.sentences.encoder == "none":
            raise ValueError(
                f"{section}.text_encoder reads sentence vectors, and sentences.encoder is none: set it, or words there"
            )
        return self
