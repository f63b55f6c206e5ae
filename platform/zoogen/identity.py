"""Identity of artifacts: the digest of the configuration and inputs that made them."""

import hashlib
import json
from typing import Any

DIGEST_LENGTH = 16  # hexadecimal digits: 64 bits, ample for the artifacts of one root


def canonical_json(value: Any) -> str:
    """JSON text that is equal for equal values: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Digest of a JSON-like value, 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:DIGEST_LENGTH]


def derive_seed(*parts: Any) -> int:
    """A 63-bit seed that depends on all parts, stable across processes and versions."""
    return int.from_bytes(hashlib.sha256(canonical_json(list(parts)).encode()).digest()[:8], "big") >> 1
