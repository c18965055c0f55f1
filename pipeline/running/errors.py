"""Errors that are told to a person, in one sentence, without a traceback."""

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")
"""What the files of spreadsheets end in."""
OF_WORKBOOK = "save its sheet as CSV UTF-8, with ids as text: a spreadsheet rounds long numbers"
PROGRAMS = {
    **dict.fromkeys((".rds", ".rda", ".rdata"), "R"),
    **dict.fromkeys((".sav", ".zsav", ".por"), "SPSS"),
    **dict.fromkeys((".sas7bdat", ".xpt"), "SAS"),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "Python (pickle)"),
    **dict.fromkeys((".npy", ".npz"), "NumPy"),
    **dict.fromkeys((".h5", ".hdf5"), "HDF5"),
    ".dta": "Stata",
    ".mat": "MATLAB",
}
"""Whose files end so, which nothing here reads."""
GIT_LFS = b"version https://git-lfs"
OF_GIT_LFS = "what Git LFS has in the place of the file: get that by `git lfs pull`"


def of_program(ending: str) -> str | None:
    """What a file is that ends so, if only another program reads it, and what to do with it."""
    if ending in WORKBOOKS:
        return f"a spreadsheet's own file: {OF_WORKBOOK}"
    if ending in PROGRAMS:
        return f"a file of {PROGRAMS[ending]}: write its table as CSV UTF-8 or Parquet, with ids as text"
    return None


class UserError(Exception):
    """Something that the person at the keyboard can mend: the message says what is wrong, where, and what to do."""


class Damaged(UserError):
    """A file does not hold what was written: it is cut off, overwritten, or a bit of it flipped."""

    def __init__(self, path: object, found: object) -> None:
        self.about = path, found
        about = " ".join(str(found).split())
        super().__init__(
            f"{path} is damaged ({about[:200]}): `python -m tools.mend` removes what is, from DVC's cache too, and "
            "`dvc repro` makes it anew."
        )

    def __reduce__(self) -> tuple[type["Damaged"], tuple[object, object]]:
        return type(self), (str(self.about[0]), str(self.about[1]))  # as one process tells another
