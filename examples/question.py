"""Questions to a trained space from Python: `python -m examples.question "red flower" [DATA]`, after `dvc repro`.

A question is a text, `user:ID`, `image:ID` or a sum and difference of these, as "beach + user:ann - surf".
"""

import sys

from pipeline.running.utf8 import entry
from pipeline.space.space import Space

KINDS = ("user", "image", "text")


def ask(space: Space, question: str, top: int = 3) -> list[str]:
    """The nearest of each kind as lines: how near, what; a text's words, the posts by which a user is near."""
    asked = space.ask(question)
    lines = [*asked.notes, *(f"not known: {word}; known: {', '.join(near)}" for word, near in asked.unknown.items())]
    for kind in KINDS:
        for answer in space.nearest(asked, kind, top):
            about = ", ".join(answer.because)
            if kind == "text":
                about = space.library.post(space.library.row_of("post", answer.id)).text or ""
            lines.append(
                f"{answer.cosine:5.2f}{' ' if answer.above_chance else '?'} {kind:5} {answer.id[:32]:32} {about[:60]}"
            )
    return lines


def main() -> None:
    """Ask what the command line says."""
    question = sys.argv[1] if len(sys.argv) > 1 else "red flower"
    print("\n".join(ask(Space.open(sys.argv[2] if len(sys.argv) > 2 else "data"), question)))
    print("? is no nearer than the nearest to a question about nothing would be.")


if __name__ == "__main__":
    entry(main)
