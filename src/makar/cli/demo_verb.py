"""The verb ``demo``."""


def demo() -> None:
    """Do the main job."""
