"""Pieces of work on several threads: in order, each on one, and PyTorch as it was."""

from __future__ import annotations

import pytest
import torch

from workbench.transfer.threads import spread


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order_and_the_number_of_threads_stays(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = list(spread(lambda part: (part, torch.get_num_threads()), range(7)))
        assert found == [(part, 1) for part in range(7)]
        assert list(spread(lambda part: part, [])) == []
        with pytest.raises(ZeroDivisionError):
            list(spread(lambda part: 1 // part, [1, 0, 2]))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
