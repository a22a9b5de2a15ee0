"""Neural networks: specified, trained in stacks, predicted with, and exported.

Specification: ``spec`` and ``conv_spec`` (sizes and first weights), ``encoding``, ``net`` (a network with
its weights). Training: ``job`` goes into ``train``, which makes a ``stack`` of ``batches``, a ``layout`` and
a ``graph`` of ``tensors`` (``dense_graph``, or ``conv_graph`` with ``augment``) with ``early_stopping``. Prediction: ``predict``, and
``reference`` in plain NumPy. Export: ``operations`` and what is written from them, ``to_onnx``,
``to_litert`` and ``to_keras``, compared in ``export``. Import from the modules: each loads what it needs,
which may be TensorFlow.
"""
