"""Runs notebooks with papermill, each in a process of its own that has nothing left to import.

    python forked_kernels.py < jobs     jobs: a JSON list of {"source", "parameters", "result", "environment"}
    -> a line of JSON for each that has ended: {"job": its place in the list, "started": time, "error": text or null}

Starting Python and importing what notebooks import takes longer than most notebooks run. So this process imports it
once and forks. Each fork runs papermill, and forks once more for the kernel. Modules of `ilwp` are not handed on: each
kernel imports its own, and the recorder notes them. After an error no other job is begun.
"""

import asyncio
import atexit
import contextlib
import importlib
import json
import os
import sys
import tempfile
import time
from multiprocessing import Process, connection, get_context
from pathlib import Path
from typing import Any

# a kernel's figures go into its notebook; matplotlib asks where to when it is imported
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
MODULES = (
    "faiss", "ipykernel.kernelapp", "jupyter_client.manager", "matplotlib.pyplot",
    "myst_nb", "pandas.io.formats.style", "papermill", "scipy.optimize", "scipy.spatial.distance", "scipy.stats",
    "seaborn", "sklearn.datasets", "torch", "torchvision",
)  # fmt: skip
FEW = 2  # jobs that import less by themselves
PARALLEL = os.cpu_count() or 1
FORK = get_context("fork")


def main(jobs: list[dict[str, Any]]) -> None:
    """Run the jobs, as many at once as there are cores."""
    for name in MODULES if len(jobs) > FEW else ():
        with contextlib.suppress(ImportError):  # a notebook that needs it says so
            importlib.import_module(name)
    waiting = list(enumerate(jobs))
    running: dict[Any, tuple[int, float, Process]] = {}
    while waiting or running:
        while waiting and len(running) < PARALLEL:
            number, job = waiting.pop(0)
            process = FORK.Process(target=run, kwargs=job)
            process.start()
            running[process.sentinel] = number, time.time(), process
        for sentinel in connection.wait(list(running)):
            number, started, process = running.pop(sentinel)
            process.join()
            error = Path(jobs[number]["result"] + ".error")
            text = error.read_text() if error.is_file() else "it was ended" if process.exitcode else None
            if text is not None:
                waiting.clear()
            print(json.dumps({"job": number, "started": started, "error": text}), flush=True)


def run(source: str, parameters: dict[str, Any], result: str, environment: dict[str, str]) -> None:
    """Run a notebook. What went wrong is left beside the result, and what the kernel says on its terminal too."""
    from papermill import execute_notebook

    with Path(result + ".log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    with tempfile.TemporaryDirectory() as folder:
        manager = start_kernel(f"{folder}/kernel", environment)
        try:
            execute_notebook(source, result, parameters, km=manager, progress_bar=False)
        except Exception as error:
            Path(result + ".error").write_text(str(error))
        finally:
            asyncio.run(manager.shutdown_kernel())


def start_kernel(address: str, environment: dict[str, str]) -> Any:
    """The manager of a kernel that is a fork of this process."""
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_client.provisioning import LocalProvisioner

    manager = AsyncKernelManager(transport="ipc", ip=address, connection_file=f"{address}.json")
    manager.write_connection_file()
    process = FORK.Process(target=be_kernel, args=(manager.connection_file, environment))
    process.start()
    manager.provisioner = LocalProvisioner(parent=manager, kernel_id="", kernel_spec=manager.kernel_spec)
    manager.provisioner.process = Kernel(process)
    return manager


def be_kernel(file: str, environment: dict[str, str]) -> None:
    """Run cells until asked to stop."""
    import sitecustomize
    from ipykernel.kernelapp import IPKernelApp

    os.environ |= environment | {"JPY_PARENT_PID": str(os.getppid())}
    for name in list(sys.modules):
        if name.partition(".")[0] == "ilwp":  # of papermill's engine
            del sys.modules[name]
    sitecustomize.begin()
    app = IPKernelApp.instance()
    app.initialize(["-f", file])
    app.start()
    atexit._run_exitfuncs()  # a fork ends without them, and cells leave temporary folders to them


class Kernel:
    """What a manager asks of its kernel's process, as `subprocess.Popen` answers it."""

    stdin = stdout = stderr = None

    def __init__(self, process: Process) -> None:
        self.process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self.process.exitcode

    def wait(self) -> int | None:
        """Its exit code, once it has ended."""
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        if self.pid and self.poll() is None:
            os.kill(self.pid, number)


if __name__ == "__main__":
    main(json.load(sys.stdin))
