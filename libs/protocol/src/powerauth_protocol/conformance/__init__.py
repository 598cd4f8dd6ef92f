"""Runs reference vector files through the library.

A file is ``{"description", "source", "vectors": [{"id", "input", "output"}]}``; its stem is the topic. The
meaning of inputs and outputs per topic stands in the README beside the vectors.
"""

from powerauth_protocol.conformance.runner import FileResult, load_vectors, run_directory, run_file
from powerauth_protocol.conformance.topics import TOPICS

__all__ = ["TOPICS", "FileResult", "load_vectors", "run_directory", "run_file"]
