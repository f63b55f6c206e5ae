"""What one's own file imports from the folders whose files may be executed: modules of its own, each a part of its
identity.

Such modules are named below the file's own package, so that two files may each have a `helpers`, none is taken from an
earlier state, and none gets in the way of installed ones. Standard library and installed packages are imported as ever.
"""

import builtins
import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from zoogen.errors import ZoogenError
from zoogen.networks.classifiers.own_reads import OpenedFiles
from zoogen.networks.classifiers.own_statements import imported_files

OWN_PATH = "ZOOGEN_OWN_PATH"  # folders whose files may be executed, separated as in PATH
PREFIX = "zoogen_own_"  # of the packages that such files become

_LIBRARIES = ("site-packages", "dist-packages")


def allowed_folders() -> tuple[Path, ...]:
    """Folders below which files may be executed: the current one, then those of `ZOOGEN_OWN_PATH`."""
    return (Path.cwd(), *(Path(folder) for folder in os.environ.get(OWN_PATH, "").split(os.pathsep) if folder))


def is_allowed(file: Path) -> bool:
    """Whether a resolved path lies below one of the allowed folders."""
    return any(file.is_relative_to(folder.resolve()) for folder in allowed_folders())


@dataclass(eq=False)
class OwnPackage:
    """A file of one's own and the modules that it imports from the allowed folders.

    Attributes:
        name: of the package, unique in this process.
        file: resolved path of the file.
        sources: module name (as it is imported) to path and SHA-256 of all such modules, those included that functions
            of the file import when they are called.
        opened: paths of the files of these folders that were opened while it was executed, by name, with SHA-256.
    """

    name: str
    file: Path
    sources: dict[str, tuple[Path, str]] = field(default_factory=dict)
    opened: dict[str, tuple[Path, str]] = field(default_factory=dict)
    complete: bool = False
    _places: dict[str, Path | None] = field(default_factory=dict)

    def execute(self, text: bytes) -> ModuleType:
        """The file as a module, executed; its imports are counted from then on."""
        module = ModuleType(self.name)
        module.__file__, module.__path__, module.__package__ = str(self.file), [str(self.file.parent)], self.name
        module.__dict__["__builtins__"] = self._builtins()
        _PACKAGES[self.name] = self
        sys.modules[self.name] = module  # dataclasses and the like look their module up
        if _FINDER not in sys.meta_path:
            sys.meta_path.insert(0, _FINDER)
        try:
            with self.watched(), OpenedFiles() as files:
                exec(compile(text, str(self.file), "exec", dont_inherit=True), module.__dict__)
            for name, path in imported_files(self.place, self.file, text):
                self.sources.setdefault(name, (path, _sha(path.read_bytes())))
            self.opened.update(self._read_by_the_way(files.paths))
        except BaseException:
            for name in [name for name in sys.modules if name == self.name or name.startswith(f"{self.name}.")]:
                del sys.modules[name]
            del _PACKAGES[self.name]
            raise
        self.complete = True
        return module

    def digest(self, own: str) -> str:
        """SHA-256 of the file, `own`, where it imports and opens nothing in the allowed folders; else of all files."""
        if not self.sources and not self.opened:
            return own
        files = [*sorted(self.sources.items()), *sorted(self.opened.items())]
        lines = [f"{name} {digest}" for name, (_, digest) in files]
        return _sha("\n".join([own, *lines]).encode())

    def unchanged(self) -> bool:
        """Whether the imported modules and opened files are still what they were."""
        try:
            files = (*self.sources.values(), *self.opened.values())
            return all(_sha(path.read_bytes()) == digest for path, digest in files)
        except OSError:
            return False

    def folders(self) -> tuple[Path, ...]:
        """Where its modules are looked for: beside the file, in the allowed folders, and where Python would look."""
        others = [*allowed_folders(), *(Path(entry or ".") for entry in sys.path)]
        inside = (folder for folder in map(Path.resolve, others) if is_allowed(folder) and not is_of_library(folder))
        return tuple(dict.fromkeys([self.file.parent, *inside]))

    def place(self, top: str) -> Path | None:
        """The folder in which the module or package of that undotted name lies; None of installed ones."""
        if top in sys.stdlib_module_names or top == "zoogen":
            return None
        for folder in self.folders():
            if (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file():
                return folder
        if not _installed(top):
            return next((folder for folder in self.folders() if (folder / top).is_dir()), None)
        return None

    def read(self, name: str, path: Path) -> bytes:
        """The source of a module that is about to be executed, noted as a part of this file.

        Raises:
            ZoogenError: it lies elsewhere, or nothing told when the file was read that it would be imported, or it is
                another one by now.
        """
        resolved = path.resolve()
        if not is_allowed(resolved):
            raise ZoogenError(
                f"{path} is not executed, since it lies outside of the current folder; move it there, or name its "
                f"folder in the environment variable {OWN_PATH}"
            )
        text = path.read_bytes()
        if self.complete and name not in self.sources:
            raise _uncounted(self.file, name, path)
        if self.sources.setdefault(name, (path, _sha(text)))[1] != _sha(text):
            raise ZoogenError(f"{path} was changed since {self.file.name} was read; run the command again")
        return text

    def watched(self) -> "_Watch":
        """Notices modules of the allowed folders that are imported around `import` statements."""
        return _Watch(self)

    def _read_by_the_way(self, paths: Sequence[Path]) -> Iterator[tuple[str, tuple[Path, str]]]:
        """Of the files that were opened those that lie in the allowed folders and are no modules."""
        modules = {Path(path) for path in (getattr(m, "__file__", None) for m in [*sys.modules.values()]) if path}
        modules |= {self.file, *(path for path, _ in self.sources.values())}
        for path in dict.fromkeys(file.resolve() for file in paths if file.is_file()):
            if path.suffix == ".pyc" or path in modules or is_of_library(path):
                continue
            root = next((f.resolve() for f in allowed_folders() if path.is_relative_to(f.resolve())), None)
            if root is not None:
                yield f"./{path.relative_to(root)}", (path, _sha(path.read_bytes()))

    def _builtins(self) -> dict[str, Any]:
        def own_import(
            name: str,
            scope: Mapping[str, object] | None = None,
            local: Mapping[str, object] | None = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> ModuleType:
            top = name.partition(".")[0]
            if self.complete and top not in self._places:  # sys.path may change before
                self._places[top] = self.place(top)
            if level or (folder := self._places[top] if self.complete else self.place(top)) is None:
                return builtins.__import__(name, scope, local, fromlist or (), level)
            path: list[str] = sys.modules[self.name].__path__  # type: ignore[assignment]
            if str(folder) not in path:
                path.append(str(folder))
            found = builtins.__import__(f"{self.name}.{name}", scope, local, fromlist or (), 0)
            return found if fromlist else sys.modules[f"{self.name}.{top}"]

        return {**vars(builtins), "__import__": own_import}


class _Loader(SourceFileLoader):
    """Executes a module of one's own from its source, never from compiled files of an earlier state."""

    def get_code(self, fullname: str) -> CodeType:
        package, _, name = fullname.partition(".")
        text = _PACKAGES[package].read(name, Path(self.path))
        return compile(text, self.path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        package = module.__name__.partition(".")[0]
        module.__dict__["__builtins__"] = sys.modules[package].__dict__["__builtins__"]
        exec(self.get_code(module.__name__), module.__dict__)


class _Finder(MetaPathFinder):
    """Finds modules below the packages of one's own files."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in _PACKAGES or path is None:
            return None
        portions: list[str] = []
        for entry in path:
            spec = FileFinder(entry, (_Loader, [".py"])).find_spec(fullname)
            if spec is not None and spec.loader is not None:
                return spec
            portions.extend((spec.submodule_search_locations or []) if spec is not None else [])
        namespace = ModuleSpec(fullname, None, is_package=True)
        namespace.submodule_search_locations = portions
        return namespace if portions else None


class _Watch:
    def __init__(self, package: OwnPackage) -> None:
        self._package = package

    def __enter__(self) -> None:
        self._before = set(sys.modules)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for name in set(sys.modules) - self._before if kind is None else ():
            path = getattr(sys.modules[name], "__file__", None)
            if name.partition(".")[0] in (*_PACKAGES, "zoogen") or not isinstance(path, str):
                continue
            if is_allowed(file := Path(path).resolve()) and not is_of_library(file):
                del sys.modules[name]
                raise _uncounted(self._package.file, name, file)


_PACKAGES: dict[str, OwnPackage] = {}
_FINDER = _Finder()


def _installed(top: str) -> bool:
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return top in sys.modules
    return spec is not None and spec.loader is not None and spec.origin is not None


def is_of_library(path: Path) -> bool:
    """Whether a resolved path belongs to Python or an installed package."""
    places = [Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)]
    return any(part in _LIBRARIES for part in path.parts) or any(path.is_relative_to(place) for place in places)


def _uncounted(file: Path, name: str, path: Path) -> ZoogenError:
    return ZoogenError(
        f"{file.name} imports {name} ({path}) in a way that cannot be seen when it is read, so that no result would "
        "tell that it was used; write an import statement for it"
    )


def _sha(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
