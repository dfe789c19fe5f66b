"""The two lines every step ends with: one number from the terms, one update from the number."""


def weighted_sum(terms, weights):
    """Sum of weight · term. terms, weights: dicts with the same names; a term without a weight is an error (KeyError)."""
    return sum(weights[name] * term for name, term in terms.items())


def apply_gradients(optimizer, tape, loss, model):
    """Update the trainable variables of `model` from a loss that `tape` watched and `optimizer.scale_loss` scaled."""
    variables = model.trainable_variables
    optimizer.update(tape.gradient(loss, variables), variables, loss=loss)
