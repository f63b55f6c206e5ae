"""What stores and disks say when something is wrong, told by its meaning: what may pass, and what will not."""

import errno
import os
import re

from zoogen.secrets import masked

DENIED = "access denied; fix the rights or credentials, or choose another root"
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_METADATA_SERVICES = ("/latest/api/token", "/latest/meta-data", "/computeMetadata", "/metadata/identity")
_STATUS = re.compile(r"status code: (\d{3})\b( [A-Z][\w -]{1,40})?")
_DISK_ERROR = re.compile(r"\(os error (\d+)\)")
_LASTING_DISK_ERRORS = {
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP, errno.EXDEV, errno.EFBIG
}  # fmt: skip
_AWAY = ("error sending request", "timed out", "dns error", "response body", "connection")


def first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return masked(lines[0] if lines else type(error).__name__)[:300]


def passes(error: Exception, *, local: bool, writing: bool) -> bool:
    """Whether the same call may succeed later: refused and reset connections, timeouts, names that do not resolve,
    5xx, 429 and 408; on disks what is full, broken or away. Rights on a disk come back with a mount, and are worth
    waiting for when something is to be written."""
    if local:
        return _disk_passes(error, writing)
    if isinstance(error, ValueError):
        return False
    text = str(error)
    if status := _STATUS.search(first_line(error)):
        code = int(status[1])
        stalled = code == 400 and "RequestTimeout" in text  # S3's word for an upload that stalled
        return stalled or code in (408, 425, 429) or (code >= 500 and code not in (501, 505))
    return any(word in first_line(error) for word in _AWAY)


def _disk_passes(error: Exception, writing: bool) -> bool:
    from obstore.exceptions import PermissionDeniedError

    number = error.errno if isinstance(error, OSError) else None
    if number is None and (match := _DISK_ERROR.search(str(error))):
        number = int(match[1])
    if isinstance(error, PermissionError | PermissionDeniedError) or number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return writing
    return number is not None and number not in _LASTING_DISK_ERRORS


def explain(error: Exception) -> str:
    """One line of what is wrong and what to do."""
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    if isinstance(error, PermissionError | PermissionDeniedError | UnauthenticatedError):
        return DENIED
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a file lies where a folder must be"
    text = first_line(error)
    if any(path in text for path in _METADATA_SERVICES):
        # Without credentials the client asks the cloud machine's metadata service, which is not here.
        return "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or your provider's variables)"
    if "ermission denied" in text or "403 Forbidden" in text:  # bare digits are in ports and times, too
        return DENIED
    if "No space left" in text:
        return "no space left on the device"
    endpoint = next((os.environ[name] for name in ENDPOINT_VARIABLES if os.environ.get(name)), "its service")
    if (status := _STATUS.search(text)) and (status[1] == "429" or status[1] >= "500"):
        return f"{masked(endpoint)} answers {status[1]}{status[2] or ''}"
    if any(word in text for word in _AWAY):
        return f"{masked(endpoint)} does not answer; check the address (AWS_ENDPOINT_URL) and the network"
    return text
