"""What `import` statements lead to, found without executing them."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

Place = Callable[[str], Path | None]  # an undotted name to the folder of that module or package, None of installed ones


def imported_files(place: Place, file: Path, text: bytes) -> Iterator[tuple[str, Path]]:
    """Names and paths of the modules that the `import` statements of a file lead to, those within functions and those
    of these modules included; nothing is executed."""
    seen: set[str] = set()
    waiting = [("", file, text)]
    while waiting:
        name, file, text = waiting.pop()
        for wanted, everything in _statements(name, file.name == "__init__.py" or not name, text):
            for found, path in _files(place, wanted, everything):
                if found not in seen:
                    seen.add(found)
                    waiting.append((found, path, path.read_bytes()))
                    yield found, path


def _statements(name: str, is_package: bool, text: bytes) -> Iterator[tuple[str, bool]]:
    """Dotted names that a module's statements may import, and whether all modules of a package are meant (`*`)."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # told when it is executed, if it ever is
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = name.split(".") if name else []
            up = node.level - is_package
            base = parents[: len(parents) - up] if node.level and up > 0 else parents if node.level else []
            start = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
            for alias in node.names:
                yield (start, True) if alias.name == "*" else (f"{start}.{alias.name}".strip("."), False)


def _files(place: Place, dotted: str, everything: bool) -> Iterator[tuple[str, Path]]:
    """Files on the way to a dotted name below the allowed folders; with `everything` all below it, too."""
    parts = dotted.split(".")
    folder = place(parts[0]) if parts[0] else None
    if folder is None:
        return
    for index, part in enumerate(parts):
        name = ".".join(parts[: index + 1])
        if (initial := folder / part / "__init__.py").is_file():
            yield name, initial
        elif (module := folder / f"{part}.py").is_file():
            yield name, module
            return
        folder = folder / part
        if not folder.is_dir():
            return
    for path in sorted(folder.rglob("*.py")) if everything else ():
        inner = path.relative_to(folder).with_suffix("").parts
        yield ".".join([dotted, *(part for part in inner if part != "__init__")]), path
