"""How much a weights file from anywhere may ask for when it is judged by its own word (`Task.excess`)."""

MOST_SAMPLES = 100_000  # per network


def beyond(name: str, asked: float, most: float) -> str:
    """What `Task.excess` says of a number that exceeds its limit, empty if it does not."""
    return f"{name} {min(asked, 1e18):.6g} (at most {most:,})" if asked > most else ""
