"""Several processes that run one step together, as `accelerate launch` starts them: who writes, and the command that starts them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from .errors import WorkbenchError

# FSDP 2 with its full name for every part: what accelerate would ask for, or take from a file of the user's, is said here.
SHARDED = {
    "fsdp_version": "2", "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP", "fsdp_reshard_after_forward": "true", "fsdp_state_dict_type": "SHARDED_STATE_DICT",
}  # fmt: skip


def count() -> int:
    """How many processes run this step together; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this one is, from 0."""
    return int(os.environ.get("RANK", "0"))


def main() -> bool:
    """Whether this is the one that writes and reports."""
    return rank() == 0


def launch_command(spec: str, processes: int, hosts: int = 1, *, step: str = "train", work: str = "checkpoints", sharded: bool = False) -> str:
    """The shell command that runs the step of the JSON file `spec` in `processes` processes, spread evenly over `hosts` machines.

    With several hosts it is typed on each, `$HOST_RANK` (0, 1, …) and `$FIRST_HOST` (the address of the first) set; `work`, where checkpoints are kept
    and gone on from, and the home folder must then be on a disk that all of them see. `sharded` spreads weights, gradients and optimizer states over the
    processes (FSDP 2) where one device cannot hold them. Raises WorkbenchError where the processes do not divide by the hosts.
    """
    if processes < 1 or hosts < 1 or processes % hosts:
        raise WorkbenchError(f"{processes} processes cannot be spread evenly over {hosts} hosts; give a multiple of {hosts}.")
    options: dict[str, str] = {"num_processes": str(processes), "num_machines": str(hosts), "mixed_precision": "no", "dynamo_backend": "no"}
    flags = ["--use_fsdp"] if sharded else ["--multi_gpu"] if processes > 1 else []
    several = ["--machine_rank", "$HOST_RANK", "--main_process_ip", "$FIRST_HOST", "--main_process_port", "29500"] if hosts > 1 else []
    run = ["-m", "workbench", *step.split("."), "--spec", shlex.quote(spec), "--work", shlex.quote(work)]
    return " ".join(["accelerate", "launch", *flags, *_words(options), *(_words(SHARDED) if sharded else []), *several, *run])


def _words(options: Mapping[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", value)]
