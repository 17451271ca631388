"""`ecoassist kernel`: the sandbox as a kernel of Jupyter."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ecoassist.errors import UsageFault

from .common import ConfigOption, FlavourOption, load_config, reporting

app = typer.Typer(help="The sandbox as a kernel for notebooks.", no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Option("--name", help="What Jupyter calls the kernel.")]


@app.command()
def install(
    user: Annotated[bool, typer.Option("--user", help="For you, in all environments. This is the default.")] = False,
    sys_prefix: Annotated[bool, typer.Option("--sys-prefix", help="For the Python environment of ecoassist.")] = False,
    prefix: Annotated[
        Path | None, typer.Option("--prefix", metavar="DIR", help="Below DIR, in share/jupyter/kernels.")
    ] = None,
    name: Name = "ecoassist",
    display_name: Annotated[
        str, typer.Option("--display-name", metavar="TEXT", help="What notebooks show. Without it: made of the name.")
    ] = "",
    flavour: FlavourOption = None,
    config: ConfigOption = None,
) -> None:
    """Let notebooks run in the sandbox: JupyterLab, nbclient, papermill."""
    with reporting():
        if user + sys_prefix + (prefix is not None) > 1:
            raise UsageFault("more than one place for the kernel", "choose one of --user, --sys-prefix and --prefix")
        load_config(config)
        settings = {"flavour": flavour or "", "config_file": str(config.absolute()) if config else ""}
        given = {key: value for key, value in settings.items() if value}
        from ecoassist.kernel.kernelspec import install

        where = Path(sys.prefix) if sys_prefix else prefix
        typer.echo(install(name, display_name=display_name, prefix=where, settings=given))
        typer.echo(USE.format(name=name.lower(), config=given.get("config_file", "the usual one")), err=True)


USE = """\
Notebooks with this kernel run in the sandbox, behind the same gate as questions.
  jupyter lab                                        and choose the kernel
  papermill -k {name} in.ipynb out.ipynb
  jupyter nbconvert --execute --ExecutePreprocessor.kernel_name={name} --to notebook in.ipynb
Jupyter has to run in an environment that has ecoassist, with the API keys in its variables.
Configuration: {config}. A cell has no deadline here, and files beside the notebook stay outside."""


@app.command()
def uninstall(
    name: Name = "ecoassist",
    prefix: Annotated[
        Path | None, typer.Option("--prefix", metavar="DIR", help="Below DIR. Without it: wherever Jupyter looks.")
    ] = None,
) -> None:
    """Remove the kernel from Jupyter again."""
    with reporting():
        from ecoassist.kernel.kernelspec import uninstall

        for folder in uninstall(name, prefix=prefix):
            typer.echo(f"removed {folder}", err=True)
