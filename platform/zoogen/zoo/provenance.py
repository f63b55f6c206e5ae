"""What made a row: versions and the revision of the source."""

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from zoogen import __version__

REVISION_VARIABLE = "ZOOGEN_GIT_REVISION"  # for jobs whose source was uploaded without its history
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Provenance:
    """Versions of what trained a cohort, as columns of its rows."""

    zoogen_version: str
    torch_version: str
    numpy_version: str
    python_version: str
    git_revision: str

    @classmethod
    def current(cls) -> "Provenance":
        """Provenance of this process. Never fails: what cannot be found out is `unknown`."""
        return cls(__version__, _version("torch"), _version("numpy"), platform.python_version(), git_revision())

    def columns(self) -> dict[str, str]:
        return asdict(self)


def git_revision() -> str:
    """Revision of the source: from `ZOOGEN_GIT_REVISION`, or from git (`-dirty` with local changes)."""
    given = os.environ.get(REVISION_VARIABLE, "").strip()
    if given:
        return given
    package = str(Path(__file__).resolve().parent.parent)
    # An installed copy may lie inside somebody else's repository: ask whether git tracks this package.
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return UNKNOWN
    return _git(package, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or UNKNOWN


def _git(folder: str, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return UNKNOWN
