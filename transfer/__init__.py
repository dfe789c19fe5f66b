"""Knowledge transfer from a teacher generator to a student, one script per method.

See `transfer.methods` for the list.
"""

from cli import app  # noqa: F401  imported first: it quiets TensorFlow before a method's module imports that
