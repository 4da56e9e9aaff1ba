"""PyTorch with torch.compile."""

from engines import pytorch as eager

KINDS = {"infer", "train"}


class Engine(eager.Engine):
    def __init__(self, case, threads):
        eager.COMPILED = True
        super().__init__(case, threads)
