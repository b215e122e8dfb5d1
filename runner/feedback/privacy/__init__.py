"""Takes personal data out of texts before they go into a data set; slower and deeper than the gateway's masking.

`Scrubber` is the way in, for extraction, `loop mask` and the benchmark. Structured data is found by recognisers in
Presidio's engine, names and places by the tagger of `tagger`. Asks no network and needs no download.
"""

from __future__ import annotations

from runner.feedback.privacy.found import Found
from runner.feedback.privacy.scrubbing import Scrubbed, Scrubber

__all__ = ["Found", "Scrubbed", "Scrubber"]
