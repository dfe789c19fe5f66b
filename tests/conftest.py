import os

# Before anything imports TensorFlow: its chatter would bury a failure.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
