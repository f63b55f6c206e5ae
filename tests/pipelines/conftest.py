"""The tiny study of the stages."""

from tests.studies import make_study, tiny_file

__all__ = ["make_study", "tiny_file"]
