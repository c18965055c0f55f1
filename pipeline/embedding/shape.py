"""The dimensions of a model, and what follows from them: how long its vectors are, which tables tell it of texts."""

from dataclasses import dataclass
from pathlib import Path


def text_tables(sentences: bool, letters: bool, data: Path = Path("data")) -> tuple[Path, ...]:
    """The tables of TEXT_VECTORS under `data` of which a model reads texts, beside their words: their numbers follow
    one another in this order, those of `letters` last.
    """
    return (data / "text/vectors", data / "text/letters")[: 1 + letters] if sentences else ()


@dataclass(frozen=True)
class Shape:
    """All dimensions of a model; config.json holds these."""

    dim: int
    image: int
    """D_I, numbers per image, those of `said` and `style` among them."""
    word: int
    """Numbers per word vector."""
    text_length: int
    windows: tuple[int, ...]
    filters: tuple[int, ...]
    dropout: float
    image_dropout: float = 0.0
    word_mean: bool = False
    said: int = 0
    """How many of an image's numbers, before those of style, tell the words in it: 0 or as many as `sentence`."""
    style: int = 0
    """How many of an image's numbers, the last, are style, and standardised first."""
    sentence: int = 0
    """S, numbers of a text by a sentence encoder."""
    discriminant: int = 0
    """How many numbers of a user's row, the last, tell of images; 0: sentences and images do not start as discriminants
    (see `starts.discriminant`)."""
    fused: int = 0
    """How many numbers tell of images in the discriminants that stand, untrained, beside what is trained (late fusion);
    0: none do. A user's row then ends in the discriminants of their sentences, images and letters."""
    letters: int = 0
    """L, numbers of a text's letters, behind a sentence's; in the discriminants beside they become `written` ones."""
    written: int = 0

    @property
    def content(self) -> int:
        """How many of an image's numbers, the first, are features."""
        return self.image - self.said - self.style

    @property
    def words(self) -> bool:
        """Whether phi_T reads words."""
        return bool(self.windows) or self.word_mean

    @property
    def user(self) -> int:
        """D_u, numbers per user row: those of a word, those of a sentence, those of images, and those beside."""
        return self.word * self.words + self.sentence + self.discriminant + self.beside

    @property
    def beside(self) -> int:
        """How many numbers stand beside the D trained ones: of sentences, of images and of letters."""
        return self.sentence + self.fused + self.written if self.fused else 0

    def text_tables(self, data: Path = Path("data")) -> tuple[Path, ...]:
        """The tables under `data` that such a model reads of texts, see `text_tables`."""
        return text_tables(bool(self.sentence), bool(self.letters), data)
