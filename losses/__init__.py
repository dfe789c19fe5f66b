"""Loss functions on tensors: Keras only, unweighted, each documented with its equation."""
