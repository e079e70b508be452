"""The parts of the documents that a command writes anew."""


def with_part(document: str, name: str, content: str, *, made_by: str = "make reference") -> str:
    """The document with this content between the marks of that name."""
    begin, end = f"<!-- {name}: made by `{made_by}` -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = document.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{content}\n\n{end}{after}"
