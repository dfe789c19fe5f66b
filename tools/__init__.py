"""What maintainers run: ship and results for the shipped networks, ledger for the experiments,
bench for the speed of training.
"""
