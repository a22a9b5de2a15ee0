"""What each stage of an assay means: plain functions on data they are handed."""

import os

# From 1.32 on onnxruntime sends telemetry from the moment it is imported, unless this is set before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.2.0"
