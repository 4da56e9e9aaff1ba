"""PyTorch with torch.compile."""

from engines import pytorch as eager


class Engine(eager.Engine):
    def __init__(self, case, threads):
        eager.COMPILED = True
        super().__init__(case, threads)
