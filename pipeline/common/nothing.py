"""What programs and platforms write where there is nothing, and for true and false.

For nothing there are regular expressions of a whole value, for Arrow and Python.

The words None and null are no ids here: there are people called so. As a whole text they are what a program made of a
value that was none, and say nothing in any case.
"""

NAN = r"nan|NaN|<NA>|NaT|\\N"
"""Of pandas, and of MySQL and Postgres."""
OF_R = "NA"
"""Of R, where its quotes are lost. It may be the name of somebody."""
GONE = r"\[(?i:deleted|removed|deleted by user| ?removed by reddit\b[^\n]{0,120})\]"
"""Of Reddit, in the place of authors and texts that are gone; some give the reason."""
NOBODY = rf"^\s*({NAN}|{GONE})\s*$"
"""In the place of an id."""
NO_TEXT = rf"^\s*({NAN}|{GONE}|None|null|NULL|NA|N/A)\s*$"
"""In the place of a text. NA is of R, whose readr writes no quotes that would tell it from a word."""

TRUE = {
    "true", "t", "yes", "y", "1", "1.0", "-1", "on", "x", "✓", "✔", "☑",
    "wahr", "vrai", "verdadero", "verdadeiro", "vero", "waar", "prawda", "истина", "sant", "doğru",
    "igaz", "pravda", "tosi", "sand", "sann", "adevărat", "αληθης", "істина", "真",
    "ja", "oui", "si", "sí", "sì", "sim", "tak", "да", "так", "evet", "是", "igen", "ano", "kyllä", "da", "ναι", "có",
    "はい", "예", "네", "نعم", "כן", "हाँ", "हां",
}  # fmt: skip
FALSE = {
    "false", "f", "no", "n", "0", "0.0", "off", "☐",
    "falsch", "faux", "falso", "onwaar", "fałsz", "ложь", "falskt", "yanlış",
    "hamis", "nepravda", "epätosi", "falsk", "usann", "fals", "ψευδης", "хибність", "假",
    "nein", "non", "não", "nee", "nej", "nei", "nie", "нет", "ні", "hayır", "否", "nem", "ne", "ei", "nu", "όχι",
    "không", "いいえ", "아니오", "아니요", "لا", "לא", "नहीं",
}  # fmt: skip
"""In small letters; spreadsheets, and people, write words of the language that they are in, or marks; -1 is Access."""
