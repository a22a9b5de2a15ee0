"""Prediction from a bundle, with NumPy and onnxruntime alone."""
