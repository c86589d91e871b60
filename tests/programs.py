"""Programs that stand beside a hub in a test: each prints `ready PORT` and ends with its standard input."""

import contextlib
import pathlib
import subprocess


class Program:
    """A running program, which ends with the block."""

    def __init__(self, command, log):
        self.log = pathlib.Path(log)
        with open(self.log, "w") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        said = self.process.stdout.readline()
        if not said.startswith("ready "):
            raise AssertionError(f"{command} did not start: {self.said()[-2000:]}")
        self.address = f"http://127.0.0.1:{said.split()[1]}"

    def said(self):
        """What it has written to its standard error."""
        return self.log.read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
