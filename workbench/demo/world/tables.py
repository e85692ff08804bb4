"""Reading the lexicons, which are written as plain text tables."""


def rows(text: str) -> dict[str, list[str]]:
    """One entry per line: ``key | field | field``; returns the fields under the key."""
    out: dict[str, list[str]] = {}
    for line in text.strip().splitlines():
        key, *fields = (cell.strip() for cell in line.split("|"))
        if key in out:
            raise ValueError(f"{key!r} is written twice in the same table")
        out[key] = fields
    return out


def up(sentence: str) -> str:
    """The sentence with its first letter as a capital (no effect in Persian)."""
    return sentence[0].upper() + sentence[1:]


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())
