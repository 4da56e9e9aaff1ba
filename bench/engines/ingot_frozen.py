"""Ingot with --freeze: weights are constants of the code."""

from engines import ingot_library as plain


class Engine(plain.Engine):
    def __init__(self, case, threads):
        plain.FREEZE = True
        super().__init__(case, threads)
