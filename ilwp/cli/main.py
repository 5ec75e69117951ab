"""The command line: how every command starts, and how its errors are printed."""

import io
import sys
import warnings

import click

from ilwp.cli import training
from ilwp.cli.codebooks import finetune
from ilwp.cli.common import show
from ilwp.cli.compare import compare
from ilwp.cli.compress import compress
from ilwp.cli.files import decompress, inspect
from ilwp.cli.hypothesis import svwh
from ilwp.common.errors import IlwpError, printable
from ilwp.common.extras import extra_for
from ilwp.common.files import reason


def main() -> None:
    """Run the command line; a user's mistake ends in one line on standard error and a non-zero exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not where it is closed
            stream.reconfigure(errors="backslashreplace")  # names may hold what a terminal's encoding does not
    warnings.showwarning = lambda message, *_: show(f"warning: {message}", err=True)
    try:
        cli.main(standalone_mode=False)
    except IlwpError as error:
        _fail(str(error), 1)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        _fail(f"{error.format_message()} (see {error.ctx.command_path if error.ctx else 'ilwp'} --help)", 2)
    except click.Abort:
        _fail("interrupted; run the same command again to go on", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.filename or 'the output'}: {reason(error)}", 1)
    except ModuleNotFoundError as error:
        if (missing := extra_for(error)) is None:
            raise
        _fail(str(missing), 1)
    except MemoryError:
        _fail("this machine has too little memory for that file", 1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ilwp")
def cli() -> None:
    """Compress networks, and reproduce inter-layer weight prediction."""


for command in (*training.COMMANDS, compress, compare, finetune, decompress, inspect, svwh):
    cli.add_command(command)


def _fail(message: str, code: int) -> None:
    click.echo(f"ilwp: {printable(message)}", err=True)
    sys.exit(code)
