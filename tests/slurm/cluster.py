"""A real SLURM of one node on this machine, in a folder of its own and beside any other there may be."""

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"

# The node has the cores and memory that are said here, whatever the machine has, and two device files that stand for
# GPUs, so that jobs fit as the SLURM profile asks for them. Accounting would need a database: states come from squeue.
CONFIG = """\
ClusterName=ilwp
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
KillWait=5
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=16000 Gres=gpu:2
PartitionName=grid Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
GPUS = """\
Name=gpu File=/dev/null
Name=gpu File=/dev/zero
"""


class Unavailable(Exception):
    """Says why there can be no SLURM here."""


def install() -> None:
    """Debian's SLURM, unless there is one; raises Unavailable where that does not work."""
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=PATH)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable(f"no {', '.join(missing)}: install Debian's slurm-wlm and munge")
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "slurm-wlm", "munge"]):
        done = subprocess.run(
            ["apt-get", *arguments],
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise Unavailable(f"apt-get {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """Start the daemons, give the environment in which SLURM's commands talk to them, and end them again."""
    with ExitStack() as stack:
        # not pytest's folder: the path of a socket must be short
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)))
        for name in ("state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        config = folder / "slurm.conf"
        config.write_text(
            CONFIG.format(
                host=socket.gethostname().split(".")[0], user=getpass.getuser(), folder=folder,
                controller_port=_free_port(), node_port=_free_port(),
            )
        )  # fmt: skip
        (folder / "gres.conf").write_text(GPUS)
        # Snakemake's plugin takes SLURM_CONF away from the srun inside a job
        srun = folder / "srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={config} exec {shutil.which("srun", path=PATH)} "$@"\n')
        srun.chmod(0o755)
        environment = os.environ | {"SLURM_CONF": str(config), "PATH": f"{folder}:{PATH}"}

        munge_files = [f"--{part}-file={folder}/munge.{part}" for part in ("key", "pid", "seed", "log")]
        munge = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge_files]
        stack.enter_context(_daemon(munge, environment, folder))
        _wait_for(lambda: (folder / "munge.socket").exists(), "munged", folder)
        stack.enter_context(_daemon(["slurmctld", "-D", "-i"], environment, folder))
        stack.enter_context(_daemon(["slurmd", "-D"], environment, folder))
        _wait_for(lambda: "idle" in _output(["sinfo", "--noheader", "--format=%T"], environment), "slurmd", folder)
        try:
            yield environment
        finally:
            _output(["scancel", f"--user={getpass.getuser()}"], environment)
            _wait_for(lambda: not _output(["squeue", "--noheader"], environment), "the end of all jobs", folder)


@contextmanager
def _daemon(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[None]:
    with (folder / f"{command[0]}.out").open("w") as out:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(condition: Callable[[], bool], what: str, folder: Path) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.2)
    logs = "\n".join(
        f"{log.name}:\n{log.read_text()}" for log in sorted([*folder.glob("*.log"), *folder.glob("*.out")])
    )
    raise TimeoutError(f"waited in vain for {what}\n{logs}")


def _output(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout.strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
