"""Refuses to measure what makes sounds or video as it came: what it learned from is not here, and no measure of ours sees its form."""

from makar.errors import UnsupportedError
from makar.evaluation.findings import Findings
from makar.evaluation.material import Material


def refuse_as_it_came(material: Material) -> Findings:
    """Refuse.

    Raises:
        UnsupportedError: Always; it says what can be measured.
    """
    raise UnsupportedError(
        f"a report on {material.artifact.name}, which makes {material.artifact.medium} as it came",
        expected="a checkpoint that writes down speech, or a model of yours",
        do="hear or see for yourself: makar generate; speech can be written down by a Whisper and compared with its text",
    )
