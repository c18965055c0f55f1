"""What is taken out of texts, as it tells who somebody is, and what stays."""

from collections import Counter

import pytest

from pipeline.privacy import texts


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("call +49 (0)30 1234567 now", texts.PHONES), ("030/1234567", texts.PHONES), ("0171 234 56 78", texts.PHONES),
        ("(555) 123-4567", texts.PHONES), ("555-123-4567", texts.PHONES), ("+1 555 123 4567.", texts.PHONES),
        ("0044 20 7946 0958", texts.PHONES), ("5551234567", texts.PHONES), ("تلفن +98 21 1234 5678", texts.PHONES),
        ("write anna.smith+x@example.org!", texts.EMAILS), ("anna [at] example [dot] org", texts.EMAILS),
        ("мой адрес анна@почта.рф", texts.EMAILS), ("http://example.org/~anna", texts.LINKS),
        ("instagram.com/anna", texts.LINKS), ("pic.twitter.com/Ab12", texts.LINKS), ("@anna", texts.MENTIONS),
        ("[id12345|Anna Bo]", texts.MENTIONS), ("@[100012345:2048:Anna Bo]", texts.MENTIONS),
        ("_@anna_", texts.MENTIONS), ("@[100012345:Anna Bo]", texts.MENTIONS), ("at://did:plc:a1/b.c/9", texts.LINKS),
        ("@[Anna Bo](urn:li:person:aB1)", texts.MENTIONS),
    ],
)  # fmt: skip
def test_what_tells_who_someone_is_is_taken_out_of_texts(text, kind):
    counts = Counter()
    left = texts.without(text, lambda name: "", counts)
    assert counts == {kind: 1}
    assert not any(part in left for part in ("anna", "анна", "4567", "1234", "5678", "234", "0958", "Ab12"))


@pytest.mark.parametrize(
    "text",
    ["on 2024-05-06 17:23", "06.05.2024", "since 1989-1990 or 2018-2019", "1 000 000 people", "snapshot 20231114",
     "3.14159265358979", "€1,234,567.89", "version 1.2.3.4.5.6.7", "π is 3.141592653", "room 1234", "at home (at last)",
     "ratio 16:9 at 1920x1080"],
)  # fmt: skip
def test_numbers_that_are_no_telephones_stay(text):
    counts = Counter()
    assert texts.without(text, lambda name: "", counts) == text and not counts
