"""Stanza's lemmatizer without its pipeline: the dictionary, and the network that spells the lemma of any other word.

The only place that leans on Stanza's internals (1.15): `Trainer`, which loads a lemmatizer and holds its dictionary,
and `Seq2SeqModel`, the network. Answers are those of Stanza's own pipeline, letter for letter, at a third of its time:

- Words come in batches of one length, so that none is padded.
- The network says, before it spells anything, whether the lemma is the word itself. Then nothing is spelled.
- A lemma begins like its word. So the decoder is not asked for letter after letter, which takes a step each: it is
  given the word itself as its guess, and answers in one call what it would have written at every place. Up to the first
  difference these are the letters it writes one by one, as what it writes next depends on the letters before alone;
  where it ends the word there, all is said. Else the guess is mended at that place, and it is asked again: of a
  hundred words hardly one. (For language models this is known as speculative decoding: Leviathan et al., 2023.)
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

BATCH = 1024


class Lemmatizer:
    """A lemmatizer of Stanza, by its `stanza.models.lemma.trainer.Trainer`."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self.dictionary: dict[str, str] = trainer.pos_dict["*"]
        """The lemma of each word it holds, whatever the part of speech."""

    @classmethod
    def load(cls, model: Path) -> "Lemmatizer":
        """From its file."""
        from stanza.models.lemma.trainer import Trainer

        # Its __init__ would make an optimizer, for which torch imports its compiler: seconds, and nothing is trained.
        trainer = Trainer.__new__(Trainer)
        trainer.load(str(model), None, None)  # on the CPU: the same lemmas on every machine
        trainer.caseless = trainer.args.get("caseless", False)
        return cls(trainer)

    def holds(self, words: Sequence[tuple[str, str]]) -> list[bool]:
        """Whether the dictionary has a lemma of each (word, part of speech)."""
        held: list[bool] = self._trainer.skip_seq2seq(words)
        return held

    def spell(self, words: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
        """Batches of words, and the lemma of each word by the network, without a part of speech.

        Words are lower-cased, of letters that the network knows.
        """
        for _, same in groupby(sorted(words, key=lambda word: (len(word), word)), len):
            alike = list(same)
            for at in range(0, len(alike), BATCH):
                batch = alike[at : at + BATCH]
                yield batch, self._spell(batch)

    @torch.inference_mode()
    def _spell(self, words: list[str]) -> list[str]:
        """The lemmas of words of one length."""
        from stanza.models.common.seq2seq_constant import EOS_ID, PAD_ID, SOS_ID

        def column(rows: int, value: int) -> torch.Tensor:
            return torch.full((rows, 1), value)

        network, letters, rows = self._trainer.model.eval(), self._trainer.vocab["char"], len(words)
        written = torch.tensor([letters.map(word) for word in words])
        source = torch.cat([column(rows, SOS_ID), written, column(rows, EOS_ID)], 1)
        mask = torch.zeros_like(source, dtype=torch.bool)
        untagged = torch.full((rows,), self._trainer.vocab["pos"].unit2id("_"))
        if self._trainer.args["beam_size"] > 1:  # Stanza's own search, step by step; the bundled model needs none
            batch = source, mask, None, None, untagged, None, range(rows), words
            lemmas, edits = self._trainer.predict(batch, self._trainer.args["beam_size"])
            return list(self._trainer.postprocess(words, lemmas, edits))

        embedded, _, lengths, mask = network.embed(source, mask, untagged, words)
        context, (hidden, cell) = network.encode(embedded, lengths)
        # 0: spell it; 1 and 2: the word as it is, and lower-cased.
        edits = network.edit_clf(hidden).argmax(1) if network.edit else torch.zeros(rows, dtype=torch.long)
        lemmas = list(words)
        left = torch.nonzero(edits == 0).flatten()
        guess = written[left]
        while len(left):
            scores, _ = network.decode(
                network.embedding(torch.cat([column(len(left), SOS_ID), guess], 1)),
                hidden[left], cell[left], context[left], mask[left], src=source[left],
            )  # fmt: skip
            answer = scores.argmax(2)
            differs = answer != torch.cat([guess, column(len(left), EOS_ID)], 1)
            # Where the guess is right to its last letter, the answer differs nowhere and ends behind it.
            place = torch.where(differs.any(1), differs.int().argmax(1), guess.shape[1])[:, None]
            letter = answer.gather(1, place)
            guess = torch.cat([guess, column(len(left), PAD_ID)], 1).scatter(1, place, letter)
            size = (place + (letter != EOS_ID)).clamp(max=network.max_dec_len).flatten()
            ended = (letter == EOS_ID).flatten() | (size == network.max_dec_len)
            for row in torch.nonzero(ended).flatten().tolist():
                lemmas[left[row]] = "".join(letters.unmap(guess[row, : size[row]].tolist()))
            left, guess = left[~ended], guess[~ended]
        return list(self._trainer.postprocess(words, lemmas, edits.tolist()))
